"""Measures this machine: `python -m grid.budget.calibrate [--store DIR]`, two to three minutes.

Runs small pretrainings through the stage itself, each in a fresh process of one thread, and fits
the coefficients of the formulas to what they cost. The file goes into the store (calibration.json),
whose plans then use it. `--committed` writes grid/budget/calibration.json, the default of all.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grid.budget.calibration import COMMITTED, OF_STORE
from grid.budget.memory import (
    Shape,
    activation_bytes,
    logit_bytes,
    rank_parameters,
    scored_twice,
)
from grid.budget.time import work
from grid.publish import write_json
from grid.sizes import embedding_rows
from model.config import EncoderConfig, PretrainingConfig
from model.training.micro_batch import sequences_at_once
from model.training.trial import Cost, Trial, measure

_ROUNDS = 5000


def trial(
    layers: int,
    width: int,
    heads: int,
    length: int,
    batch: int,
    pieces: int,
    *,
    updates: int = 12,
    dropout: float = 0.1,
    masked: float = 0.15,
    precision: str = "bf16",
    norm: str = "post",
    micro_batch: int | None = None,
    checkpointing: bool = False,
) -> Trial:
    """A trial, in short."""
    return Trial(
        encoder=EncoderConfig(
            layers=layers,
            width=width,
            heads=heads,
            norm=norm,
            max_positions=length,
            dropout=dropout,
            attention_dropout=dropout,
        ),
        pretraining=PretrainingConfig(
            updates=updates,
            batch_size=batch,
            sequence_length=length,
            mask_probability=masked,
            precision=precision,
        ),
        vocab_size=pieces,
        micro_batch=micro_batch,
        activation_checkpointing=checkpointing,
    )


TRIALS = (
    trial(1, 64, 4, 40, 48, 2250, updates=200, dropout=0.0, masked=0.3),
    trial(4, 128, 4, 128, 32, 8000, updates=20),
    trial(2, 128, 4, 64, 64, 10_000, updates=60, dropout=0.0, masked=0.3),
    trial(2, 256, 4, 128, 8, 32_000, updates=25),
    trial(2, 256, 4, 128, 32, 32_000, updates=30),
    trial(8, 256, 4, 128, 16, 8000, updates=8),
    trial(2, 512, 8, 128, 8, 8000),
    trial(2, 512, 8, 64, 32, 16_000, updates=8),
    trial(2, 768, 12, 64, 8, 8000),
    trial(4, 384, 6, 256, 8, 16_000, updates=6),
    trial(2, 128, 4, 64, 16, 120_000, updates=30),
    trial(1, 128, 4, 64, 64, 64_000, updates=8, dropout=0.0, masked=0.3),
    trial(4, 256, 4, 64, 64, 8000, micro_batch=8, dropout=0.0),
    trial(4, 256, 4, 128, 16, 8000, checkpointing=True),
    trial(6, 384, 6, 128, 16, 8000, updates=6, checkpointing=True),
    trial(2, 256, 4, 128, 8, 8000, precision="fp32"),
    trial(4, 512, 8, 128, 8, 8000, updates=6, precision="fp32"),
)
"""What is measured: between them they differ in all that the formulas depend on. Where scores fill
the memory it takes some thirty updates until the heap has grown to what it stays at."""


def shape_of(trial: Trial) -> Shape:
    """The trial as the formulas see it."""
    rows = embedding_rows(trial.vocab_size, trial.encoder)
    most = sequences_at_once(trial.pretraining, rows, "cpu")
    return Shape(
        encoder=trial.encoder,
        rows=rows,
        pretraining=trial.pretraining,
        micro_batch=min(trial.micro_batch or most, trial.pretraining.batch_size),
        checkpointing=trial.activation_checkpointing,
    )


def memory_features(shape: Shape) -> dict[str, float]:
    """Bytes of a process on a CPU are these, each times its coefficient."""
    own = rank_parameters(shape.encoder, shape.rows, 1)
    logits, chunked = logit_bytes(shape, "cpu"), scored_twice(shape, "cpu")
    return {
        "process": 1.0,
        "state": own * (2 * shape.value_bytes + 16),
        "activations": activation_bytes(shape, "cpu"),
        "logits": 0.0 if chunked else logits,
        "chunked_logits": logits if chunked else 0.0,
    }


def start_features(shape: Shape) -> dict[str, float]:
    """CPU seconds before the first update and after the last."""
    return {"start": 1.0, "start_parameter": float(rank_parameters(shape.encoder, shape.rows, 1))}


def fit(
    shapes: Sequence[Shape],
    costs: Sequence[float],
    features: Callable[[Shape], Mapping[str, float]],
) -> dict[str, float]:
    """Coefficients, none negative, that make the relative errors' squares smallest."""
    import numpy as np

    names = list(features(shapes[0]))
    table = np.array([[features(shape)[name] for name in names] for shape in shapes])
    table /= np.array(costs)[:, None]
    scale = np.linalg.norm(table, axis=0)
    scale[scale == 0] = 1.0
    table /= scale
    products, wanted = table.T @ table + 1e-9 * np.eye(len(names)), table.sum(axis=0)
    found = np.zeros(len(names))
    # One coordinate after the other: the problem is convex, so this ends at the smallest sum.
    for _ in range(_ROUNDS):
        for column in range(len(names)):
            rest = wanted[column] - products[column] @ found
            found[column] = max(0.0, found[column] + rest / products[column, column])
    return {name: float(f"{value:.4g}") for name, value in zip(names, found / scale, strict=True)}


def fitted(trials: Sequence[Trial], costs: Sequence[Cost]) -> dict[str, Any]:
    """The `cpu` part of a calibration file."""
    shapes = [shape_of(trial) for trial in trials]
    around = [
        cost.cpu_seconds - trial.pretraining.updates * cost.update_seconds
        for trial, cost in zip(trials, costs, strict=True)
    ]
    seconds = fit(shapes, [cost.update_seconds for cost in costs], work)
    seconds |= fit(shapes, around, start_features)
    memory = fit(shapes, [float(cost.peak_bytes) for cost in costs], memory_features)
    day = datetime.now(UTC).date().isoformat()
    source = f"{len(trials)} trials of one thread on {processor()}, {day}"
    return {
        "source": source,
        "seconds": seconds,
        "bytes": memory,
        "measured": [asdict(cost) for cost in costs],
    }


def processor() -> str:
    """What this machine's processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'a CPU'}, {os.cpu_count()} cores"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m grid.budget.calibrate", description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(os.environ.get("GRID_STORE", "runs")))
    parser.add_argument("--committed", action="store_true", help="write the default of all stores")
    options = parser.parse_args(arguments)
    costs = []
    for number, wanted in enumerate(TRIALS, 1):
        costs.append(measure(wanted))
        print(
            f"trial {number} of {len(TRIALS)}: {costs[-1].update_seconds:.3f} s an update, "
            f"{costs[-1].peak_bytes / 1e6:,.0f} MB",
            file=sys.stderr,
            flush=True,
        )
    values = {"cpu": fitted(TRIALS, costs)}
    target = options.store / OF_STORE
    if options.committed:
        target = COMMITTED
        values = json.loads(target.read_text(encoding="utf-8")) | values
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, values)
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
