"""The published tables with the measured rows among the printed ones, and their footnotes."""

from collections.abc import Iterator

from plots.report.facts import Facts
from plots.report.markup import Html, number, tag
from plots.report.tables import captioned, cell_link, facts_list, framed
from plots.tables.table import Entry, Row, Table, Value


def published_section(facts: Facts) -> Html | None:
    """The tables that the study declares; None if it declares none."""
    return tag("div", map(_table, facts.tables)) if facts.tables else None


def _table(table: Table) -> Html:
    notes = list(dict.fromkeys(_met(table)))
    headings = [
        *(tag("th", each, scope="col") for each in table.settings),
        *(tag("th", each, scope="col", class_="n") for each in table.columns),
    ]
    badge = table.badge and [" ", tag("b", table.badge, class_="badge")]
    return tag(
        "div",
        tag("h3", table.title),
        framed(
            table.name,
            tag(
                "table",
                captioned([f"{table.unit}; after {table.after}", badge], table.name),
                tag("thead", tag("tr", tag("td"), headings)),
                (
                    _section(each.title, each.rows, len(headings) + 1, notes)
                    for each in table.sections
                ),
                class_="published",
            ),
        ),
        notes and tag("ol", (tag("li", note) for note in notes), class_="notes"),
        (tag("p", remark, class_="fine") for remark in table.notes),
        _cells(table),
        (
            tag("p", f"{gap.what}. To fill it: ", tag("code", gap.command), class_="note")
            for gap in table.gaps
        ),
        class_="table",
        id=table.name,
    )


def _section(title: str, rows: tuple[Row, ...], columns: int, notes: list[str]) -> Html:
    head = title and tag(
        "th", tag("span", title), scope="rowgroup", colspan=columns, class_="group"
    )
    return tag("tbody", head and tag("tr", head), (_row(row, notes) for row in rows))


def _row(row: Row, notes: list[str]) -> Html:
    return tag(
        "tr",
        tag("th", row.label, _marks(row.notes, notes), scope="row", title=row.source),
        (tag("td", setting) for setting in row.settings),
        (tag("td", _entry(entry, notes), class_="n") for entry in row.entries),
        class_=row.kind,
    )


def _entry(entry: Entry, notes: list[str]) -> Html:
    return tag(
        "span", [[index > 0 and " / ", _value(value, notes)] for index, value in enumerate(entry)]
    )


def _value(value: Value, notes: list[str]) -> list[Html | str]:
    half = ""
    if value.low is not None and value.high is not None:
        half = tag("small", f" ± {number((value.high - value.low) / 2, 1)}")
    return [value.text, half, *_marks(value.notes, notes)]


def _marks(own: tuple[str, ...], notes: list[str]) -> list[Html]:
    return [tag("sup", notes.index(note) + 1) for note in own]


def _met(table: Table) -> Iterator[str]:
    """The footnotes in the order in which a reader meets them."""
    for row in table.rows:
        yield from row.notes
        for entry in row.entries:
            for value in entry:
                yield from value.notes


def _cells(table: Table) -> Html | None:
    """Which cells each measured row is made from."""
    made = [(row.label, row.cells) for row in table.rows if row.cells]
    if not made:
        return None
    listed = [(label, [[cell_link(cell), " "] for cell in cells]) for label, cells in made]
    return tag("details", tag("summary", "The cells of the measured rows"), facts_list(listed))
