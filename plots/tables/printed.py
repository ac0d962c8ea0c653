"""The printed rows of a published table, from `plots/reference`, with what is wrong in them.

A printed number is shown as it is printed. Each row's average is computed again from its printed
values; where it cannot be their mean, or where values were printed under another column, a footnote
says so.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from plots.errors import FigureError
from plots.published import load_published
from plots.tables.table import Entry, Value

AVERAGE = "avg"
_FACT = re.compile(r"(#?[A-Za-z]+)=([^,)]+)")
"""What a row's source says of a model, such as `D=Wiki, #M=N, #lg=15`."""


@dataclass(kw_only=True, frozen=True)
class PrintedRow:
    """One model's row as it is printed."""

    facts: dict[str, str]
    """How the table names and describes the model."""
    entries: dict[str, Entry]
    """By column."""
    source: str
    notes: tuple[str, ...] = ()


def printed_rows(
    reference: str,
    *,
    parts: Sequence[str],
    metrics: Sequence[str],
    averaged: Sequence[str],
    moved: str = "",
) -> list[PrintedRow]:
    """The rows of `plots/reference/<reference>.csv`, in order.

    parts: what a series' name consists of, such as ("model", "section"); `metric` is no fact, but
    tells which of `metrics` a value is. averaged: the columns whose mean the last one is. moved:
    the footnote for a row whose values stand under other columns than they belong to.
    """
    frame = load_published(reference)
    column = "lang_corrected" if "lang_corrected" in frame.columns else "x"
    found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in frame.iter_rows(named=True):
        values = row["series"].split(" | ")
        if len(values) != len(parts):
            raise FigureError(
                f"{reference}.csv: expected a series of {len(parts)} parts, {' | '.join(parts)}; "
                f"found {row['series']!r}"
            )
        series = dict(zip(parts, values, strict=True))
        row = row | {"column": row[column], "metric": series.pop("metric", metrics[0])}
        found.setdefault(tuple(series.values()), []).append(row)
    names = [name for name in parts if name != "metric"]
    rows = [
        _row(dict(zip(names, key, strict=True)), values, metrics, moved)
        for key, values in found.items()
    ]
    return _checked(rows, averaged, len(metrics))


def _row(
    facts: dict[str, str], rows: list[dict[str, str]], metrics: Sequence[str], moved: str
) -> PrintedRow:
    entries: dict[str, Entry] = {}
    for name in dict.fromkeys(row["column"] for row in rows):
        values = {row["metric"]: row["value"] for row in rows if row["column"] == name}
        entries[name] = tuple(
            Value(text=values[metric], number=float(values[metric])) for metric in metrics
        )
    misplaced = any(row["column"] != row.get("lang_as_printed", row["column"]) for row in rows)
    source = rows[0]["source"]
    return PrintedRow(
        facts=facts | dict(_FACT.findall(source)),
        entries=entries,
        source=source,
        notes=(moved,) if misplaced else (),
    )


def _checked(rows: list[PrintedRow], averaged: Sequence[str], metrics: int) -> list[PrintedRow]:
    """The rows, those averages footnoted that are not the mean of what is printed before them."""
    for metric in range(metrics):
        means = [_mean(row, averaged, metric) for row in rows]
        wrong = {
            number: mean
            for number, (row, mean) in enumerate(zip(rows, means, strict=True))
            if mean is not None and not may_be(row.entries[AVERAGE][metric], mean)
        }
        for number, mean in wrong.items():
            own = rows[number].entries[AVERAGE][metric]
            swapped = [
                rows[other].facts["model"]
                for other in wrong
                if other != number and may_be(rows[other].entries[AVERAGE][metric], mean)
                and may_be(own, wrong[other])
            ]  # fmt: skip
            rows[number] = _noted(rows[number], metric, mean, swapped)
    return rows


def _mean(row: PrintedRow, averaged: Sequence[str], metric: int) -> float | None:
    """The mean of the printed values; None where one of them, or the average, is not printed."""
    if not {*averaged, AVERAGE} <= set(row.entries):
        return None
    numbers = [row.entries[name][metric].number for name in averaged]
    return math.fsum(number for number in numbers if number is not None) / len(numbers)


def may_be(printed: Value, mean: float) -> bool:
    """Whether a printed average can be this mean: both its own rounding and the values' count."""
    unit = 10.0 ** -len(printed.text.partition(".")[2])
    return printed.number is not None and abs(printed.number - mean) <= unit * (1 + 1e-9)


def _noted(row: PrintedRow, metric: int, mean: float, swapped: list[str]) -> PrintedRow:
    entry = row.entries[AVERAGE]
    digits = len(entry[metric].text.partition(".")[2])
    note = f"Printed so; the values of the row have the mean {mean:.{digits}f}."
    if swapped:
        note = f"{note[:-1]}: the averages of this row and of {swapped[0]} are swapped."
    value = replace(entry[metric], notes=(*entry[metric].notes, note))
    changed = (*entry[:metric], value, *entry[metric + 1 :])
    return replace(row, entries={**row.entries, AVERAGE: changed})
