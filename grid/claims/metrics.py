"""The metrics that a claim may compare, their units, and whether a cell is scored on them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from grid.claims.declaration import MILESTONE, Measure
from grid.claims.verdicts import BITS_PER_BYTE, POINTS
from grid.tree import Node, fail, near
from model.config import CellConfig
from model.tasks.catalogue import TASKS

BITS, UNIGRAM, GAIN = "bits_per_byte", "unigram_bits_per_byte", "gain_over_unigram"
LIKELIHOOD = "likelihood"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of the results frame, in the unit that a claim states it in."""

    name: str
    """As a claim names it: `xnli.accuracy`."""
    task: str
    metric: str
    unit: str = ""
    factor: float = 1.0
    """From the frame's unit to this one."""

    @property
    def by_program(self) -> bool:
        """Whether a program of the user's own measures it."""
        return self.task != LIKELIHOOD and self.task not in TASKS


_LIKELIHOOD = {
    name: Metric(name=name, task=LIKELIHOOD, metric=name, unit=BITS_PER_BYTE)
    for name in (BITS, UNIGRAM, GAIN)
}
_TASKS = {
    f"{task.name}.{prefix}{metric}": Metric(
        name=f"{task.name}.{prefix}{metric}",
        task=task.name,
        metric=f"{prefix}{metric}",
        unit=POINTS,
        factor=100.0,
    )
    for task in TASKS.values()
    for metric in task.metrics
    for prefix in ("", "majority_")
}
METRICS = {**_LIKELIHOOD, **_TASKS}
"""By name. Tasks are scored in hundredths, points, as the papers print them."""


def find(name: str, commands: Collection[str], node: Node, key: str) -> Metric:
    """The metric of this name; `NAME.metric` is one of a program that the cells run."""
    if name in METRICS:
        return METRICS[name]
    owner, _, metric = name.partition(".")
    if owner in commands and metric:
        return Metric(name=name, task=owner, metric=metric)
    shown = ", ".join(sorted(_LIKELIHOOD))
    told = f"unknown metric {name!r}{near(name, METRICS)}; expected TASK.METRIC, such as "
    raise fail(node, key, f"{told}xnli.accuracy, or one of {shown}")


def scored_languages(config: CellConfig, metric: Metric) -> set[str]:
    """The languages that a cell is scored in on a metric of the likelihood or of a task."""
    languages = config.evaluation.languages or config.languages
    task = config.tasks.get(metric.task)
    return set(task.languages or languages if task is not None else languages)


def lacking(configs: Sequence[CellConfig], metric: Metric, measure: Measure) -> str | None:
    """Why a point's cells have no such score; None if they will have it.

    A language must be scored in one of the cells, for the mean of a point may be over cells of one
    language each.
    """
    if metric.by_program:
        return None  # what a program scores, it alone knows
    scored: set[str] = set()
    for config in configs:
        kept = config.evaluation.milestones
        if metric.task != LIKELIHOOD:
            task = config.tasks.get(metric.task)
            if task is None:
                return f"{metric.task} is not among its tasks"
            if measure.regime not in task.regimes:
                return f"{metric.task} is not scored {measure.regime}"
            kept = task.milestones
        if measure.milestone is not None and not kept:
            return f"{metric.task} is not scored at its milestones ({MILESTONE}s: true)"
        scored |= scored_languages(config, metric)
    absent = sorted(set(measure.over or ()) - scored)
    return f"it is not scored in {', '.join(absent)}" if absent else None
