"""A table as GitHub's Markdown: readable as text, footnotes and gaps below."""

import re

from plots.tables.notes import Footnotes, decimals, half_width
from plots.tables.table import PRINTED, Entry, Row, Table

_ABSENT = "–"
_SPECIAL = re.compile(r"[\\*|<>\[\]`]|\b_|_\b(?=\W|$)|(?<!\w)_")


def markdown(table: Table) -> str:
    """The table with a heading, its columns aligned."""
    notes = Footnotes(table)
    metrics = f" ({' / '.join(table.metrics)})" if len(table.metrics) > 1 else ""
    unit = f", {table.unit}" if table.unit and not metrics else ""
    badge = f" · **{table.badge}**" if table.badge else ""
    lines = [
        f"# {table.title}{metrics}",
        "",
        f"After {table.after} · study `{table.study}`, scale {table.scale}{unit}{badge}",
        "",
        *_grid(table, notes),
        "",
    ]
    lines += [f"- {letter}: {_escaped(note)}" for note, letter in notes.letters.items()]
    lines += [f"- {_escaped(note)}" for note in table.notes]
    if table.claims:
        lines += ["", "Claims, judged on the rows that are measured here:", ""]
        lines += [f"- {_escaped(claim)}" for claim in table.claims]
    if table.gaps:
        lines += ["", "Missing here:", ""]
        lines += [f"- {_escaped(gap.what)}. Fill with: `{gap.command}`" for gap in table.gaps]
    return "\n".join(lines) + "\n"


def _grid(table: Table, notes: Footnotes) -> list[str]:
    heading = ["model", *table.settings, *table.columns]
    rows: list[list[str]] = []
    for section in table.sections:
        if section.title:
            rows.append([f"**{_escaped(section.title)}**", *[""] * (len(heading) - 1)])
        rows += [_row(row, notes) for row in section.rows]
    left = 1 + len(table.settings)
    widths = [max(len(line[at]) for line in [heading, *rows]) for at in range(len(heading))]
    rule = [
        "-" * width if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths)
    ]
    padded = [
        [text.ljust(width) if at < left else text.rjust(width)
         for at, (text, width) in enumerate(zip(line, widths, strict=True))]
        for line in (heading, *rows)
    ]  # fmt: skip
    return [f"| {' | '.join(line)} |" for line in (padded[0], rule, *padded[1:])]


def _row(row: Row, notes: Footnotes) -> list[str]:
    label = _escaped(row.label)
    if row.kind != PRINTED:
        label = f"*{label}*"
    return [
        label + _marks(notes.of(row)),
        *(_escaped(setting) for setting in row.settings),
        *(_entry(entry, notes) for entry in row.entries),
    ]


def _entry(entry: Entry, notes: Footnotes) -> str:
    if not entry:
        return _ABSENT
    shown = []
    for value in entry:
        half = half_width(value)
        interval = "" if half is None else f" ± {half:.{decimals(value)}f}"
        shown.append(f"{_escaped(value.text)}{interval}{_marks(notes.of(value))}")
    return " / ".join(shown)


def _marks(letters: list[str]) -> str:
    return f"<sup>{','.join(letters)}</sup>" if letters else ""


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)
