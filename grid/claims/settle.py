"""Adds seeds to a study until its claims are decided, the cheapest claim first.

A claim that is undecided is taken to its next look (significance.py): the seeds that this takes are
added to the study, and the claim's own cells are run with them. Which claim is next depends on the
results, and so does when to stop; the verdicts do not mind, for each look has its share of the
error, whoever takes it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grid.claims import added_seeds
from grid.claims.added_seeds import AddedSeeds
from grid.claims.judge import next_look
from grid.claims.points import BoundClaim
from grid.claims.significance import MOST_SEEDS, first_look
from grid.claims.verdicts import UNDECIDED, Verdict, Verdicts

if TYPE_CHECKING:
    from grid.graph import StageId
    from grid.study import Study


@dataclass(frozen=True, kw_only=True)
class Step:
    """One claim's way to its next look."""

    says: str
    seeds: tuple[int, ...]
    """All that it then has."""
    stages: frozenset["StageId"]
    """Of its cells with these seeds."""
    hours: Mapping["StageId", float]
    """Device hours of those of them that are to be run."""

    @property
    def device_hours(self) -> float:
        return sum(self.hours.values())


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What may be done about the claims that are undecided."""

    steps: tuple[Step, ...]
    """The cheapest first."""
    left: Mapping[str, str] = field(default_factory=dict)
    """By what they say, claims that no seeds are added for, and why."""


def outlook(study: "Study", verdicts: Verdicts, most: int) -> Outlook:
    """The next look of each undecided claim, priced.

    most: seeds that a claim may come to.
    """
    first = first_look(study.declared_seeds)
    wanted: dict[str, int] = {}
    left: dict[str, str] = {}
    for verdict in verdicts.claims:
        if verdict.verdict != UNDECIDED or verdict.comparison is None:
            continue
        look = next_look(_scored(verdict), first)
        if verdict.seeds_needed is None and not verdict.missing:
            left[verdict.says] = f"{MOST_SEEDS} seeds would hardly decide it"
        elif look > most:
            left[verdict.says] = f"its next look is at {look} seeds, more than {most}"
        else:
            wanted[verdict.says] = look
    if not wanted:
        return Outlook(steps=(), left=left)
    extended = study.with_seeds(extended_seeds(study, max(wanted.values())))
    steps = _priced(extended, wanted)
    return Outlook(steps=tuple(sorted(steps, key=lambda step: step.device_hours)), left=left)


def without(ahead: Outlook, taken: Collection[tuple[str, int]]) -> Outlook:
    """The outlook without looks that were taken, by claim and seeds, and are wanted again.

    There a run came to its end without a score, and another one would, too.
    """
    again = [step for step in ahead.steps if (step.says, len(step.seeds)) in taken]
    left = {step.says: "a cell of it has run, and has no score" for step in again}
    kept = tuple(step for step in ahead.steps if step not in again)
    return Outlook(steps=kept, left={**ahead.left, **left})


def _scored(verdict: Verdict) -> int:
    return 0 if verdict.comparison is None else len(verdict.comparison.seeds)


def extended_seeds(study: "Study", count: int) -> tuple[int, ...]:
    """The study's seeds, and the next numbers after the greatest up to so many."""
    start = max(study.seeds) + 1
    return (*study.seeds, *range(start, start + max(0, count - len(study.seeds))))


def _priced(study: "Study", wanted: Mapping[str, int]) -> list[Step]:
    from grid.graph import TO_RUN
    from grid.plan import Plan

    plan = Plan(study)
    hours, states = plan.stage_hours(), plan.graph.states(study.open_store())
    steps = []
    for bound in study.bound_claims:
        if bound.claim.says not in wanted:
            continue
        seeds = study.seeds[: wanted[bound.claim.says]]
        stages = {
            stage for cell in _cells(bound, seeds) for stage in plan.graph.cells[cell].values()
        }
        steps.append(
            Step(
                says=bound.claim.says,
                seeds=seeds,
                stages=frozenset(stages),
                hours={id: hours[id][0] for id in stages if states[id] == TO_RUN},
            )
        )
    return steps


def _cells(bound: BoundClaim, seeds: tuple[int, ...]) -> set[str]:
    terms = [term for comparison in bound.comparisons for term in comparison.terms]
    return {cell for term in terms for seed in seeds for cell in term.cells[seed]}


def add(study: "Study", seeds: tuple[int, ...]) -> "Study":
    """The study with at least these seeds, remembered in its folder for every later call."""
    new = tuple(seed for seed in seeds if seed not in study.seeds)
    if not new:
        return study
    extended = study.with_seeds((*study.seeds, *new))
    added = extended.seeds[study.declared_seeds :]
    added_seeds.write(study.folder, AddedSeeds(declared=study.declared_seeds, added=added))
    return extended
