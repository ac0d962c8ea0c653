"""Decisions on simulated effects of known truth: how often they are wrong, and how often right."""

import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.claims.significance import (
    ALPHA,
    Sample,
    decide,
    first_look,
    holm,
    looks,
    looks_until,
    one_look,
    p_values,
    power,
    seeds_needed,
)
from grid.claims.verdicts import FAILS, HOLDS, UNDECIDED

STUDIES = 600
BOUND = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / STUDIES)
"""More false verdicts than this have a probability below 0.002 if ALPHA is kept."""


def sample(kind: str, effects: Sequence[float], margin: float | None = None) -> Sample:
    return Sample(kind=kind, margin=margin, effects=tuple(effects))


def drawn(truth: float, seeds: int, chance: random.Random, spread: float = 1.0) -> list[float]:
    return [chance.gauss(truth, spread) for _ in range(seeds)]


def share(count: int, event: Callable[[random.Random], bool], seed: int = 0) -> float:
    """How often an event happens in so many simulated studies."""
    chance = random.Random(seed)
    return sum(event(chance) for _ in range(count)) / count


def settled(claims: Sequence[Sequence[Sample]], first: int, most: int) -> list[str]:
    """Verdicts as --settle comes to them: each look in turn, a decided claim gets no more seeds."""
    given = [first] * len(claims)
    while True:
        cut = [
            [sample(s.kind, s.effects[:n], s.margin) for s in samples]
            for samples, n in zip(claims, given, strict=True)
        ]
        verdicts = [decision.verdict for decision in decide(cut, first)]
        open_ = [
            place
            for place, verdict in enumerate(verdicts)
            if verdict == UNDECIDED and given[place] < most
        ]
        if not open_:
            return verdicts
        # One claim at a time, the one that looks best: the choice hangs on the data on purpose.
        place = min(open_, key=lambda place: p_values(cut[place], first)[0])
        given[place] = next(look for look in looks(first) if look > given[place])


@pytest.mark.parametrize("first", [3, 5])
@pytest.mark.parametrize("settle", [False, True])
def test_false_holds_are_at_most_five_percent_a_study(first: int, settle: bool) -> None:
    """Four claims without an effect, and two whose effect is real: any false `holds` counts."""

    def false_hold(chance: random.Random) -> bool:
        kinds = ("above", "below", "rises along", "falls along")
        claims = [[sample(kind, drawn(0, 18, chance))] for kind in kinds]
        claims += [[sample("above", drawn(2.5, 18, chance))] for _ in range(2)]
        if settle:
            verdicts = settled(claims, first, 12)
        else:
            cut = [[sample(s.kind, s.effects[:first])] for (s,) in claims]
            verdicts = [decision.verdict for decision in decide(cut, first)]
        return HOLDS in verdicts[:4]

    assert share(STUDIES, false_hold) <= BOUND


def test_seeds_of_two_camps_mislead_no_oftener_with_five_seeds() -> None:
    """Half of the runs leave a plateau and half do not: differences are far from normal."""

    def camps(chance: random.Random) -> float:
        return 3.0 * (chance.random() < 0.5) + chance.gauss(0, 0.1)

    def false_hold(chance: random.Random) -> bool:
        effects = [[camps(chance) - camps(chance) for _ in range(5)] for _ in range(4)]
        claims = [[sample("above", each)] for each in effects]
        return any(decision.verdict == HOLDS for decision in decide(claims, 5))

    assert share(STUDIES, false_hold) <= ALPHA


@pytest.mark.parametrize("settle", [False, True])
def test_false_on_par_is_at_most_five_percent(settle: bool) -> None:
    """The worst truth is a difference of exactly the margin."""

    def false_hold(chance: random.Random) -> bool:
        claims = [
            [sample("on par with", drawn(truth, 18, chance, 0.5), margin=1.0)]
            for truth in (1.0, -1.0)
        ]
        if settle:
            return HOLDS in settled(claims, 3, 12)
        cut = [[sample(s.kind, s.effects[:5], s.margin)] for (s,) in claims]
        return any(decision.verdict == HOLDS for decision in decide(cut, 5))

    assert share(STUDIES, false_hold) <= BOUND


def test_false_fails_are_at_most_five_percent_a_study() -> None:
    """True claims whose effect is next to nothing, or just as large as the margin asks."""

    def false_fail(chance: random.Random) -> bool:
        claims = [
            [sample("above", drawn(0, 5, chance)), sample("below", drawn(0, 5, chance))],
            [sample("above", drawn(1, 5, chance), margin=1.0)],
            [sample("on par with", drawn(1, 5, chance), margin=1.0)],
        ]
        return any(decision.verdict == FAILS for decision in decide(claims, 5))

    assert share(STUDIES, false_fail) <= BOUND


def test_a_claim_of_several_comparisons_holds_only_if_all_do() -> None:
    """One comparison has a huge effect, the other none: that is the worst case of the union."""

    def false_hold(chance: random.Random) -> bool:
        pair = [sample("above", drawn(50, 4, chance)), sample("above", drawn(0, 4, chance))]
        return decide([pair], 4)[0].verdict == HOLDS

    assert share(STUDIES, false_hold) <= BOUND


