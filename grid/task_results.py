"""What a study's tasks came to: one number a model for figures, and tables by language.

A task's scores are repeated over seeds of pretraining and, from each of these, of fine-tuning. An
interval is over pretrainings where there are several: fine-tunings of one pretraining say nothing
about another. Milestones are chosen between here, after all of them have been scored.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from grid.statistics import mean_interval
from model.tasks.catalogue import TASKS

AVERAGE, SEEN, UNSEEN = "average", "average, seen", "average, unseen"
"""Rows of a table besides its languages'."""
MODEL = ("regime", "finetuning_seed", "milestone", "split")
"""Columns that a results frame of an older version may lack."""


def headline(frame: pl.DataFrame) -> pl.DataFrame:
    """The scores that figures, summaries and cards show, one for each cell, metric and language.

    Of tasks these are the zero-shot ones on the test set from the end of pretraining, means over
    the seeds of fine-tuning.
    """
    if not set(MODEL) <= set(frame.columns):
        return frame
    kept = frame.filter(
        pl.col("milestone").is_null()
        & pl.col("split").fill_null("test").eq("test")
        & pl.col("regime").fill_null("zero-shot").eq("zero-shot")
    )
    if kept["finetuning_seed"].n_unique() <= 1:
        return kept
    keys = [name for name in kept.columns if name not in ("value", "finetuning_seed")]
    means = kept.group_by(keys, maintain_order=True).agg(
        pl.mean("value"), pl.lit(None, pl.Int64).alias("finetuning_seed")
    )
    return means.select(kept.columns)


