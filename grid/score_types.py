"""What a stage's scores may hold: an artifact is data, and may come from somebody else."""

from collections.abc import Mapping
from typing import Any

import polars as pl

_LEGAL: dict[type[pl.DataType], tuple[type, ...]] = {
    pl.String: (str,),
    pl.Boolean: (bool,),
    pl.Int64: (int,),
    pl.Float64: (float, int),
}
_LARGEST = 1 << 63
_SHOWN = 80


def typed(score: dict[str, Any], columns: Mapping[str, type[pl.DataType]]) -> dict[str, Any]:
    """The same row, whose every value is of its column's type or null. Raises TypeError."""
    for name, value in score.items():
        legal = value is None or type(value) in _LEGAL[columns[name]]
        if not legal or (type(value) is int and abs(value) >= _LARGEST) or _no_text(value):
            raise TypeError(f"{name}: {str(value)[:_SHOWN]!r} of type {type(value).__name__}")
    return score


def _no_text(value: Any) -> bool:
    """Whether it holds half a surrogate pair, which JSON's escapes can spell."""
    return type(value) is str and value != value.encode("utf-8", "ignore").decode()
