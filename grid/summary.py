"""The main scores of a results frame on one screen: a row for each point, means over seeds."""

from collections.abc import Iterable, Sequence

import polars as pl

from grid.task_results import MODEL, headline
from model.tasks.catalogue import TASKS

SEVEN = ("en", "fr", "de", "ru", "zh", "sw", "ur")
LOW, HIGH = ("sw", "ur"), ("en", "fr")
"""Groups of Conneau et al. 2020, Figure 2."""


def summary(frame: pl.DataFrame, paths: Sequence[str]) -> pl.DataFrame:
    """The main figures: one row for each block and point, means over seeds.

    Bits per byte of the low-resource (sw, ur), high-resource (en, fr) and all languages, the
    own-language unigram's over all, accuracy on XNLI over all, the other tasks' main metrics over
    their own languages, and tokens seen in training.
    `all` are the seven of xlm-7 where all of them are scored, otherwise those that are.
    """
    keys = _keys(paths)
    needed = columns(paths)
    frame = headline(frame.select(name for name in frame.columns if name in needed))
    scored = set(frame["language"].drop_nulls().unique().to_list())
    every = SEVEN if set(SEVEN) <= scored else tuple(sorted(scored))
    means = [
        _mean(frame, "bits_per_byte", LOW, "bits/byte low"),
        _mean(frame, "bits_per_byte", HIGH, "bits/byte high"),
        _mean(frame, "bits_per_byte", every, "bits/byte all"),
        _mean(frame, "unigram_bits_per_byte", every, "unigram all"),
        _mean(frame.filter(pl.col("task") == "xnli"), "accuracy", every, "xnli"),
        _mean(frame.filter(pl.col("task") == "xnli"), "majority_accuracy", every, "majority"),
        *_of_tasks(frame),
        *_of_commands(frame),
    ]
    cells = frame.group_by([*keys, "cell"], maintain_order=True).agg(pl.first("updates"))
    for mean in means:
        cells = cells.join(mean, on=["block", "cell"], how="left", maintain_order="left")
    tokens = (
        frame.filter((pl.col("task") == "pretraining") & (pl.col("metric") == "tokens"))
        .group_by(["block", "cell"])
        .agg(pl.first("value").alias("tokens"))
    )
    cells = cells.join(tokens, on=["block", "cell"], how="left", maintain_order="left")
    numbers = [name for name in cells.columns if name not in (*keys, "cell", "updates")]
    table = cells.group_by(keys, maintain_order=True).agg(
        pl.len().alias("seeds"), *(pl.mean(name) for name in numbers)
    )
    table = table.with_columns(pl.col("tokens").round().cast(pl.Int64))
    empty = [name for name in numbers if table[name].null_count() == len(table)]
    return table.drop(empty)


def columns(paths: Sequence[str]) -> list[str]:
    """What the summary needs of a results frame."""
    return [*_keys(paths), "cell", "task", *MODEL, "metric", "language", "value", "updates"]


def _keys(paths: Sequence[str]) -> list[str]:
    keys = ["block", *paths]
    return keys if "n_languages" in keys else [*keys, "n_languages"]


def _of_tasks(frame: pl.DataFrame) -> Iterable[pl.DataFrame]:
    """The main metric of every task but XNLI, and its baseline's: means over a cell's languages."""
    for name, task in TASKS.items():
        rows = frame.filter(pl.col("task") == name)
        if name == "xnli" or rows.is_empty():
            continue
        for prefix, title in (("", name), ("majority_", f"{name} majority")):
            yield (
                rows.filter(pl.col("metric") == f"{prefix}{task.main_metric}")
                .group_by(["block", "cell"])
                .agg(pl.mean("value").alias(title))
            )


def _of_commands(frame: pl.DataFrame) -> Iterable[pl.DataFrame]:
    """Each metric of the user's own programs: its mean over the languages of a cell."""
    own = frame.filter(~pl.col("task").is_in(["pretraining", "likelihood", *TASKS]))
    for task, metric in own.select("task", "metric").unique(maintain_order=True).iter_rows():
        yield (
            own.filter((pl.col("task") == task) & (pl.col("metric") == metric))
            .group_by(["block", "cell"])
            .agg(pl.mean("value").alias(f"{task} {metric}"))
        )


def _mean(frame: pl.DataFrame, metric: str, languages: Iterable[str], name: str) -> pl.DataFrame:
    """Mean over languages in each cell; absent where one of them has no score."""
    wanted = list(languages)
    return (
        frame.filter((pl.col("metric") == metric) & pl.col("language").is_in(wanted))
        .group_by(["block", "cell"])
        .agg(pl.mean("value").alias(name), pl.col("language").n_unique().alias("count"))
        .filter(pl.col("count") == len(wanted))
        .drop("count")
    )
