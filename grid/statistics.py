"""Means over seeds with Student's t intervals, and differences that are paired by seed."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

CONFIDENCE = 0.95


@dataclass(kw_only=True, frozen=True)
class Interval:
    """A mean over `n` values; `low` and `high` are None where one value gives no interval."""

    mean: float
    low: float | None
    high: float | None
    n: int


def mean_interval(values: Iterable[float], confidence: float = CONFIDENCE) -> Interval:
    """Mean of independent values and its two-sided t interval. Raises ValueError if empty."""
    numbers = [float(value) for value in values]
    n = len(numbers)
    if n == 0:
        raise ValueError("a mean needs at least one value")
    mean = math.fsum(numbers) / n
    if n == 1:
        return Interval(mean=mean, low=None, high=None, n=1)
    variance = math.fsum((value - mean) ** 2 for value in numbers) / (n - 1)
    half = t_quantile(0.5 + confidence / 2, n - 1) * math.sqrt(variance / n)
    return Interval(mean=mean, low=mean - half, high=mean + half, n=n)


def paired_differences(values: Mapping[int, float], base: Mapping[int, float]) -> dict[int, float]:
    """`values` minus `base` for every seed that both have, in the order of the seeds."""
    return {seed: values[seed] - base[seed] for seed in sorted(values.keys() & base.keys())}


@cache
def t_quantile(probability: float, degrees: float) -> float:
    """The `probability` quantile of Student's t with `degrees` degrees of freedom.

    The distribution function is inverted by bisection: 200 halvings reach the last bit, and the
    quantile is wanted a few dozen times a figure, so SciPy would be a large price for it.
    """
    if not 0 < probability < 1:
        raise ValueError(f"a probability lies between 0 and 1, found {probability}")
    if degrees <= 0:
        raise ValueError(f"degrees of freedom are more than 0, found {degrees}")
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while 1 - t_survival(high, degrees) < probability:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if 1 - t_survival(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t_survival(t: float, degrees: float) -> float:
    """P(T > t) of Student's t: Abramowitz and Stegun 1964, equation 26.7.1."""
    tail = _incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2
    return tail if t >= 0 else 1 - tail


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function: Abramowitz and Stegun 1964, equation 26.5.8."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    # The fraction converges fast below the mean only; the function's symmetry serves the rest.
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return front * _continued_fraction(x, a, b) / a


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Lentz's evaluation of the incomplete beta function's continued fraction."""
    c = 1.0
    d = 1 / (1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (1 + even * d)
        c = 1 + even / c
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / (1 + odd * d)
        c = 1 + odd / c
        value *= d * c
        if abs(d * c - 1) < 1e-16:
            break
    return value
