"""Verdicts from a results frame: what they rest on, and what they need before there are any."""

from collections.abc import Callable
from pathlib import Path

import polars
import pytest

from grid.claims import FAILS, HOLDS, NOT_APPLICABLE, UNDECIDED, Verdict
from grid.claims.judge import judge, next_look
from grid.study import Study
from tests.grid.claims.made_up import CELLS, NARROW, WIDE, results, study


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def expect(text: str, over: str = "[en, sw]") -> str:
    return f"{{metric: xnli.accuracy, over: {over}, {text}}}"


ABOVE = expect(f"of: {WIDE}, above: {NARROW}")


def verdicts(made: Study, frame: polars.DataFrame) -> tuple[Verdict, ...]:
    return judge(made.bound_claims, frame, made.seeds, made.declared_seeds)


def gaining(gain: float) -> Callable[[int, int, str], float]:
    """Accuracy that grows with the width; each seed has a level and some noise of its own."""

    def accuracy(width: int, seed: int, language: str) -> float:
        noise = 0.001 * ((seed * width) % 7 - 3)
        return 0.4 + 0.05 * seed + gain * (width - 16) / 48 + noise + 0.1 * (language == "en")

    return accuracy


def test_an_effect_is_paired_by_seed_and_in_points(tmp_path: Path) -> None:
    """The seeds' levels differ by more than the effect, and the pairs do not."""
    made = study(tmp_path, ABOVE)
    (verdict,) = verdicts(made, results(made, gaining(0.04)))
    assert verdict.verdict == HOLDS
    found = verdict.comparison
    assert found is not None and found.unit == "points"
    assert list(found.seeds) == [1, 2, 3]
    assert found.effect == pytest.approx(sum(found.seeds.values()) / 3)
    assert found.effect == pytest.approx(4, abs=0.4)
    assert found.low is not None and found.low > 0
    assert found.of.mean is not None and found.against[0].mean is not None
    assert found.of.mean - found.against[0].mean == pytest.approx(found.effect)
    assert len(found.of.cells) == 3
    assert verdict.p is not None and verdict.p == verdict.p_adjusted


@pytest.mark.parametrize(("gain", "expected"), [(0.04, HOLDS), (-0.04, FAILS), (0.0, UNDECIDED)])
def test_a_claim_holds_fails_or_is_undecided(tmp_path: Path, gain: float, expected: str) -> None:
    made = study(tmp_path, ABOVE, expect("of: {block: sizes}, rises along: encoder.width"))
    found = verdicts(made, results(made, gaining(gain)))
    assert [verdict.verdict for verdict in found] == [expected, expected]
    assert all((verdict.seeds_needed is None) == (expected != UNDECIDED) for verdict in found)


def test_on_par_holds_within_the_margin(tmp_path: Path) -> None:
    texts = [f"of: {WIDE}, on par with: {NARROW}, margin: {margin}" for margin in (5, 0.5)]
    made = study(tmp_path, *map(expect, texts))
    found = verdicts(made, results(made, gaining(0.02)))
    assert [verdict.verdict for verdict in found] == [HOLDS, FAILS]


def test_a_difference_of_differences(tmp_path: Path) -> None:
    """Swahili gains four points from the width, English one: three more."""
    sides = [f"{{over: [{code}], difference: [{WIDE}, {NARROW}]}}" for code in ("sw", "en")]
    made = study(tmp_path, expect(f"of: {sides[0]}, above: {sides[1]}"))

    def accuracy(width: int, seed: int, language: str) -> float:
        return gaining(0.04 if language == "sw" else 0.01)(width, seed * len(language), language)

    found = verdicts(made, results(made, accuracy))[0].comparison
    assert found is not None and found.effect == pytest.approx(3, abs=0.01)
    assert found.of.mean == pytest.approx(4, abs=0.4)


def test_of_several_comparisons_the_weakest_is_shown(tmp_path: Path) -> None:
    middle = "{block: sizes, encoder.width: 32}"
    made = study(tmp_path, expect(f"of: {WIDE}, above: [{NARROW}, {middle}]"))
    verdict = verdicts(made, results(made, gaining(0.04)))[0]
    effects = [each.effect for each in verdict.comparisons]
    assert effects[0] is not None and effects[1] is not None and effects[0] < effects[1]
    assert verdict.comparisons[0].against[0].name == "sizes, width 32"


def test_a_mean_over_cells_of_one_language_each(tmp_path: Path) -> None:
    made = study(tmp_path, expect(f"of: {{block: alone, averaged: languages}}, below: {WIDE}"))
    found = verdicts(made, results(made, gaining(0.04)))[0].comparison
    assert found is not None and found.of.mean == pytest.approx(55, abs=1)
    assert len(found.of.cells) == 6


