"""What was measured: the summary with intervals, every cell, and every single score."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import polars as pl

from grid.statistics import mean_interval
from plots.report.facts import Facts
from plots.report.markup import Html, compact, data, number, plural, short, tag
from plots.report.tables import Column, Shown, captioned, cell_link, framed, heading, real, table

_TITLES = {
    "bits/byte low": "bits per byte of held-out text, mean of sw and ur; lower is better",
    "bits/byte high": "bits per byte of held-out text, mean of en and fr; lower is better",
    "bits/byte all": "bits per byte of held-out text, mean of all scored languages",
    "unigram all": "the own-language unigram on the same text: what does not beat it has learnt "
    "vocabulary, not language",
    "xnli": "accuracy on XNLI, share of all",
    "majority": "accuracy of always giving the most frequent answer",
}
_SCORE = (
    "metric",
    "language",
    "value",
    "cell",
    "n",
    "task",
    "split",
    "regime",
    "train_language",
    "finetuning_seed",
    "milestone",
)


def results_section(facts: Facts) -> Html | None:
    """The summary: one row for each block and point, means over seeds with t intervals."""
    if facts.frame.is_empty():
        return None
    points = ["block", *facts.axes]
    each = facts.by_seed
    measures = _measures(facts, each)
    columns = [
        Column(title="block", pick=True),
        *(axis_column(facts, path) for path in facts.axes),
        Column(title="seeds", numeric=True),
        *(Column(title=name, numeric=True, explained=_TITLES.get(name)) for name in measures),
    ]
    rows = []
    for point, group in each.group_by(points, maintain_order=True):
        means = [_mean(group[name].drop_nulls().to_list()) for name in measures]
        rows.append([point[0], *map(coordinate, point[1:]), group["seed"].n_unique(), *means])
    caption = (
        f"Means over seeds, ± half of the 95 % t interval. {plural(len(rows), 'point')} of the grid"
    )
    return table("results", caption, columns, rows)


def cells_section(facts: Facts) -> Html:
    """Every cell: where it stands in the grid, how large it is, and what it scored."""
    each = facts.by_seed
    measures = _measures(facts, each)
    there = each.join(_places(facts), on=["block", *facts.axes, "seed"], nulls_equal=True)
    found = {row["cell"]: row for row in there.iter_rows(named=True)}
    columns = [
        Column(title="#", numeric=True),
        Column(title="cell"),
        Column(title="blocks", pick=True),
        *(axis_column(facts, path) for path in facts.axes),
        Column(title="seed", numeric=True, pick=True),
        Column(title="state", pick=True),
        *(Column(title=name, numeric=True, explained=_TITLES.get(name)) for name in measures),
        Column(title="parameters", numeric=True),
        Column(title="tokens", numeric=True, explained="trained on"),
        Column(title="used", numeric=True, explained="seconds of devices, of its own stages"),
    ]
    rows = []
    for row in facts.plan.iter_rows(named=True):
        scores = found.get(row["cell"], {})
        used = sum(facts.look.used.get(id, 0.0) for id in set(facts.own(row["cell"]).values()))
        rows.append(
            [
                row["number"],
                cell_link(row["cell"]),
                row["blocks"],
                *(coordinate(row[path]) for path in facts.axes),
                row["seed"],
                tag("span", row["state"], class_=f"state {row['state'].replace(' ', '-')}"),
                *(real(scores.get(name)) for name in measures),
                Shown(text=short(row["parameters"]), value=row["parameters"]),
                Shown(text=short(row["tokens"]), value=row["tokens"]),
                Shown(text=f"{used * 3600:,.0f} s" if used else "–", value=used),
            ]
        )
    return table(
        "cells-table", f"{plural(len(rows), 'cell')}, in the order of the plan", columns, rows
    )


def scores_section(facts: Facts) -> Html | None:
    """Every single score, as data: the script shows them by pages."""
    if facts.frame.is_empty():
        return None
    there = [name for name in _SCORE if name in facts.frame.columns]
    frame = facts.frame.select(there).unique(maintain_order=True)
    told = [
        name for name in there if name in ("cell", "metric", "value") or frame[name].n_unique() > 1
    ]
    columns = [
        Column(
            title=name.replace("_", " "),
            numeric=name in ("value", "n", "finetuning_seed"),
            pick=name not in ("cell", "value", "n"),
        )
        for name in told
    ]
    shell = tag(
        "table",
        captioned(plural(frame.height, "score"), "scores"),
        tag("thead", tag("tr", map(heading, columns))),
        tag("tbody"),
        id="scores",
        class_="data",
        data_source="scores-data",
    )
    command = facts.command("results", "--format", "csv")
    return tag(
        "div",
        tag("div", class_="tools", data_for="scores"),
        framed("scores", shell),
        tag("noscript", tag("p", "Without scripts, the same rows: ", tag("code", command))),
        data("scores-data", [_packed(frame[name]) for name in told]),
        class_="table",
    )


def _packed(column: pl.Series) -> dict[str, Any]:
    """A column for the script: numbers as they are, text as places in a list of its values.

    Where neighbours are mostly alike, places come as runs: [place, how often].
    """
    if column.dtype.is_float():
        return {"values": [compact(each) for each in column]}
    names = column.unique(maintain_order=True).to_list()
    place = {name: index for index, name in enumerate(names)}
    values = [place[name] for name in column]
    runs = [[index, len(list(run))] for index, run in groupby(values)]
    places = {"runs": runs} if 3 * len(runs) < len(values) else {"values": values}
    return {"names": ["–" if name is None else str(name) for name in names], **places}


def _places(facts: Facts) -> pl.DataFrame:
    """Which cell stands at a block's point with a seed."""
    keys = ["block", *facts.axes, "seed"]
    if facts.frame.is_empty():
        return facts.by_seed.with_columns(cell=pl.lit("", pl.String))
    return facts.frame.select(*keys, "cell").unique(maintain_order=True)


def _measures(facts: Facts, each: pl.DataFrame) -> list[str]:
    around = {"block", *facts.axes, "seed", "n_languages", "seeds", "tokens"}
    return [name for name in each.columns if name not in around]


def _mean(values: Sequence[float]) -> Shown:
    """A mean with half of its interval in small."""
    if not values:
        return Shown(text="–", value=None)
    found = mean_interval(values)
    half = "" if found.high is None else f" ± {number(found.high - found.mean)}"
    return Shown(text=[number(found.mean), tag("small", half)], value=found.mean)


def axis_column(facts: Facts, path: str) -> Column:
    """The column of an axis, under the last part of its path where that tells it from others."""
    last = path.rpartition(".")[2]
    alone = sum(each.rpartition(".")[2] == last for each in facts.axes) == 1
    numeric = facts.plan[path].dtype.is_numeric()
    return Column(title=last if alone else path, numeric=numeric, pick=True, explained=path)


def coordinate(value: Any) -> Any:
    """A value on an axis."""
    if isinstance(value, float):
        return Shown(text=f"{value:.4g}", value=value)
    return str(value).lower() if isinstance(value, bool) else "–" if value is None else value


def label(facts: Facts, block: str, row: dict[str, Any]) -> str:
    """What names a point within its block: its values on the axes that vary there."""
    words = []
    for path in facts.varying[block]:
        value = row[path]
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        words.append(text if isinstance(value, str) else f"{axis_column(facts, path).title} {text}")
    return ", ".join(words) or block