def with_selected(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the column `selected`: whether a task's score is of its best milestone.

    Of each cell, task and regime it is the one whose mean validation score, over languages and
    seeds, is highest (XLM-R's own stopping criterion; the first of several); null where there is
    nothing to choose between.
    """
    keys = ["block", "cell", "task", "regime"]
    main = pl.DataFrame(
        {"task": list(TASKS), "metric": [task.main_metric for task in TASKS.values()]}
    )
    validated = (
        frame.filter(pl.col("split") == "validation")
        .join(main, on=["task", "metric"], how="semi")
        .group_by([*keys, "milestone"])
        .agg(pl.mean("value"), pl.first("updates"))
        .with_columns(_at=pl.col("milestone").fill_null(pl.col("updates")))
        .sort("value", "_at", descending=[True, False])
    )
    best = (
        validated.group_by(keys)
        .agg(pl.first("_at").alias("_best"), pl.len().alias("_candidates"))
        .filter(pl.col("_candidates") > 1)
    )
    if best.is_empty():
        return frame.with_columns(selected=pl.lit(None, pl.Boolean))
    joined = frame.join(best, on=keys, how="left", maintain_order="left")
    chosen = pl.col("milestone").fill_null(pl.col("updates")) == pl.col("_best")
    return joined.with_columns(selected=chosen).drop("_best", "_candidates")


def by_language(frame: pl.DataFrame, paths: Sequence[str]) -> pl.DataFrame:
    """One row for each block, point, task, regime, milestone, metric and language of test scores.

    Averages over the languages follow them, also over those that the cell has seen and not seen
    in pretraining. value: the mean over seeds, with its 95 % t interval. majority: the baseline's.
    selected: of how many pretrainings validation chooses this milestone; null without a choice.
    """
    tests = frame.filter(pl.col("task").is_in(list(TASKS)) & (pl.col("split") == "test"))
    keys = ["block", *paths, "task", "regime", "milestone", "metric"]
    rows = []
    for key, group in tests.group_by(keys, maintain_order=True):
        point = dict(zip(keys, key, strict=True))
        metric = str(point["metric"])
        if metric not in TASKS[str(point["task"])].metrics:
            continue
        same = pl.all_horizontal(
            pl.col(name).eq_missing(pl.lit(value, tests.schema[name]))
            for name, value in {**point, "metric": f"majority_{metric}"}.items()
        )
        rows += [{**point, **row} for row in _rows(group, tests.filter(same))]
    schema = {name: tests.schema[name] for name in keys} | {
        "language": pl.String, "seen": pl.Boolean, "n": pl.Int64,
        "pretrainings": pl.Int64, "finetunings": pl.Int64, "selected": pl.Int64,
        "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "majority": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def _rows(scores: pl.DataFrame, baseline: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """One row for each language, then the averages."""
    languages = scores["language"].unique(maintain_order=True).to_list()
    for language in languages:
        own = scores.filter(pl.col("language") == language)
        one = {"language": language, "seen": own["seen"][0], "n": own["n"][0]}
        yield {**one, **_over_seeds(own, baseline, [language])}
    seen = scores.filter(pl.col("seen"))["language"].unique(maintain_order=True).to_list()
    unseen = [language for language in languages if language not in seen]
    groups = {AVERAGE: languages} if len(languages) > 1 else {}
    if seen and unseen:
        groups |= {SEEN: seen, UNSEEN: unseen}
    for name, group in groups.items():
        found = scores.filter(pl.col("language").is_in(group))
        one = {"language": name, "seen": None, "n": None}
        yield {**one, **_over_seeds(found, baseline, group)}


def _over_seeds(
    scores: pl.DataFrame, baseline: pl.DataFrame, languages: Sequence[str]
) -> dict[str, Any]:
    """Mean and interval of the mean over languages."""
    tuned = scores.group_by("seed", "finetuning_seed", maintain_order=True).agg(pl.mean("value"))
    pretrained = tuned.group_by("seed", maintain_order=True).agg(pl.mean("value"))
    several = pretrained if len(pretrained) > 1 else tuned
    interval = mean_interval(several["value"])
    majority = baseline.filter(pl.col("language").is_in(list(languages)))
    chosen = scores.filter(pl.col("selected"))["seed"].n_unique()
    return {
        "pretrainings": len(pretrained),
        "finetunings": len(tuned),
        "selected": None if scores["selected"].is_null().all() else chosen,
        "value": pretrained["value"].mean(),
        "low": interval.low,
        "high": interval.high,
        "majority": majority["value"].mean(),
    }


def tables(long: pl.DataFrame, paths: Sequence[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    """`by_language` as a table for each task's main metric: languages down, points across.

    Yields a heading and a table, in percent: mean ± half of the interval; * is a language that
    the cell has not seen in pretraining.
    """
    for (task,), rows in long.group_by("task", maintain_order=True):
        declared = TASKS[str(task)]
        shown = rows.filter(pl.col("metric") == declared.main_metric)
        names = [name for name in ("block", *paths, "regime", "milestone")
                 if shown[name].n_unique() > 1]  # fmt: skip
        languages = shown["language"].unique(maintain_order=True).to_list()
        averages = [name for name in (AVERAGE, SEEN, UNSEEN) if name in languages]
        languages = sorted(set(languages) - set(averages)) + averages
        columns: dict[str, list[str]] = {"language": languages}
        baseline = {
            row["language"]: row["majority"]
            for row in shown.iter_rows(named=True)
            if row["language"] not in (SEEN, UNSEEN) and row["majority"] is not None
        }
        columns["majority"] = [
            f"{100 * baseline[name]:.1f}" if name in baseline else "" for name in languages
        ]
        parts = shown.group_by(names, maintain_order=True) if names else [((), shown)]
        for point, part in parts:
            found = {row["language"]: _cell(row) for row in part.iter_rows(named=True)}
            title = ", ".join(_named(name, value) for name, value in zip(names, point, strict=True))
            if any(part["selected"].fill_null(0)):
                title += " (selected)"
            columns[title or declared.main_metric] = [found.get(name, "") for name in languages]
        yield f"{task}: {declared.main_metric}, test, percent", pl.DataFrame(columns)


def _named(name: str, value: object) -> str:
    if name == "milestone":
        return "end" if value is None else f"milestone {value}"
    return str(value) if isinstance(value, str) else f"{name.split('.')[-1]} {value}"


def _cell(row: dict[str, Any]) -> str:
    interval = "" if row["low"] is None else f" ± {50 * (row['high'] - row['low']):.1f}"
    return f"{100 * row['value']:.1f}{interval}{'*' if row['seen'] is False else ''}"
