"""Judges a study's claims: verdicts from bound claims and a results frame, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grid.claims.points import BoundClaim, BoundComparison
from grid.claims.significance import (
    ALPHA,
    LEAST_SEEDS,
    MOST_SEEDS,
    Decision,
    Sample,
    decide,
    first_look,
    looks,
    looks_until,
    moments,
    one_look,
    seeds_needed,
)
from grid.claims.values import Effects, Values
from grid.claims.verdicts import (
    FAILS,
    HOLDS,
    NOT_APPLICABLE,
    UNDECIDED,
    Comparison,
    Side,
    Verdict,
)
from grid.statistics import mean_interval

if TYPE_CHECKING:
    import polars

PROCEDURE = (
    "Effects are paired by pretraining seed; values are means over languages and fine-tunings. "
    "One-sided t tests; on par by two one-sided tests against the margin. A claim of several "
    "comparisons holds if all do. Looks are at fixed numbers of seeds, each half as many again; "
    "the k-th gets 1/(k(k+1)) of the error. Holm's correction over the claims that apply: the "
    f"probability of any false `holds` is at most {ALPHA:.0%}. Intervals are 95 % t intervals of "
    "the mean over seeds, uncorrected."
)
_NAMED = 4
"""Missing cells that a sentence names."""


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    """What there is to judge a claim by."""

    bound: BoundClaim
    effects: tuple[Effects, ...]
    seeds: tuple[int, ...]
    """The seeds that count: the first ones of which all is scored, up to the last look."""
    samples: tuple[Sample, ...]
    missing: tuple[str, ...]
    """Cells that the first look lacks."""


def judge(
    claims: Sequence[BoundClaim],
    frame: "polars.DataFrame",
    seeds: Sequence[int],
    declared: int,
    fill: str = "python -m grid run STUDY",
) -> tuple[Verdict, ...]:
    """The verdict on each claim, in order.

    seeds: the study's, those declared first, then those added. declared: how many it declared.
    fill: the command that runs what is missing.
    """
    values, first = Values(frame), first_look(declared)
    there = [bound for bound in claims if bound.absent is None]
    found = [_evidence(bound, values, seeds, first, declared) for bound in there]
    decisions = decide([each.samples for each in found], first)
    undecided = sum(decision.verdict == UNDECIDED for decision in decisions)
    judged = {
        id(each.bound): _verdict(each, decision, first, undecided, fill)
        for each, decision in zip(found, decisions, strict=True)
    }
    return tuple(judged.get(id(bound)) or _not_applicable(bound) for bound in claims)


def _evidence(
    bound: BoundClaim, values: Values, seeds: Sequence[int], first: int, declared: int
) -> _Evidence:
    effects = tuple(values.effects(each, seeds) for each in bound.comparisons)
    whole = 0
    while whole < len(seeds) and all(seeds[whole] in each.of_seed for each in effects):
        whole += 1
    counted = tuple(seeds[: max([*looks_until(first, whole), min(whole, first)])])
    samples = tuple(
        Sample(
            kind=comparison.kind,
            margin=comparison.margin,
            effects=tuple(each.of_seed[seed] for seed in counted),
        )
        for comparison, each in zip(bound.comparisons, effects, strict=True)
    )
    missing = [
        cell for seed in seeds[:declared] for each in effects for cell in each.missing.get(seed, ())
    ]
    return _Evidence(
        bound=bound,
        effects=effects,
        seeds=counted,
        samples=samples,
        missing=tuple(dict.fromkeys(missing)),
    )


def _verdict(
    found: _Evidence, decision: Decision, first: int, undecided: int, fill: str
) -> Verdict:
    comparisons = [
        _comparison(comparison, effects, found.seeds)
        for comparison, effects in zip(found.bound.comparisons, found.effects, strict=True)
    ]
    order = sorted(
        range(len(comparisons)), key=lambda place: _weakness(found.samples[place], decision)
    )
    open_ = decision.verdict == UNDECIDED
    needed = seeds_needed(found.samples, first, undecided) if open_ else None
    claim = found.bound.claim
    return Verdict(
        says=claim.says,
        source=claim.source,
        figure=claim.figure,
        verdict=decision.verdict,
        why=_why(found, found.samples[order[0]], decision, first, needed, fill),
        comparisons=tuple(comparisons[place] for place in order),
        p=None if len(found.seeds) < LEAST_SEEDS else decision.p,
        p_adjusted=None if len(found.seeds) < LEAST_SEEDS else decision.p_adjusted,
        seeds_needed=needed,
        missing=found.missing,
    )


def _weakness(sample: Sample, decision: Decision) -> float:
    """Orders comparisons: the one that decided a failure first, otherwise the least convincing."""
    if len(sample.effects) < 2:
        return 0.0
    p_holds, p_fails = one_look(sample, len(sample.effects))
    return p_fails if decision.verdict == FAILS else -p_holds


def _comparison(bound: BoundComparison, effects: Effects, seeds: Sequence[int]) -> Comparison:
    own = {seed: effects.of_seed[seed] for seed in seeds}
    interval = mean_interval(own.values()) if own else None
    mean, deviation = moments(list(own.values())) if own else (0.0, 0.0)

    def side(place: int) -> Side:
        values = [effects.sides[seed][place] for seed in seeds]
        _, told = bound.sides[place]
        cells = [cell for term in told.terms for seed in seeds for cell in term.cells[seed]]
        return Side(
            name=told.name,
            cells=tuple(dict.fromkeys(cells)),
            mean=sum(values) / len(values) if values else None,
        )

    return Comparison(
        kind=bound.kind,
        metric=bound.metric.name,
        over=bound.over,
        unit=bound.metric.unit,
        margin=bound.margin,
        of=side(0),
        against=tuple(side(place) for place in range(1, len(bound.sides))),
        seeds=own,
        effect=None if interval is None else interval.mean,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        standardised=mean / deviation if deviation else None,
    )


def _why(
    found: _Evidence, sample: Sample, decision: Decision, first: int, needed: int | None, fill: str
) -> str:
    """One sentence for people."""
    seeds = len(found.seeds)
    if decision.verdict == UNDECIDED:
        return _why_undecided(found, sample, first, needed, fill)
    if decision.verdict == HOLDS:
        if sample.kind == "on par with":
            return f"The difference is within {sample.margin:g} beyond chance, with {seeds} seeds."
        return f"The effect has the claimed sign beyond chance, with {seeds} seeds."
    mean, _ = moments(sample.effects)
    if sample.kind == "on par with":
        return f"The difference is more than {sample.margin:g} beyond chance, with {seeds} seeds."
    if sample.sign * mean > 0:
        told = f"smaller than {sample.margin:g}, the smallest of interest,"
        return f"The effect has the claimed sign, but is {told} beyond chance ({seeds} seeds)."
    return f"The effect has not the claimed sign, beyond chance, with {seeds} seeds."


def _why_undecided(
    found: _Evidence, sample: Sample, first: int, needed: int | None, fill: str
) -> str:
    seeds = len(found.seeds)
    if found.missing:
        named = ", ".join(found.missing[:_NAMED])
        more = len(found.missing) - _NAMED
        told = f"{named} and {more} more" if more > 0 else named
        return f"No score yet from {told}; {fill} runs what is missing."
    if seeds < first:
        return f"{seeds} of {first} seeds: below {LEAST_SEEDS} nothing is decided."
    if not moments(sample.effects)[1]:
        return f"The {seeds} seeds do not differ at all, which gives no measure of chance."
    if needed is None:
        return f"{seeds} seeds do not tell it from chance, and {MOST_SEEDS} hardly would."
    return f"{seeds} seeds do not tell it from chance; {needed} probably would."


def _not_applicable(bound: BoundClaim) -> Verdict:
    claim, why = bound.claim, str(bound.absent)
    return Verdict(
        says=claim.says,
        source=claim.source,
        figure=claim.figure,
        verdict=NOT_APPLICABLE,
        why=f"{why[0].upper()}{why[1:]}.",
        comparisons=(),
        p=None,
        p_adjusted=None,
        seeds_needed=None,
    )


def next_look(seeds: int, first: int) -> int:
    """The number of seeds at the first look beyond so many."""
    return next(look for look in looks(first) if look > seeds)
