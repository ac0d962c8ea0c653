"""How fast a device is and how much memory a process takes: coefficients, and where they are from.

`calibration.json` holds one set for GPUs, from published figures, and one that was measured on a
CPU. `python -m grid.budget.calibrate` measures the machine at hand and writes its own file into the
store, which is then used instead of the CPU's. The committed CPU has instructions for bf16; where
this one has none, its products of bf16 are priced as those of fp32.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grid import machine
from grid.confine import read_file
from grid.errors import StoreError

COMMITTED = Path(__file__).with_name("calibration.json")
OF_STORE = "calibration.json"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The coefficients of one kind of device."""

    source: str
    """Where they are from, in words that the plan prints."""
    seconds: Mapping[str, float]
    """Of grid.budget.time."""
    bytes: Mapping[str, float]
    """Of grid.budget.memory."""


def calibration(kind: str, store: Path | None = None) -> Calibration:
    """The committed one of this kind (`cpu` or `cuda`), or this store's own, for a CPU."""
    committed = _read(COMMITTED, kind)
    own = None if store is None else store / OF_STORE
    if kind == "cpu" and own is not None and own.is_file():
        return _read(own, kind, like=committed)
    if kind == "cpu" and not machine.has_bf16():
        seconds = {**committed.seconds, "product_bf16": committed.seconds["product_fp32"]}
        source = f"{committed.source}; bf16 as fp32, as this CPU has no instructions for it"
        return replace(committed, source=source, seconds=seconds)
    return committed


def _read(path: Path, kind: str, like: Calibration | None = None) -> Calibration:
    """One that has the coefficients of another, at least."""
    try:
        values: dict[str, Any] = json.loads(read_file(path))[kind]
        found = Calibration(
            source=str(values["source"]), seconds=values["seconds"], bytes=values["bytes"]
        )
        if like is not None:
            _require(found.seconds, like.seconds)
            _require(found.bytes, like.bytes)
        return found
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{path}: expected a calibration, found {error!r}. Remove the file, or measure again: "
            "python -m grid.budget.calibrate"
        ) from None


def _require(coefficients: Mapping[str, Any], like: Mapping[str, float]) -> None:
    for name in like:
        value = coefficients[name]
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise ValueError(f"{name}: {value!r}")
