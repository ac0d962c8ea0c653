"""Tables that a reader sorts, filters and takes home: whole without the script, paged with it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from plots.report.markup import Html, number, tag


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its heading, and how it is read."""

    title: str
    numeric: bool = False
    pick: bool = False
    """Whether its few values are offered as a filter."""
    explained: str | None = None
    """What the heading means, where it is short."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What stands in one place of a table, and the number that it is sorted by."""

    text: Any
    value: float | int | None


def real(value: float | None, digits: int = 3) -> Shown:
    return Shown(text=number(value, digits), value=value)


def table(id: str, caption: Any, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> Html:
    """A table with tools above it, which the script fills, in a frame of its own that scrolls.

    rows: for each column text, a number or Html; or `Shown`.
    """
    return tag(
        "div",
        tag("div", class_="tools", data_for=id),
        framed(
            id,
            tag(
                "table",
                captioned(caption, id),
                tag("thead", tag("tr", map(heading, columns))),
                tag("tbody", (_row(columns, row) for row in rows)),
                id=id,
                class_="data",
            ),
        ),
        class_="table",
    )


def captioned(text: Any, id: str) -> Html:
    """A caption that stays in sight while its table is scrolled sideways."""
    return tag("caption", tag("span", text), id=f"{id}-caption")


def framed(id: str, inner: Html) -> Html:
    """What may be wider than the page scrolls in a frame of its own, with the keyboard too."""
    return tag(
        "div", inner, class_="scroll", role="group", tabindex=0, aria_labelledby=f"{id}-caption"
    )


def heading(column: Column) -> Html:
    return tag(
        "th",
        column.title,
        scope="col",
        class_="n" if column.numeric else None,
        data_pick=column.pick,
        title=column.explained,
    )


def _row(columns: Sequence[Column], row: Sequence[Any]) -> Html:
    return tag("tr", (_cell(*pair) for pair in zip(columns, row, strict=True)))


def _cell(column: Column, value: Any) -> Html:
    sort = None
    if isinstance(value, Shown):
        known = value.value is not None and math.isfinite(value.value)
        value, sort = value.text, f"{value.value:.7g}" if known else ""
    elif isinstance(value, int):
        value, sort = f"{value:,}", str(value)
    return tag("td", value, class_="n" if column.numeric else None, data_v=sort)


def cell_link(cell: str) -> Html:
    """A cell's id, which opens what there is to say about it."""
    return tag("a", cell, href=f"#cell={cell}", class_="cell")


def facts_list(pairs: Iterable[tuple[str, Any]]) -> Html:
    """Names with their values, of those that have one."""
    return tag(
        "dl",
        ((tag("dt", name), tag("dd", value)) for name, value in pairs if value not in ("", None)),
    )
