"""Decides claims from the effects that their seeds show. Pure arithmetic, and nothing of studies.

One effect a seed; t tests on them, one-sided, for a claim names its direction beforehand.

- `above` and `rises` hold if the mean effect is above 0, `below` and `falls` if it is below, and
  `on par with` if it lies within the margin (two one-sided tests: Schuirmann 1987).
- They fail if the effect has the other sign, or is smaller than the margin that was given; `on par
  with` fails if it lies beyond the margin.
- A claim of several comparisons holds if all do (intersection-union: Berger 1982) and fails if one
  does (Bonferroni).
- Looking again after seeds were added costs. Looks are at fixed numbers of seeds, each half as many
  again as the one before, and the k-th look gets 1/(k(k+1)) of the error: 1/2, 1/6, 1/12, ...,
  which come to 1 however many there are. So a claim's p is the least of its looks' p times k(k+1):
  valid whenever one stops, by Bonferroni. With one look that is the two-sided p, and a claim of one
  comparison holds when its 95 % interval excludes 0.
- Holm's correction (Holm 1979) over the study's claims: the probability that any `holds` is false
  is at most ALPHA, and so is that of any `fails`. Claims need not be independent for this.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from grid.claims.verdicts import FAILS, HOLDS, UNDECIDED
from grid.statistics import t_quantile, t_survival

ALPHA = 0.05
LEAST_SEEDS = 3
POWER = 0.8
MOST_SEEDS = 50
"""Beyond so many seeds a claim is not said to be decidable."""
_STEPS = 400


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The effects of one comparison, in the order in which the seeds were declared and added."""

    kind: str
    margin: float | None
    effects: tuple[float, ...]

    @property
    def sign(self) -> int:
        return -1 if self.kind in ("below", "falls along") else 1


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A verdict with the p that it rests on; if undecided, the smaller of both."""

    verdict: str
    p: float
    p_adjusted: float


def first_look(declared: int) -> int:
    """Seeds at the first look: those that the study declares, and three at least."""
    return max(LEAST_SEEDS, declared)


def looks(first: int) -> Iterator[int]:
    """The numbers of seeds at which a claim may be judged, without end: 3, 5, 8, 12, 18, ..."""
    seeds = first
    while True:
        yield seeds
        seeds = math.ceil(1.5 * seeds)


def looks_until(first: int, seeds: int) -> list[int]:
    """Those looks that so many seeds allow."""
    return list(takewhile(lambda look: look <= seeds, looks(first)))


def decide(claims: Sequence[Sequence[Sample]], first: int) -> list[Decision]:
    """The verdict on each claim of a study, corrected for all of them and for all looks.

    first: seeds at the first look. A claim whose samples are shorter is undecided, and counts.
    """
    found = [p_values(samples, first) for samples in claims]
    holds = holm([p for p, _ in found])
    fails = holm([p for _, p in found])
    decisions = []
    for (p_holds, p_fails), holding, failing in zip(found, holds, fails, strict=True):
        if failing <= ALPHA:  # also where it has the sign, but is smaller than what is of interest
            decision = Decision(verdict=FAILS, p=p_fails, p_adjusted=failing)
        elif holding <= ALPHA:
            decision = Decision(verdict=HOLDS, p=p_holds, p_adjusted=holding)
        else:
            decision = Decision(
                verdict=UNDECIDED, p=min(p_holds, p_fails), p_adjusted=min(holding, failing)
            )
        decisions.append(decision)
    return decisions


def p_values(samples: Sequence[Sample], first: int) -> tuple[float, float]:
    """p of a claim's holding and of its failing, with the price of all looks so far."""
    seeds = min(len(sample.effects) for sample in samples)
    holds, fails = 1.0, 1.0
    for number, look in enumerate(looks_until(first, seeds), 1):
        each = [one_look(sample, look) for sample in samples]
        price = number * (number + 1)
        holds = min(holds, price * max(p for p, _ in each))
        fails = min(fails, price * len(each) * min(p for _, p in each))
    return holds, fails


