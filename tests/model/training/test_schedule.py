"""Learning rate and number of updates."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.text.sampling import probabilities
from model.training.schedule import learning_rate, total_updates


def rates(total: int, **recipe: object) -> list[float]:
    """The rates of all updates, with a peak of 1, and the one after the last."""
    return [learning_rate(step, peak=1.0, total=total, **recipe) for step in range(total + 1)]


def test_rate_rises_to_its_peak_and_falls_to_zero_in_straight_lines() -> None:
    assert rates(10, warmup=0.2) == pytest.approx(
        [0.5, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0]
    )


def test_without_warmup_the_first_update_has_the_peak() -> None:
    for schedule in ("linear", "polynomial", "inverse_sqrt", "warmup_stable_decay"):
        assert learning_rate(0, peak=2.0, warmup=0.0, total=4, schedule=schedule) == 2.0


def test_a_linear_fall_may_end_above_zero() -> None:
    assert rates(4, warmup=0.0, final_rate=0.2) == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])


def test_polynomial_is_a_power_of_what_is_left() -> None:
    found = rates(10, warmup=0.2, schedule="polynomial", decay_power=2.0, final_rate=0.1)
    expected = [0.5, 1.0, *(0.1 + 0.9 * (left / 8) ** 2 for left in range(8, -1, -1))]
    assert found == pytest.approx(expected)


def test_inverse_square_root_goes_on_from_the_end_of_the_warm_up() -> None:
    found = rates(100, warmup=0.04, schedule="inverse_sqrt")
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[15] == pytest.approx(0.5), "four times the warm-up: half the rate"
    assert found[63] == pytest.approx(0.25)


def test_warmup_stable_decay_stays_at_its_peak_until_the_last_updates() -> None:
    found = rates(10, warmup=0.2, schedule="warmup_stable_decay", decay_share=0.4, final_rate=0.2)
    assert found == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


recipes = st.fixed_dictionaries(
    {
        "schedule": st.sampled_from(
            ["linear", "polynomial", "inverse_sqrt", "warmup_stable_decay"]
        ),
        "warmup": st.floats(0, 0.5),
        "decay_share": st.floats(0.01, 0.5),
        "decay_power": st.floats(1, 4),
        "final_rate": st.floats(0, 1),
    }
)


@settings(deadline=None)
@given(recipes, st.integers(1, 400))
def test_every_schedule_reaches_its_peak_and_keeps_its_bounds(
    recipe: dict[str, float], total: int
) -> None:
    found = rates(total, **recipe)
    rising = math.ceil(recipe["warmup"] * total * (1 - 1e-12))
    peak = max(0, rising - 1)
    floor = 0.0 if recipe["schedule"] == "inverse_sqrt" else recipe["final_rate"]
    assert found[peak] == pytest.approx(1.0, abs=1e-12)
    assert all(0 < rate <= 1 + 1e-12 for rate in found[:total])
    assert all(a < b for a, b in itertools.pairwise(found[: peak + 1])), "it rises"
    after = found[peak:]
    assert all(b <= a + 1e-12 for a, b in itertools.pairwise(after)), "and then falls"
    assert all(rate >= floor - 1e-12 for rate in after)


@settings(deadline=None)
@given(recipes, st.integers(1, 400))
def test_every_schedule_ends_where_it_should(recipe: dict[str, float], total: int) -> None:
    end = rates(total, **recipe)[-1]
    if recipe["schedule"] == "inverse_sqrt":
        rising = math.ceil(recipe["warmup"] * total * (1 - 1e-12))
        assert end == pytest.approx(math.sqrt(max(1, rising) / (total + 1)))
    else:
        assert end == pytest.approx(recipe["final_rate"], abs=1e-12)


@settings(deadline=None)
@given(recipes, st.integers(1, 400))
def test_no_schedule_jumps(recipe: dict[str, float], total: int) -> None:
    """From one update to the next it changes by no more than its steepest slope allows."""
    rising = math.ceil(recipe["warmup"] * total * (1 - 1e-12))
    left = max(1, total - rising)
    slopes = {
        "linear": 1 / left,
        "polynomial": recipe["decay_power"] / left,
        "inverse_sqrt": 1 / (2 * max(1, rising)),
        "warmup_stable_decay": 1
        / min(left, math.ceil(recipe["decay_share"] * total * (1 - 1e-12))),
    }
    steepest = max(slopes[recipe["schedule"]], 1 / rising if rising else 0.0)
    found = rates(total, **recipe)
    assert all(abs(b - a) <= steepest + 1e-12 for a, b in itertools.pairwise(found))


def test_counted_languages_lengthen_the_run_by_their_share() -> None:
    shares = {"de": 0.5, "en": 0.3, "fr": 0.2}
    assert total_updates(100, shares, None) == 100
    assert total_updates(100, shares, ["en", "fr"]) == 200
    assert total_updates(100, shares, ["fr", "en", "de"]) == 100
    assert total_updates(100, {"a": 0.3, "b": 0.7}, ["a"]) == 334


def test_counting_all_languages_adds_no_update() -> None:
    """The sum of a hundred shares misses 1 by a rounding error; a million updates magnify it."""
    for alpha in (0.1, 0.3, 0.5, 0.7):
        shares = probabilities({f"l{i:02}": (i + 1) ** 5 for i in range(100)}, alpha)
        for updates in (1, 1_500_000, 10**9):
            assert total_updates(updates, shares, list(shares)) == updates


def test_the_warm_up_is_not_lengthened_by_rounding() -> None:
    # 0.07 * 100 is 7.000000000000001 in floating point.
    assert learning_rate(6, peak=1.0, warmup=0.07, total=100) == 1.0
    assert learning_rate(7, peak=1.0, warmup=0.07, total=100) == 1.0
    assert learning_rate(8, peak=1.0, warmup=0.07, total=100) < 1.0
