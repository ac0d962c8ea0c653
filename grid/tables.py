"""Frames as text for a terminal: aligned columns, and the formats that a program reads."""

import sys
import textwrap
from collections.abc import Collection
from typing import TYPE_CHECKING

from grid.errors import StudyError

if TYPE_CHECKING:
    import polars

FORMATS = ("table", "csv", "json", "parquet")
WIDTH = 120
"""Columns of a terminal, where it does not say."""


def as_text(frame: "polars.DataFrame") -> str:
    """A frame as a table of aligned columns: numbers to the right, three decimals.

    Small numbers keep three digits that say something, such as a learning rate of 0.0006. Thousands
    are grouped in a column that has a number of five digits.
    """
    columns = []
    for name in frame.columns:
        values = frame[name].to_list()
        numeric = frame[name].dtype.is_numeric()
        grouped = any(isinstance(value, int) and abs(value) >= 10_000 for value in values)
        cells = [name, *(_cell(value, grouped=grouped) for value in values)]
        width = max(len(cell) for cell in cells)
        columns.append([cell.rjust(width) if numeric else cell.ljust(width) for cell in cells])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    rule = "-" * max((len(line) for line in lines), default=0)
    return "\n".join([*lines[:1], rule, *lines[1:]])


def width_of(frame: "polars.DataFrame") -> int:
    """The columns that a table of the frame needs."""
    return max(map(len, as_text(frame).splitlines()))


def constant(frame: "polars.DataFrame", keep: Collection[str] = ()) -> dict[str, str]:
    """The columns with one value in all of several rows, and that value; none of a single row."""
    if frame.height < 2:
        return {}
    return {
        name: _cell(frame[name][0], grouped=True)
        for name in frame.columns
        if name not in keep and frame[name].n_unique() == 1
    }


def fitted(frame: "polars.DataFrame", width: int = WIDTH) -> str:
    """A table; where it is too wide, what is the same in every row stands above it."""
    same = constant(frame) if width_of(frame) > width else {}
    return "\n".join([*same_in_all("row", same, width), as_text(frame.drop(list(same)))])


def same_in_all(what: str, same: dict[str, str], width: int = WIDTH) -> list[str]:
    """The lines that stand above a table without its constant columns."""
    if not same:
        return []
    told = ", ".join(f"{name} {value}" for name, value in same.items())
    return fold(f"in every {what}: {told}", width)


def fold(text: str, width: int = WIDTH) -> list[str]:
    """A line as lines of a terminal's width, the later ones indented."""
    if len(text) <= width:
        return [text]
    return textwrap.wrap(
        text, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def write(frame: "polars.DataFrame", format: str) -> None:
    """A frame to standard output in one of `FORMATS`."""
    if format == "csv":
        sys.stdout.write(frame.write_csv())
    elif format == "json":
        sys.stdout.write(frame.write_json() + "\n")
    elif format == "parquet":
        if sys.stdout.isatty():
            raise StudyError(
                "--format parquet is binary: send it to a file, as in > results.parquet"
            )
        sys.stdout.flush()
        frame.write_parquet(sys.stdout.buffer)
    else:
        print(as_text(frame))


def _cell(value: object, *, grouped: bool) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        if 0 < abs(value) < 0.01:
            return f"{value:.3g}"
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if grouped else str(value)
    return str(value)
