"""Learning rate and number of updates."""

import pytest

from model.text.sampling import probabilities
from model.training.schedule import learning_rate, total_updates


def test_rate_rises_to_its_peak_and_falls_to_zero_in_straight_lines() -> None:
    rates = [learning_rate(step, peak=1.0, warmup=0.2, total=10) for step in range(11)]
    assert rates == pytest.approx(
        [0.5, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0]
    )


def test_without_warmup_the_first_update_has_the_peak() -> None:
    assert learning_rate(0, peak=2.0, warmup=0.0, total=4) == 2.0


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
