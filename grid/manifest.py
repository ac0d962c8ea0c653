"""What a manifest may say: it is data, and may come from somebody else."""

import math
from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "revision": (str, type(None)),
    "finished": (str,),
    "wall_seconds": (float, int),
    "environment": (dict,),
    "execution": (dict,),
}
"""Of what is read from a manifest, apart from the check of its files; each may be missing."""
_COUNTS = ("threads", "ranks", "tensor_parallel", "data_parallel", "micro_batch")
_MANY = 1 << 31


def fault_of(manifest: Mapping[str, Any]) -> str | None:
    """Which value is not of its type, or None."""
    for name, kinds in _TYPES.items():
        value = manifest.get(name)
        if name in manifest and type(value) not in kinds:
            return f"{name} is of type {type(value).__name__}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{name} is {value}"
    for name in _COUNTS:
        value = manifest.get("execution", {}).get(name)
        if value is not None and not (type(value) is int and 0 < value < _MANY):
            return f"execution.{name} is no count"
    return None
