"""Numbers as a study writes them: `150k`, `183.2M`, `1.5%`, and series of them.

Suffixes are decimal: k is 1,000, M a million, B 10^9, T 10^12. Everything is computed in decimal,
so that a series has the same values on every machine.
"""

import itertools
import math
import re
from decimal import Context, Decimal

SUFFIXES = {"k": 3, "K": 3, "M": 6, "B": 9, "T": 12}
_SUFFIXED = re.compile(r"([-+]?[0-9][0-9_]*(?:\.[0-9_]+)?)([kKMBT])")
_PERCENT = re.compile(r"([0-9][0-9_]*(?:\.[0-9_]+)?)\s*%")
_SERIES = re.compile(r"(range|geom)\((.*)\)", re.DOTALL)
_CONTEXT = Context(prec=60)
_DIGITS = 12
"""Significant digits of a series' values that are not whole."""

Number = int | float


class SeriesError(ValueError):
    """A series that cannot be: says what was expected and what was found."""


def suffixed(text: str) -> Number | None:
    """150000 for `150k`, 1500 for `1.5k`; None for text without a suffix."""
    match = _SUFFIXED.fullmatch(text)
    if match is None:
        return None
    digits, suffix = match.groups()
    value = Decimal(digits.replace("_", "")).scaleb(SUFFIXES[suffix], _CONTEXT)
    return int(value) if value == value.to_integral_value() else float(value)


def percentage(text: str) -> float | None:
    """0.015 for `1.5%`; None for what does not end in a percent sign."""
    match = _PERCENT.fullmatch(text)
    return None if match is None else float(Decimal(match[1].replace("_", "")) / 100)


def series_call(text: str) -> tuple[str, list[str]] | None:
    """(`geom`, its arguments as written) for `geom(32k, 512k, 5)`; None for other text."""
    match = _SERIES.fullmatch(text.strip())
    if match is None:
        return None
    return match[1], [part.strip() for part in match[2].split(",")]


def _decimal(number: Number) -> Decimal:
    return Decimal(repr(number))


def _plain(value: Decimal, whole: bool) -> Number:
    return int(value) if whole else float(value)


def steps(first: Number, last: Number, step: Number, most: int) -> list[Number]:
    """first, first + step, ... last, both included. Raises SeriesError."""
    low, high, by = _decimal(first), _decimal(last), _decimal(step)
    if by <= 0:
        raise SeriesError(f"expected a step of more than 0, found {step}")
    if low > high:
        raise SeriesError(f"expected first <= last in range, found [{first}, {last}]")
    count = (high - low) / by
    if count >= most:
        raise SeriesError(f"expected at most {most:,} values in range")
    if count != count.to_integral_value():
        raise SeriesError(
            f"expected last to be first plus a whole number of steps, found {first} to {last} by "
            f"{step}; the last step would end at {low + int(count) * by}"
        )
    whole = all(type(number) is int for number in (first, last, step))
    return [_plain(low + index * by, whole) for index in range(int(count) + 1)]


def geometric(first: Number, last: Number, count: Number, whole: bool, most: int) -> list[Number]:
    """`count` values from first to last, each the same multiple of the one before.

    Both ends are exact. If `whole`, values are rounded to integers; else to 12 digits. Raises
    SeriesError, also where two values round to the same.
    """
    if type(count) is not int or not 2 <= count <= most:
        raise SeriesError(f"expected a whole number of values, 2 to {most:,}, found {count}")
    low, high = _decimal(first), _decimal(last)
    if low <= 0 or high <= 0 or low == high:
        raise SeriesError(f"expected two different ends of more than 0, found [{first}, {last}]")
    if whole and (low != int(low) or high != int(high)):
        raise SeriesError(f"expected whole numbers as ends, found [{first}, {last}]")
    growth = _CONTEXT.divide(_CONTEXT.ln(_CONTEXT.divide(high, low)), Decimal(count - 1))
    values: list[Number] = [_plain(low, whole)]
    for index in range(1, count - 1):
        exact = _CONTEXT.multiply(low, _CONTEXT.exp(_CONTEXT.multiply(growth, Decimal(index))))
        values.append(int(round(exact, 0)) if whole else float(f"{exact:.{_DIGITS}g}"))
    values.append(_plain(high, whole))
    for before, after in itertools.pairwise(values):
        if before == after:
            raise SeriesError(
                f"{count} values from {first} to {last} cannot all differ: two are {before} when "
                "rounded; ask for fewer"
            )
    return values


def significant(value: Number) -> str:
    """A number for a message: whole ones with commas, others with four digits."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if math.isfinite(value) else str(value)
