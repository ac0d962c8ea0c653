"""Frames as text for a terminal: aligned columns, and the formats that a program reads."""

import sys
from typing import TYPE_CHECKING

from grid.errors import StudyError

if TYPE_CHECKING:
    import polars

FORMATS = ("table", "csv", "json", "parquet")


def as_text(frame: "polars.DataFrame") -> str:
    """A frame as a table of aligned columns: numbers to the right, three decimals."""
    columns = []
    for name in frame.columns:
        values = frame[name].to_list()
        numeric = frame[name].dtype.is_numeric()
        cells = [name, *(_cell(value) for value in values)]
        width = max(len(cell) for cell in cells)
        columns.append([cell.rjust(width) if numeric else cell.ljust(width) for cell in cells])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    rule = "-" * max((len(line) for line in lines), default=0)
    return "\n".join([*lines[:1], rule, *lines[1:]])


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


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return str(value)
