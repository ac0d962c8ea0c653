"""Quantiles against printed tables, intervals against known samples, and pairing by seed."""

import math

import pytest

from grid.statistics import mean_interval, paired_differences, t_quantile


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    [
        (0.975, 1, 12.7062047362),
        (0.975, 2, 4.3026527297),
        (0.975, 3, 3.1824463053),
        (0.975, 4, 2.7764451052),
        (0.975, 9, 2.2621571628),
        (0.975, 30, 2.0422724563),
        (0.975, 120, 1.9799304051),
        (0.95, 2, 2.9199855804),
        (0.995, 5, 4.0321429836),
        (0.9995, 1, 636.6192487687),
        (0.025, 2, -4.3026527297),
    ],
)
def test_quantiles_are_those_of_the_tables(
    probability: float, degrees: int, expected: float
) -> None:
    assert t_quantile(probability, degrees) == pytest.approx(expected, rel=1e-9)


def test_quantile_approaches_the_normal() -> None:
    assert t_quantile(0.975, 1e7) == pytest.approx(1.959964, abs=1e-5)
    assert t_quantile(0.5, 3) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("probability", "degrees"), [(0, 3), (1, 3), (0.9, 0)])
def test_quantile_refuses_what_has_none(probability: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="found"):
        t_quantile(probability, degrees)


def test_interval_of_three_seeds() -> None:
    interval = mean_interval([1.0, 2.0, 3.0])
    half = 4.3026527297 / math.sqrt(3)
    assert (interval.mean, interval.n) == (2.0, 3)
    assert interval.low == pytest.approx(2 - half)
    assert interval.high == pytest.approx(2 + half)


def test_one_seed_has_no_interval() -> None:
    interval = mean_interval([0.7])
    assert (interval.mean, interval.low, interval.high) == (0.7, None, None)
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])


def test_differences_are_paired_by_seed_not_by_place() -> None:
    base = {1: 10.0, 2: 20.0, 3: 30.0}
    assert paired_differences({3: 31.0, 1: 11.0, 9: 0.0}, base) == {1: 1.0, 3: 1.0}


def test_pairing_removes_what_seeds_share() -> None:
    """Seeds that differ by far more than the effect leave a paired interval that is narrow."""
    base = {1: 10.0, 2: 20.0, 3: 30.0}
    later = {seed: value - 1 + 0.01 * seed for seed, value in base.items()}
    paired = mean_interval(paired_differences(later, base).values())
    assert paired.high is not None and paired.high < 0
    unpaired = mean_interval(later.values())
    assert unpaired.high is not None and unpaired.high > 20
