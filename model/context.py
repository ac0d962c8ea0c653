"""What a running stage is given beside its configuration and inputs: placement, never identity."""

import json
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
    """

    work: Path
    threads: int = 1
    device: str = "cpu"
    locations: Mapping[str, str] = field(default_factory=dict)
    checkpoint_seconds: float = 20.0
    progress_file: Path | None = None

    def progress(self, step: int, total: int, **metrics: float) -> None:
        """Appends one line: `step` of `total` and metrics such as loss (nats) or tokens_per_s."""
        if self.progress_file is None:
            return
        record: dict[str, Any] = {"time": time.time(), "step": step, "total": total, **metrics}
        with self.progress_file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
