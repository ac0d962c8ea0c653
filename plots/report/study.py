"""The study itself: its blocks and axes, what all cells share, and what tells them apart."""

from collections import Counter
from typing import Any

from plots.report.facts import Facts
from plots.report.markup import Html, data, plural, tag
from plots.report.scores import axis_column
from plots.report.tables import Column, table

_VALUES = 12
"""Values of an axis that are listed; of more, the first and the last."""


def grid_section(facts: Facts) -> Html:
    """The resolved grid: a card for each block, with its axes, its cells and how they stand."""
    return tag(
        "div", (_block(facts, name) for name in facts.study.expansion.members), class_="blocks"
    )


def _block(facts: Facts, name: str) -> Html:
    by_cell = {row["cell"]: row for row in facts.plan.iter_rows(named=True)}
    rows = [by_cell[cell.id] for cell in facts.study.expansion.members[name]]
    states = Counter(str(row["state"]) for row in rows)
    axes = []
    for path in next(block.paths for block in facts.study.blocks if block.name == name):
        values = list(dict.fromkeys(row[path] for row in rows if row[path] is not None))
        if values:
            axes.append((axis_column(facts, path).title, _values(values)))
    seeds = len({row["seed"] for row in rows})
    points = len({tuple(row[path] for path in facts.study.paths) for row in rows})
    shared = sum(", " in row["blocks"] for row in rows)
    size = f"{plural(points, 'point')} × {plural(seeds, 'seed')} = {plural(len(rows), 'cell')}"
    return tag(
        "article",
        tag("h3", name),
        tag("p", size, shared > 0 and f", {shared} shared with other blocks"),
        tag(
            "div",
            (
                tag("i", style=f"flex-grow:{count}", class_=state.replace(" ", "-"))
                for state, count in states.items()
            ),
            class_="progress",
            aria_hidden="true",
        ),
        tag("p", ", ".join(f"{count} {state}" for state, count in states.items()), class_="fine"),
        tag("dl", ((tag("dt", title), tag("dd", values)) for title, values in axes)),
        class_="block",
    )


def _values(values: list[Any]) -> list[Html]:
    shown = values if len(values) <= _VALUES else [values[0], "…", values[-1]]
    texts = (f"{value:,}" if isinstance(value, int) else str(value) for value in shown)
    return [tag("code", text) for text in texts]


def settings_section(facts: Facts) -> Html:
    """Every setting that all cells share, and where it was written."""
    columns = [Column(title="key"), Column(title="value"), Column(title="written")]
    rows = [(tag("code", key), value, written) for key, value, written in facts.held]
    caption = f"{plural(len(rows), 'setting')} that all cells share"
    return table("settings", caption, columns, rows)


def cells_data(facts: Facts) -> Html:
    """What the script shows of a single cell when its id is followed.

    Texts stand once, in `texts`, and everywhere else as their place there.
    """
    texts: dict[str, int] = {}

    def place(text: object) -> int:
        return texts.setdefault(str(text), len(texts))

    keys = list(dict.fromkeys(key for settings in facts.varied.values() for key in settings))
    stages: dict[str, list[Any]] = {}
    cells = {}
    for row in facts.plan.iter_rows(named=True):
        cell, own = row["cell"], facts.own(row["cell"])
        for id in own.values():
            stages[id[1]] = [place(id[0]), place(facts.look.stages[id].state)]
            if (made := facts.made.get(id)) is not None:
                told = (made.revision or "unknown", made.finished)
                stages[id[1]] += [*map(place, told), round(made.seconds, 1)]
        settings = facts.varied[cell]
        cells[cell] = {
            "about": [
                row["number"],
                place(row["blocks"]),
                row["seed"],
                place(row["state"]),
                place(row["note"] or ""),
            ],
            "settings": [place(settings[key]) if key in settings else None for key in keys],
            "stages": [[place(role), id[1]] for role, id in own.items()],
            "shared": len(set(facts.roles.get(cell, {}).values())) - len(set(own.values())),
        }
    return data(
        "cells-data",
        {
            "texts": list(texts),
            "keys": keys,
            "cells": cells,
            "stages": stages,
            "commands": {name: facts.command(name, "CELL") for name in ("show", "logs")},
        },
    )
