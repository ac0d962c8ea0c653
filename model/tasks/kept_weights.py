"""The best weights of a fine-tuning under way: files beside its checkpoints, whole or not there.

<work>/best/00000120.safetensors    fp32 weights after 120 updates
"""

import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from model.training.checkpoint import KEPT

_UNFINISHED = ".unfinished"


class KeptWeights:
    """Files by update. What a checkpoint that may still be read refers to is not dropped."""

    def __init__(self, work: Path) -> None:
        self._folder = work / "best"
        self.referred: deque[int | None] = deque(maxlen=KEPT)
        """The best updates in the last checkpoints' states, the newest last."""

    def write(self, update: int, weights: Mapping[str, Tensor]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        final = self._path(update)
        unfinished = final.with_name(final.name + _UNFINISHED)
        save_file(dict(weights), unfinished)
        with unfinished.open("rb") as stream:
            os.fsync(stream.fileno())
        unfinished.rename(final)

    def read(self, update: int) -> dict[str, Tensor]:
        return load_file(self._path(update))

    def checkpointed(self, best: int | None) -> None:
        """Takes note of a checkpoint whose state refers to `best`, and drops what none needs."""
        self.referred.append(best)
        needed = {self._path(update) for update in self.referred if update is not None}
        for path in self._folder.glob("*"):
            if path not in needed:
                path.unlink()

    def _path(self, update: int) -> Path:
        return self._folder / f"{update:08d}.safetensors"
