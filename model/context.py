"""What a running stage is given beside its configuration and inputs: placement, never identity."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(kw_only=True)
class Context:
    """Where and how a stage runs. Nothing in here may change what the stage computes.

    work: folder for resumable state (checkpoints); survives a killed attempt.
    locations: where the files of each source lie on this machine, by source name.
    progress_file: JSON lines that the launcher reads; None discards them.
    rank, ranks: this process among those that run the stage together; only rank 0 writes output.
    tensor_parallel: ranks that hold one model together; ranks / tensor_parallel are data-parallel.
    rendezvous: file in which rank 0 tells the others where to meet it; None for one rank.
    micro_batch: sequences that go through a rank's model at once; None: what fits.
    activation_checkpointing: forget activations and compute them again in the backward pass.
    spike: a training whose loss rises this many nats above its lowest stops; None: never.
    monitors: DeepSpeed's monitors by name (`tensorboard`, `csv_monitor`, `wandb`), its own keys.
    command: how a command stage's program is started (`model.command.Invocation` as a mapping).
    stop: set when the stage should save its state and raise Stopped.
    """

    work: Path
    threads: int = 1
    device: str = "cpu"
    locations: Mapping[str, str] = field(default_factory=dict)
    checkpoint_seconds: float = 20.0
    progress_file: Path | None = None
    rank: int = 0
    ranks: int = 1
    tensor_parallel: int = 1
    rendezvous: Path | None = None
    micro_batch: int | None = None
    activation_checkpointing: bool = False
    spike: float | None = None
    monitors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    command: Mapping[str, Any] | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def progress(self, step: int, total: int, **metrics: float) -> None:
        """Appends one line: `step` of `total` and metrics such as loss (nats) or tokens_per_s."""
        if self.progress_file is None or self.rank != 0:
            return
        record: dict[str, Any] = {"time": time.time(), "step": step, "total": total, **metrics}
        with self.progress_file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