@pytest.mark.parametrize(
    ("kind", "truth", "margin", "seeds"),
    [("above", 2.0, None, 5), ("below", -1.2, None, 8), ("on par with", 0.3, 2.0, 8)],
)
def test_power_is_as_it_is_stated(
    kind: str, truth: float, margin: float | None, seeds: int
) -> None:
    """The power that is computed for a mean and a spread of 1 is what such claims show."""
    effects = [truth - math.sqrt(0.5), truth + math.sqrt(0.5)]
    stated = power(sample(kind, effects, margin), seeds, ALPHA / 2)

    def holds(chance: random.Random) -> bool:
        claim = [sample(kind, drawn(truth, seeds, chance), margin)]
        return decide([claim], seeds)[0].verdict == HOLDS

    assert 0.5 < stated < 1
    assert share(STUDIES, holds) == pytest.approx(stated, abs=0.05)


@given(
    st.sampled_from(["above", "below", "on par with"]),
    st.lists(st.floats(-10, 10), min_size=3, max_size=12),
    st.floats(0.1, 5),
)
def test_a_p_value_is_a_probability_and_looks_never_raise_it(
    kind: str, effects: list[float], margin: float
) -> None:
    for end in range(3, len(effects)):
        before = p_values([sample(kind, effects[:end], margin)], 3)
        after = p_values([sample(kind, effects[: end + 1], margin)], 3)
        assert all(0 <= p <= 1 for p in before + after)
        assert after[0] <= before[0] and after[1] <= before[1]


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3), st.floats(0.1, 10))
def test_the_unit_does_not_matter_and_above_is_below_turned_round(
    effects: list[float], factor: float
) -> None:
    original = one_look(sample("above", effects, 1.0), 3)
    scaled = one_look(sample("above", [factor * e for e in effects], factor), 3)
    turned = one_look(sample("below", [-e for e in effects], 1.0), 3)
    assert scaled == pytest.approx(original, abs=1e-6)
    assert turned == pytest.approx(original)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_as_the_step_down_procedure_does(ps: list[float]) -> None:
    rejected = set()
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        if min(1.0, (len(ps) - rank) * ps[place]) > ALPHA:
            break
        rejected.add(place)
    adjusted = holm(ps)
    assert {place for place, p in enumerate(adjusted) if p <= ALPHA} == rejected
    assert all(low >= p for low, p in zip(adjusted, ps, strict=True))


def test_one_claim_with_one_look_holds_when_its_interval_excludes_zero() -> None:
    """Student's t with two degrees of freedom: 4.303 standard errors are 95 %, two-sided."""
    for factor, verdict in ((1.01, HOLDS), (0.99, UNDECIDED)):
        mean = factor * 4.3027 / math.sqrt(3)
        assert decide([[sample("above", [mean - 1, mean, mean + 1])]], 3)[0].verdict == verdict


def test_the_price_of_looks_comes_to_one_and_their_seeds_grow_by_half() -> None:
    assert looks_until(3, 50) == [3, 5, 8, 12, 18, 27, 41]
    assert looks_until(5, 20) == [5, 8, 12, 18]
    assert sum(1 / (k * (k + 1)) for k in range(1, 10_000)) == pytest.approx(1, abs=1e-3)
    assert [first_look(declared) for declared in (1, 2, 3, 5)] == [3, 3, 3, 5]


def test_two_seeds_decide_nothing_however_clear_they_are() -> None:
    decision = decide([[sample("above", [10.0, 10.001])]], first_look(2))[0]
    assert decision.verdict == UNDECIDED
    assert decision.p == 1


def test_seeds_that_do_not_differ_decide_nothing() -> None:
    for kind, margin in (("above", None), ("on par with", 1.0)):
        same = [sample(kind, [0.1 + 0.2, 0.3, 0.3], margin)]
        assert decide([same], 3)[0].verdict == UNDECIDED
        assert seeds_needed(same, 3, 1) is None


def test_an_effect_below_the_smallest_of_interest_fails() -> None:
    small = [0.2, 0.21, 0.19, 0.2, 0.205]
    assert decide([[sample("above", small)]], 5)[0].verdict == HOLDS
    assert decide([[sample("above", small, margin=1.0)]], 5)[0].verdict == FAILS


def test_more_seeds_are_asked_for_the_smaller_the_effect() -> None:
    def effects(mean: float) -> list[Sample]:
        return [sample("above", [mean - 1, mean, mean + 1])]

    needed = [seeds_needed(effects(mean), 3, 3) for mean in (4.0, 2.0, 1.0, 0.6)]
    assert needed == sorted(needed, key=lambda n: n or 99)
    assert needed[0] == 5
    assert seeds_needed(effects(0.01), 3, 3) is None
    assert seeds_needed([sample("above", [1.0])], 3, 3) == 3


def test_the_seeds_that_are_asked_for_do_decide() -> None:
    """With so many seeds, four of five claims of this very effect and spread are decided."""
    claim = [sample("above", [0.2, 1.2, 2.2])]
    needed = seeds_needed(claim, 3, 1)
    assert needed is not None

    def decided(chance: random.Random) -> bool:
        effects = drawn(1.2, needed, chance)
        return decide([[sample("above", effects)]], 3)[0].verdict != UNDECIDED

    assert share(400, decided) >= 0.8 - 3 * math.sqrt(0.16 / 400)
