"""From the results frame to points: means over languages, then over seeds, with their intervals."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import polars

from grid.statistics import mean_interval, paired_differences
from grid.task_results import headline
from plots.chart import Point, X
from plots.errors import FigureError

COLUMNS = (
    "study scale block cell seed n_languages task metric language value n seen updates source "
    "synthetic"
).split()
AT = "at_update"
"""The update of pretraining that a score is of: its milestone's, or the last."""


@dataclass(kw_only=True, frozen=True)
class Metric:
    """A metric of the results frame; `task` None means that the metric's name is enough."""

    name: str
    task: str | None = None
    factor: float = 1.0


ACCURACY = Metric(name="accuracy", task="xnli", factor=100.0)
MAJORITY = Metric(name="majority_accuracy", task="xnli", factor=100.0)
BITS_PER_BYTE = Metric(name="bits_per_byte")
UNIGRAM = Metric(name="unigram_bits_per_byte")
GAIN = Metric(name="gain_over_unigram")


@dataclass(kw_only=True, frozen=True)
class Axis:
    """What stands on an x axis: the values of a column of the results, in order."""

    column: str
    label: str
    order: tuple[X, ...] = ()
    """Of categories; numbers are in their own order."""
    text: Callable[[X], str] = str
    """How a value is written under the axis."""
    phrase: str = "{}"
    """How it is written in a sentence."""
    scored: Mapping[X, tuple[str, ...]] = field(default_factory=dict)
    """The languages of the mean at each value, where they are what varies."""

    def sorted(self, values: set[X]) -> list[X]:
        """The values as they stand on the axis; those that no order tells are last."""
        if self.order:
            known = [value for value in self.order if value in values]
            return known + sorted(values - set(known), key=str)
        return sorted(values, key=float)


@dataclass(kw_only=True, frozen=True)
class Value:
    """A mean over languages in one cell."""

    value: float
    cell: str
    unseen: bool


Found = dict[X, dict[int, Value]]
"""The value of each seed at each x."""


@dataclass(kw_only=True, frozen=True)
class Results:
    """A results frame, and the cells that the study has, finished or not."""

    frame: polars.DataFrame
    plan: polars.DataFrame
    """One row for each block and cell; without a plan, only what the frame itself holds."""
    has_plan: bool

    @property
    def blocks(self) -> set[str]:
        return set(self.frame["block"].to_list())

    def where(self, **values: X) -> "Results":
        """The results whose columns have these values; of the plan, those columns that it has."""
        frame, plan = self.frame, self.plan
        for column, value in values.items():
            frame = frame.filter(polars.col(column) == value)
            if column in plan.columns:
                plan = plan.filter(polars.col(column) == value)
        return replace(self, frame=frame, plan=plan)

    def planned(self, axis: Axis) -> dict[X, set[int]]:
        """The seeds that the study has at each x; empty if the plan does not have the axis."""
        if axis.column not in self.plan.columns:
            return {}
        found: dict[X, set[int]] = {}
        for x, seed in self.plan.select(axis.column, "seed").drop_nulls().iter_rows():
            found.setdefault(x, set()).add(seed)
        return found

    def expected_seeds(self, axis: Axis, x: X) -> int:
        """Seeds that a complete point has; without a plan, those that there are anywhere."""
        planned = self.planned(axis)
        if self.has_plan and x in planned:
            return len(planned[x])
        return self.plan["seed"].n_unique()


def prepare(
    frame: polars.DataFrame, plan: polars.DataFrame | None = None, *, milestones: bool = False
) -> Results:
    """The results with the gain over the unigram as a metric of its own; checks the columns.

    `plan` has the columns blocks (names divided by ", "), seed, n_languages and the study's axes,
    one row a cell. With `milestones` the scores along the way stay, told apart by the column `AT`.
    """
    absent = [name for name in COLUMNS if name not in frame.columns]
    if absent:
        raise FigureError(
            f"the results frame has no column {', '.join(absent)}; "
            f"it has {', '.join(frame.columns)}"
        )
    if frame.is_empty():
        raise FigureError("the results frame has no rows: nothing of the study has finished yet")
    at = [name for name in ("milestone", "updates") if name in frame.columns]
    frame = frame.with_columns(polars.coalesce(at).alias(AT))
    if milestones and "milestone" in frame.columns:
        frame = frame.with_columns(milestone=polars.lit(None, polars.Int64))
    frame = headline(frame)
    frame = polars.concat([frame, _gain(frame)])
    if plan is None:
        known = frame.drop("task", "metric", "language", "value", "n", "seen", AT)
        planned = known.unique(["block", "cell"], maintain_order=True)
    else:
        planned = plan.with_columns(polars.col("blocks").str.split(", ").alias("block"))
        planned = planned.explode("block").drop("blocks")
    return Results(frame=frame, plan=planned, has_plan=plan is not None)