def test_gain_over_the_unigram_is_a_metric_of_its_own(tmp_path: Path) -> None:
    text = f"{{metric: gain_over_unigram, over: [en, sw], of: {WIDE}, above: {NARROW}}}"
    made = study(tmp_path, text)
    bits = results(
        made,
        lambda w, s, _: 3 - gaining(0.5)(w, s, "sw"),
        metric="bits_per_byte",
        task="likelihood",
    )
    unigram = results(made, lambda *_: 3.0, metric="unigram_bits_per_byte", task="likelihood")
    verdict = verdicts(made, polars.concat([bits, unigram]))[0]
    assert verdict.verdict == HOLDS
    assert verdict.comparison is not None and verdict.comparison.unit == "bits/byte"
    assert verdict.comparison.effect == pytest.approx(0.5, abs=0.01)


def test_below_three_seeds_nothing_is_decided(tmp_path: Path) -> None:
    made = study(tmp_path, ABOVE).with_seeds((1, 2))
    verdict = judge(made.bound_claims, results(made, gaining(0.3)), made.seeds, 2)[0]
    assert verdict.verdict == UNDECIDED
    assert verdict.why == "2 of 3 seeds: below 3 nothing is decided."
    assert verdict.seeds_needed == 3
    assert verdict.p is None


def test_a_cell_without_a_score_is_named(tmp_path: Path) -> None:
    made = study(tmp_path, ABOVE)
    cell = made.expansion.members["sizes"][7].id
    verdict = verdicts(made, results(made, gaining(0.04), skip=(cell,)))[0]
    assert verdict.verdict == UNDECIDED
    assert verdict.missing == (cell,)
    assert (
        verdict.why == f"No score yet from {cell}; python -m grid run STUDY runs what is missing."
    )


def test_a_score_that_is_no_number_or_lacks_a_fine_tuning_is_missing(tmp_path: Path) -> None:
    made = study(tmp_path, ABOVE)
    diverged = results(made, lambda w, s, _: float("nan") if (w, s) == (64, 2) else 0.1 * w + s)
    assert [len(verdict.missing) for verdict in verdicts(made, diverged)] == [1]
    tuned = study(tmp_path, ABOVE, cells=CELLS.replace("{xnli: {", "{xnli: {seeds: [1, 2], "))
    one = results(tuned, gaining(0.04), finetunings=(1,))
    two = results(tuned, gaining(0.04), finetunings=(1, 2))
    assert len(verdicts(tuned, one)[0].missing) == 6
    assert verdicts(tuned, two)[0].missing == ()


def test_added_seeds_count_at_the_next_look_only(tmp_path: Path) -> None:
    """Three seeds were declared and one was added: the next look is at five."""
    made = study(tmp_path, ABOVE).with_seeds((1, 2, 3, 4))
    counts = []
    for seeds in ((1, 2, 3, 4), (1, 2, 3, 4, 5)):
        more = made.with_seeds(seeds)
        verdict = judge(more.bound_claims, results(more, gaining(0.04)), seeds, 3)[0]
        assert verdict.comparison is not None
        counts.append(len(verdict.comparison.seeds))
    assert counts == [3, 5]
    assert [next_look(seeds, 3) for seeds in (0, 2, 3, 5)] == [3, 3, 5, 8]


def test_effects_that_differ_in_rounding_only_decide_nothing(tmp_path: Path) -> None:
    """Both languages gain the same; the sums of their scores differ in the last bits."""
    sides = [f"{{over: [{code}], difference: [{WIDE}, {NARROW}]}}" for code in ("sw", "en")]
    made = study(tmp_path, expect(f"of: {sides[0]}, above: {sides[1]}"))
    (verdict,) = verdicts(made, results(made, gaining(0.02)))
    assert verdict.verdict == UNDECIDED
    assert verdict.comparison is not None and set(verdict.comparison.seeds.values()) == {0.0}
    assert verdict.told_effect == "+0.00 points (+0.00 to +0.00, 3 seeds)"
    assert verdict.why.startswith("The 3 seeds do not differ at all")


def test_a_claim_that_does_not_apply_takes_no_part_in_the_correction(tmp_path: Path) -> None:
    elsewhere = f"{{metric: xnli.accuracy, over: [el], of: {WIDE}, above: {NARROW}}}"
    made = study(tmp_path, ABOVE, elsewhere)
    first, second = verdicts(made, results(made, gaining(0.04)))
    assert first.p == first.p_adjusted
    assert second.verdict == NOT_APPLICABLE
    assert second.why == "Sizes, width 64: it is not scored in el."
