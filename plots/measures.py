"""From the results frame to points: means over languages, then over seeds, with their intervals."""

import math
from dataclasses import dataclass

import polars

from grid.statistics import mean_interval, paired_differences
from grid.task_results import headline
from plots.chart import Point
from plots.errors import FigureError

COLUMNS = (
    "study scale block cell seed n_languages task metric language value n seen updates source "
    "synthetic"
).split()


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
class Value:
    """A mean over languages in one cell."""

    value: float
    cell: str
    unseen: bool


@dataclass(kw_only=True, frozen=True)
class Results:
    """A results frame, and which seeds each block has, or should have, at each x."""

    frame: polars.DataFrame
    planned: dict[str, dict[int, set[int]]]
    has_plan: bool
    """False where `planned` is only what the frame itself holds."""

    @property
    def blocks(self) -> set[str]:
        return {str(name) for name in self.frame["block"].to_list()}

    def expected_seeds(self, block: str, x: int) -> int:
        """Seeds that a complete point has; without a plan, those that the block has anywhere."""
        by_count = self.planned.get(block, {})
        if self.has_plan and x in by_count:
            return len(by_count[x])
        return len(set().union(*by_count.values()))

    def only(self, ticks: list[int]) -> "Results":
        """The results at these numbers of languages."""
        return Results(
            frame=self.frame.filter(polars.col("n_languages").is_in(ticks)),
            planned=self.planned,
            has_plan=self.has_plan,
        )


def prepare(frame: polars.DataFrame, plan: polars.DataFrame | None = None) -> Results:
    """The results with the gain over the unigram as a metric of its own; checks the columns.

    `plan` has the columns blocks (names divided by ", "), seed and n_languages, one row a cell.
    """
    absent = [name for name in COLUMNS if name not in frame.columns]
    if absent:
        raise FigureError(
            f"the results frame has no column {', '.join(absent)}; "
            f"it has {', '.join(frame.columns)}"
        )
    if frame.is_empty():
        raise FigureError("the results frame has no rows: nothing of the study has finished yet")
    frame = headline(frame)
    identity = ["block", "cell", "seed", "language"]
    unigram = frame.filter(polars.col("metric") == UNIGRAM.name).select(
        *identity, polars.col("value").alias("unigram")
    )
    gain = (
        frame.filter(polars.col("metric") == BITS_PER_BYTE.name)
        .join(unigram, on=identity, how="inner")
        .with_columns(
            value=polars.col("unigram") - polars.col("value"), metric=polars.lit(GAIN.name)
        )
        .select(frame.columns)
    )
    planned: dict[str, dict[int, set[int]]] = {}
    if plan is None:
        rows = frame.select(polars.col("block").alias("blocks"), "seed", "n_languages").unique()
    else:
        rows = plan.select("blocks", "seed", "n_languages")
    for blocks, seed, count in rows.iter_rows():
        for block in blocks.split(", "):
            planned.setdefault(block, {}).setdefault(count, set()).add(seed)
    return Results(frame=polars.concat([frame, gain]), planned=planned, has_plan=plan is not None)


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


def values(
    frame: polars.DataFrame, block: str, metric: Metric, languages: list[str]
) -> dict[int, dict[int, Value]]:
    """Mean over `languages` by number of languages and seed; a cell that lacks one is left out.

    Raises FigureError if one number of languages and seed means two cells.
    """
    rows = rows_of(frame, metric).filter(
        (polars.col("block") == block) & polars.col("language").is_in(languages)
    )
    found: dict[int, dict[int, Value]] = {}
    keys = ["n_languages", "seed", "cell"]
    for key, part in sorted(rows.partition_by(keys, as_dict=True, maintain_order=True).items()):
        count, seed, cell = int(str(key[0])), int(str(key[1])), str(key[2])
        by_language = dict(zip(part["language"].to_list(), part["value"].to_list(), strict=True))
        if len(by_language) < len(languages):
            continue
        seeds = found.setdefault(count, {})
        if seed in seeds:
            raise FigureError(
                f"block '{block}' has two cells for {count} languages and seed {seed}: "
                f"{seeds[seed].cell} and {cell}. A figure over the number of languages needs one: "
                "put what else varies in a block of its own"
            )
        total = math.fsum(by_language[language] for language in languages)
        seeds[seed] = Value(
            value=metric.factor * total / len(languages),
            cell=cell,
            unseen=part["seen"].to_list().count(False) > 0,
        )
    return found


def level_points(
    results: Results, block: str, metric: Metric, languages: list[str]
) -> tuple[Point, ...]:
    """Mean and interval over seeds at each number of languages."""
    found = values(results.frame, block, metric, languages)
    return tuple(
        _point(
            x,
            {seed: entry.value for seed, entry in seeds.items()},
            seeds,
            results.expected_seeds(block, x),
        )
        for x, seeds in sorted(found.items())
    )


def difference_points(
    results: Results,
    block: str,
    found: dict[int, dict[int, Value]],
    base: dict[int, dict[int, Value]],
) -> tuple[Point, ...]:
    """Mean and interval of `found` minus `base` at the same x, paired by seed.

    A point whose seeds are not in the base is left out; one that lacks some counts as incomplete.
    """
    points = []
    for x, seeds in sorted(found.items()):
        base_values = {seed: entry.value for seed, entry in base.get(x, {}).items()}
        differences = paired_differences(
            {seed: entry.value for seed, entry in seeds.items()}, base_values
        )
        if differences:
            points.append(_point(x, differences, seeds, results.expected_seeds(block, x)))
    return tuple(points)


def change_points(
    results: Results,
    block: str,
    metric: Metric,
    languages: list[str],
    first: int,
    base_block: str | None = None,
) -> tuple[Point, ...]:
    """Changes from the point at `first` languages, of the block itself or of `base_block`."""
    found = values(results.frame, block, metric, languages)
    start = values(results.frame, base_block or block, metric, languages).get(first, {})
    return difference_points(results, block, found, dict.fromkeys(found, start))


def _point(x: int, by_seed: dict[int, float], seeds: dict[int, Value], expected: int) -> Point:
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
