"""What finished runs took over what was predicted of them: the correction of a store's own machine.

Wall seconds of pretraining stages, as their manifests have them. Short runs are left out: they are
mostly their own start, and what else the machine did then says nothing about long ones.
"""

import heapq
import json
import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grid.budget.calibration import Calibration
from grid.budget.devices import Device
from grid.budget.memory import Shape
from grid.budget.time import start_seconds, update_seconds
from grid.confine import listing, read_file
from grid.errors import StoreError
from grid.manifest import fault_of
from grid.typed import recorded
from model.training.micro_batch import sequences_at_once

if TYPE_CHECKING:
    from grid.store import Store

_READ = 60
"""Manifests that are read: the plan must stay instant, and more would not change the median."""
_MANY = 1 << 40
_SHORTEST = 30.0
"""Predicted seconds below which a run is left out."""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """The median of measured over predicted time, and how many runs it is from."""

    factor: float = 1.0
    runs: int = 0


def correction(store: "Store", device: Device, calibration: Calibration) -> Correction:
    """From the newest finished pretrainings of this store that ran on this kind of device."""
    ratios = []
    for config, manifest, rows in _finished(store):
        execution = manifest.get("execution", {})
        if str(execution.get("device", "")).split(":")[0] != device.kind:
            continue
        wall = float(manifest.get("wall_seconds", 0.0))
        predicted = _predicted(config, rows, execution, device, calibration)
        if wall > 0 and predicted >= _SHORTEST:
            ratios.append(wall / predicted)
    if not ratios:
        return Correction()
    return Correction(factor=statistics.median(ratios), runs=len(ratios))


def _finished(store: "Store") -> Iterator[tuple[Any, dict[str, Any], int]]:
    """Configuration, manifest and embedding rows of the newest finished pretrainings."""
    groups = [each for each in listing(store.root / "artifacts" / "pretraining") if each.is_dir()]
    artifacts = (entry for group in groups for entry in listing(group.path))
    for artifact in heapq.nlargest(_READ, artifacts, key=_published):
        path = Path(artifact.path) / "manifest.json"
        try:
            manifest, written, facts, exposure = (
                json.loads(read_file(path.with_name(f"{name}.json")))
                for name in ("manifest", "config", "model", "exposure")
            )
            config, pieces = recorded(written), int(facts["rows"])
            updates = int(exposure["updates"])
            damaged = fault_of(manifest) or not (0 < pieces < _MANY and 0 < updates < _MANY)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            continue  # a damaged artifact: `verify` tells
        except (RecursionError, StoreError):
            continue
        if damaged or config is None:
            continue  # the latter of another version of this code
        recipe = replace(config.pretraining, updates=updates)
        multiple = config.encoder.pad_vocab_to
        rows = -(-pieces // multiple) * multiple
        yield replace(config, pretraining=recipe), manifest, rows


def _published(artifact: os.DirEntry[str]) -> float:
    return artifact.stat(follow_symlinks=False).st_mtime


def _predicted(
    config: Any,
    rows: int,
    execution: dict[str, Any],
    device: Device,
    calibration: Calibration,
) -> float:
    recipe = config.pretraining
    micro = execution.get("micro_batch") or sequences_at_once(recipe, rows, device.kind)
    shape = Shape(
        encoder=config.encoder,
        rows=rows,
        pretraining=recipe,
        tensor_parallel=int(execution.get("tensor_parallel", 1)),
        data_parallel=int(execution.get("data_parallel", 1)),
        micro_batch=min(micro, recipe.batch_size),
        checkpointing=bool(execution.get("activation_checkpointing", False)),
    )
    start = start_seconds(shape, calibration.seconds)
    return start + recipe.updates * update_seconds(shape, device, calibration.seconds)