def one_look(sample: Sample, seeds: int) -> tuple[float, float]:
    """One-sided p of holding and of failing, of a comparison's first seeds.

    Both are 1 where seeds do not differ at all: that gives no measure of chance.
    """
    mean, deviation = moments(sample.effects[:seeds])
    if not deviation:
        return 1.0, 1.0
    error = deviation / math.sqrt(seeds)

    def above(bound: float) -> float:
        """p of a mean that is above the bound."""
        return t_survival((mean - bound) / error, seeds - 1)

    def below(bound: float) -> float:
        return t_survival((bound - mean) / error, seeds - 1)

    margin = sample.margin or 0.0
    if sample.kind == "on par with":
        beyond = 2 * min(above(margin), below(-margin))
        return max(below(margin), above(-margin)), min(1.0, beyond)
    if sample.sign > 0:
        return above(0.0), below(margin)
    return below(0.0), above(-margin)


def moments(effects: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation; the latter 0 for equal values, whatever rounding makes them."""
    n = len(effects)
    mean = math.fsum(effects) / n
    if n < 2:
        return mean, 0.0
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in effects) / (n - 1))
    rounding = 1e-12 * max(abs(value) for value in effects)
    return mean, deviation if deviation > rounding else 0.0


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given: Holm 1979."""
    adjusted = [1.0] * len(ps)
    so_far = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        so_far = max(so_far, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = so_far
    return adjusted


def seeds_needed(samples: Sequence[Sample], first: int, undecided: int) -> int | None:
    """The first look at which a claim would be decided with a probability of POWER.

    It takes the seeds' mean and spread for the truth, so from three seeds it is a rough guess;
    before the first look it is that look.
    undecided: claims of the study that are, among which Holm's correction shares the error. None
    beyond MOST_SEEDS.
    """
    seeds = min(len(sample.effects) for sample in samples)
    if seeds < first:
        return first
    for number, look in enumerate(looks_until(first, MOST_SEEDS), 1):
        if look <= seeds:
            continue
        level = ALPHA / (number * (number + 1) * max(1, undecided))
        powers = [power(sample, look, level) for sample in samples]
        of_failing = max(power(s, look, level / len(samples), failing=True) for s in samples)
        if max(min(powers), of_failing) >= POWER:
            return look
    return None


def power(sample: Sample, seeds: int, level: float, *, failing: bool = False) -> float:
    """Probability that so many seeds make a comparison hold (or fail) at a one-sided level."""
    mean, deviation = moments(sample.effects)
    if not deviation:
        return 0.0
    margin = sample.margin or 0.0
    if sample.kind == "on par with":
        if failing:
            return _exceeds((abs(mean) - margin) / deviation, seeds, level / 2)
        return _within(mean / deviation, margin / deviation, seeds, level)
    oriented = sample.sign * mean
    return _exceeds((margin - oriented if failing else oriented) / deviation, seeds, level)


def detectable(seeds: int, level: float) -> float:
    """The effect, in standard deviations, that a one-sided t test finds with probability POWER."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _exceeds(middle, seeds, level) < POWER else (low, middle)
    return high


def _exceeds(effect: float, seeds: int, level: float) -> float:
    """Power of a one-sided t test: the noncentral t's tail, by integration over the spread."""
    critical, shift = _critical(level, seeds - 1), effect * math.sqrt(seeds)
    return sum(
        weight * _normal(shift - critical * spread) for spread, weight in _spreads(seeds - 1)
    )


def _within(effect: float, margin: float, seeds: int, level: float) -> float:
    """Power of two one-sided tests against a margin, by the same integration."""
    critical, root = _critical(level, seeds - 1), math.sqrt(seeds)
    return sum(
        weight
        * max(
            0.0,
            _normal((margin - effect) * root - critical * spread)
            - _normal((-margin - effect) * root + critical * spread),
        )
        for spread, weight in _spreads(seeds - 1)
    )


@lru_cache(maxsize=1000)
def _critical(level: float, degrees: int) -> float:
    return t_quantile(1 - level, degrees)


@lru_cache(maxsize=100)
def _spreads(degrees: int) -> tuple[tuple[float, float], ...]:
    """Simpson's points and weights for a sample's standard deviation, in units of the true one."""
    top = 1 + 10 / math.sqrt(2 * degrees)
    width = top / _STEPS
    scale = math.log(2) + degrees / 2 * math.log(degrees / 2) - math.lgamma(degrees / 2)
    points = []
    for step in range(1, _STEPS):
        spread = step * width
        density = math.exp(scale + (degrees - 1) * math.log(spread) - degrees * spread**2 / 2)
        points.append((spread, (4 if step % 2 else 2) * width / 3 * density))
    return tuple(points)


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
