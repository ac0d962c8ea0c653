"""What a column of scores may hold: an artifact is data, and may come from somebody else."""

from collections.abc import Sequence
from types import NoneType
from typing import Any

import polars as pl

_LEGAL: dict[type[pl.DataType], frozenset[type]] = {
    pl.String: frozenset({str, NoneType}),
    pl.Boolean: frozenset({bool, NoneType}),
    pl.Int64: frozenset({int, NoneType}),
    pl.Float64: frozenset({float, int, NoneType}),
}
_LARGEST = 1 << 63
_SHOWN = 80


def require_type(name: str, kind: type[pl.DataType], values: Sequence[Any]) -> None:
    """Raises TypeError for a value that is not of its column's type, nor null."""
    legal = _LEGAL[kind]
    kinds = set(map(type, values))
    large = int in kinds and _is_large(values)
    if kinds <= legal and not large and not (str in kinds and _has_no_text(values)):
        return
    for value in values:
        if type(value) not in legal or _is_large([value]) or _has_no_text([value]):
            told = f"{str(value)[:_SHOWN]!r} of type {type(value).__name__}"
            raise TypeError(f"{name}: {told}")


def _is_large(values: Sequence[Any]) -> bool:
    """Whether a whole number does not fit into 64 bits."""
    whole = {value for value in values if type(value) is int}
    return bool(whole) and (min(whole) <= -_LARGEST or max(whole) >= _LARGEST)


def _has_no_text(values: Sequence[Any]) -> bool:
    """Whether one holds half a surrogate pair, which JSON's escapes can spell."""
    try:
        "".join({value for value in values if type(value) is str}).encode()
    except UnicodeEncodeError:
        return True
    return False
