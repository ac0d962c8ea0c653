"""The heat map: each language's score at each point of the grid, means over seeds, as data.

Languages stand in the order of their text in CC-100, so that what the small ones gain or lose is
seen as a side of the map. The script draws one block and one metric of it at a time.
"""

from typing import Any

import polars as pl

from grid.task_results import headline
from model.languages import LANGUAGES
from model.tasks.catalogue import TASKS
from plots.report.facts import Facts
from plots.report.markup import Html, compact, data, tag
from plots.report.scores import label
from plots.report.tables import captioned, framed

_WORDS = {
    "bits_per_byte": ("Bits per byte of held-out text", "lower is better", 3),
    "gain_over_unigram": (
        "Gain over the own-language unigram, bits per byte",
        "higher is better; below 0 the model has learnt less than which words are frequent",
        3,
    ),
    "tokens_seen": ("Tokens seen in training", "", 0),
    "epochs_seen": ("Epochs seen in training", "", 2),
}


def languages_section(facts: Facts) -> Html | None:
    """The map's frame and its numbers; None without scores by language."""
    frame = headline(facts.frame).filter(pl.col("language").is_not_null())
    if frame.is_empty():
        return None
    scores = pl.concat([_scores(frame, facts.axes), _exposure(frame, facts.axes)])
    languages = sorted(scores["language"].unique(), key=_size)
    metrics = [
        name for name in (*_WORDS, *_task_titles(frame)) if name in set(scores["metric"].unique())
    ]
    shown = {
        "languages": [_language(code) for code in languages],
        "metrics": [_words(name) for name in metrics],
        "blocks": [
            _block(facts, scores, block, languages, metrics)
            for block in scores["block"].unique(maintain_order=True)
        ],
    }
    return tag(
        "div",
        tag("div", class_="tools", id="heat-tools"),
        framed("heat", tag("table", captioned("", "heat"), id="heat", class_="heat")),
        tag("p", id="heat-legend", class_="legend"),
        data("heat-data", shown),
    )


def _scores(frame: pl.DataFrame, axes: list[str]) -> pl.DataFrame:
    """Block, point, metric, language, value and whether it was seen: means over seeds."""
    titles = _task_titles(frame)
    points = ["block", *axes]
    likelihood = frame.filter(pl.col("task") == "likelihood")
    bits, unigram = (
        likelihood.filter(pl.col("metric") == name)
        for name in ("bits_per_byte", "unigram_bits_per_byte")
    )
    keys = [*points, "cell", "seed", "language", "seen"]
    gain = bits.join(unigram, on=keys, suffix="_unigram", nulls_equal=True).with_columns(
        value=pl.col("value_unigram") - pl.col("value"), metric=pl.lit("gain_over_unigram")
    )
    tasks = [
        frame.filter((pl.col("task") == task) & (pl.col("metric") == metric)).with_columns(
            metric=pl.lit(title)
        )
        for title, (task, metric) in titles.items()
    ]
    columns = [*keys, "metric", "value"]
    rows = pl.concat([each.select(columns) for each in (bits, gain, *tasks)])
    return rows.group_by([*points, "metric", "language"], maintain_order=True).agg(
        pl.mean("value"), pl.col("seen").all()
    )


def _exposure(frame: pl.DataFrame, axes: list[str]) -> pl.DataFrame:
    """Tokens and epochs that the cells of a point have seen of each language, in the same form."""
    points = ["block", *axes]
    seen = frame.group_by([*points, "language"], maintain_order=True).agg(
        pl.mean("tokens_seen"), pl.mean("epochs_seen"), pl.col("seen").all()
    )
    return pl.concat(
        [
            seen.select(*points, metric=pl.lit(name), language="language", value=name, seen="seen")
            for name in ("tokens_seen", "epochs_seen")
        ]
    )


def _task_titles(frame: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """`xnli accuracy`: the main metric of each task with scores, by the name it has on the map."""
    there = set(frame["task"].unique())
    return {
        f"{name} {task.main_metric}": (name, task.main_metric)
        for name, task in TASKS.items()
        if name in there
    }


def _words(metric: str) -> dict[str, Any]:
    title, meaning, digits = _WORDS.get(metric, (f"{metric}, zero-shot", "higher is better", 3))
    return {"title": title, "meaning": meaning, "digits": digits}


def _language(code: str) -> dict[str, str]:
    known = LANGUAGES.get(code)
    if known is None:
        return {"code": code, "told": code}
    told = f"{known.name}: {known.family}, {known.script}, {known.cc100_gib:g} GiB in CC-100"
    return {"code": code, "told": told}


def _size(code: str) -> tuple[float, str]:
    return (-LANGUAGES[code].cc100_gib if code in LANGUAGES else 1.0, code)


def _block(
    facts: Facts, scores: pl.DataFrame, block: str, languages: list[str], metrics: list[str]
) -> dict[str, Any]:
    """Points with, for each metric, a value a language; which of the languages are unseen."""
    rows = []
    own = scores.filter(pl.col("block") == block)
    for _, point in own.group_by(facts.axes or ["block"], maintain_order=True):
        first = point.row(0, named=True)
        values: dict[str, dict[str, float | None]] = {name: {} for name in metrics}
        unseen = set()
        for row in point.iter_rows(named=True):
            if row["metric"] in values:
                values[row["metric"]][row["language"]] = compact(row["value"])
            if row["seen"] is False:
                unseen.add(row["language"])
        rows.append(
            {
                "label": label(facts, block, first),
                "values": [[values[name].get(each) for each in languages] for name in metrics],
                "unseen": [each in unseen for each in languages],
            }
        )
    return {"name": block, "rows": rows}
