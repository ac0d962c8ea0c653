"""Tiny pretraining runs, in this process or in one that can be killed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grid.identity import plain
from grid.typed import rebuild
from model.config import EncoderConfig, PretrainingConfig, SamplingConfig
from model.context import Context
from model.stages import PretrainingStage
from model.training import pretraining

ROOT = Path(__file__).parents[3]
LANGUAGES = ["en", "sw"]


@dataclass(kw_only=True)
class StopsAfter(Context):
    """Asks for a stop as soon as this update is reported: the next one is still made."""

    reported: int

    def progress(self, step: int, total: int, **metrics: float) -> None:
        super().progress(step, total, **metrics)
        if step >= self.reported:
            self.stop.set()


def stage(*, dropout: float | None = None, **changes: Any) -> PretrainingStage:
    """30 updates of a small model; `changes` are to its recipe."""
    recipe = {
        "updates": 30,
        "batch_size": 8,
        "sequence_length": 16,
        "learning_rate": 3e-3,
        "warmup": 0.1,
        "precision": "fp32",
    }
    encoder = EncoderConfig(layers=1, width=16, heads=2, max_positions=16, norm="pre")
    if dropout is not None:
        encoder = replace(encoder, dropout=dropout, attention_dropout=dropout)
    return PretrainingStage(
        languages=LANGUAGES,
        sampling=SamplingConfig(alpha=0.5),
        encoder=encoder,
        pretraining=PretrainingConfig(**{**recipe, **changes}),
        seed=7,
    )


def run(config: PretrainingStage, world: Any, folder: Path, **given: Any) -> Path:
    """Runs the stage in `folder`/{output,work} and returns the output; `given` is its context."""
    output, work = folder / "output", folder / "work"
    for path in (output, work):
        path.mkdir(parents=True, exist_ok=True)
    settings = {"checkpoint_seconds": 1e9, "progress_file": folder / "progress.jsonl", **given}
    kind = settings.pop("kind", Context)
    pretraining.run(config, world.pretraining_inputs, output, kind(work=work, **settings))
    return output


def checkpoints(folder: Path) -> list[int]:
    """Updates of the checkpoints that a run has, in order."""
    return sorted(int(path.name) for path in (folder / "work" / "checkpoints").glob("0" + 7 * "?"))


def start(config: PretrainingStage, world: Any, folder: Path) -> "subprocess.Popen[bytes]":
    """Starts the same in a process of its own, which saves after every update."""
    for name in ("output", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    given = {
        "config": plain(config),
        "folder": str(folder),
        "inputs": {name: str(path) for name, path in world.pretraining_inputs.items()},
    }
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.model.training.runs", json.dumps(given)]
    return subprocess.Popen(command, env=environment, cwd=ROOT)


def main(given: dict[str, Any]) -> None:
    folder = Path(given["folder"])
    context = Context(
        work=folder / "work",
        checkpoint_seconds=0.0,
        progress_file=folder / "progress.jsonl",
    )
    config = rebuild(PretrainingStage, given["config"])
    inputs = {name: Path(path) for name, path in given["inputs"].items()}
    pretraining.run(config, inputs, folder / "output", context)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