def _gain(frame: polars.DataFrame) -> polars.DataFrame:
    """Rows of the metric GAIN: the unigram's bits per byte minus the model's."""
    identity = ["block", "cell", "seed", "language", AT]
    unigram = frame.filter(polars.col("metric") == UNIGRAM.name).select(
        *identity, polars.col("value").alias("unigram")
    )
    return (
        frame.filter(polars.col("metric") == BITS_PER_BYTE.name)
        .join(unigram, on=identity, how="inner")
        .with_columns(
            value=polars.col("unigram") - polars.col("value"), metric=polars.lit(GAIN.name)
        )
        .select(frame.columns)
    )


def by_languages(results: Results, column: str, groups: Mapping[X, tuple[str, ...]]) -> Results:
    """The results once for each group of languages, which `column` then names."""
    parts = [
        results.frame.filter(polars.col("language").is_in(languages)).with_columns(
            polars.lit(name).alias(column)
        )
        for name, languages in groups.items()
    ]
    return replace(results, frame=polars.concat(parts))


def rows_of(frame: polars.DataFrame, metric: Metric) -> polars.DataFrame:
    """The rows of one metric that have a value."""
    rows = frame.filter(
        (polars.col("metric") == metric.name)
        & polars.col("value").is_not_null()
        & polars.col("value").is_not_nan()
    )
    if metric.task is not None:
        rows = rows.filter(polars.col("task") == metric.task)
    if metric.factor == 100 and not rows.is_empty() and _greatest(rows) > 1:
        raise FigureError(
            f"{metric.task} {metric.name}: expected shares from 0 to 1, "
            f"found {_greatest(rows):g} in the results frame"
        )
    return rows


def _greatest(rows: polars.DataFrame) -> float:
    return max(rows["value"].to_list())


def languages_of(frame: polars.DataFrame, metric: Metric, wanted: tuple[str, ...]) -> list[str]:
    """Those of `wanted` that the frame has a value for anywhere, in the given order."""
    found = set(rows_of(frame, metric)["language"].to_list())
    return [language for language in wanted if language in found]


def found(results: Results, axis: Axis, metric: Metric, languages: list[str]) -> Found:
    """Mean over `languages` at each x and seed; a cell that lacks one of them is left out.

    Raises FigureError if one x and seed means two cells.
    """
    rows = rows_of(results.frame, metric).filter(polars.col("language").is_in(languages))
    rows = rows.filter(polars.col(axis.column).is_not_null())
    keys = [axis.column, "seed", "cell", "block"]
    values: Found = {}
    parts = rows.partition_by(keys, as_dict=True, maintain_order=True)
    for key, part in sorted(parts.items()):
        x, seed, cell, block = cast(tuple[X, int, str, str], key)
        by_language = dict(zip(part["language"].to_list(), part["value"].to_list(), strict=True))
        wanted = [code for code in axis.scored.get(x, languages) if code in languages]
        if any(language not in by_language for language in wanted):
            continue
        seeds = values.setdefault(x, {})
        if seed in seeds:
            raise FigureError(
                f"block '{block}' has two cells for {axis.phrase.format(axis.text(x))} and seed "
                f"{seed}: {seeds[seed].cell} and {cell}. A figure over {axis.column} needs one: "
                "put what else varies in a block of its own"
            )
        total = math.fsum(by_language[language] for language in wanted)
        seeds[seed] = Value(
            value=metric.factor * total / len(wanted),
            cell=cell,
            unseen=part["seen"].to_list().count(False) > 0,
        )
    return {x: values[x] for x in axis.sorted(set(values))}


def level_points(results: Results, axis: Axis, values: Found) -> tuple[Point, ...]:
    """Mean and interval over seeds at each x."""
    return tuple(
        _point(
            x,
            {seed: entry.value for seed, entry in seeds.items()},
            seeds,
            results.expected_seeds(axis, x),
        )
        for x, seeds in values.items()
    )


def difference_points(
    results: Results, axis: Axis, values: Found, base: Found
) -> tuple[Point, ...]:
    """Mean and interval of `values` minus `base` at the same x, paired by seed.

    A point whose seeds are not in the base is left out; one that lacks some counts as incomplete.
    """
    points = []
    for x, seeds in values.items():
        differences = paired_differences(
            {seed: entry.value for seed, entry in seeds.items()},
            {seed: entry.value for seed, entry in base.get(x, {}).items()},
        )
        if differences:
            points.append(_point(x, differences, seeds, results.expected_seeds(axis, x)))
    return tuple(points)


def before_of(values: Found) -> Found:
    """A base for changes from the x before; the first x has none."""
    return dict(zip(list(values)[1:], values.values(), strict=False))


def _point(x: X, by_seed: dict[int, float], seeds: dict[int, Value], expected: int) -> Point:
    interval = mean_interval(by_seed.values())
    return Point(
        x=x,
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        seeds=dict(sorted(by_seed.items())),
        expected_seeds=expected,
        cells=tuple(seeds[seed].cell for seed in sorted(by_seed)),
        unseen=any(seeds[seed].unseen for seed in by_seed),
    )
