"""The GPUs of this machine, counted without touching one, and which of them are free.

A stage that runs on GPUs has them for itself, one for each rank. They are named as
CUDA_VISIBLE_DEVICES names them, so a slice of a divided GPU (MIG) counts as one.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from grid.execution import ExecutionConfig
from grid.graph import Stage

_LISTING_SECONDS = 30.0


def gpus(environment: Mapping[str, str] | None = None) -> list[str]:
    """The GPUs that this process may use: those that CUDA_VISIBLE_DEVICES leaves it, or all."""
    given = (os.environ if environment is None else environment).get("CUDA_VISIBLE_DEVICES")
    return _all_gpus() if given is None else visible(given)


def visible(text: str) -> list[str]:
    """The GPUs that a value of CUDA_VISIBLE_DEVICES names. CUDA reads up to the first -1."""
    names = [name.strip() for name in text.split(",")]
    end = next((at for at, name in enumerate(names) if name in ("", "-1", "NoDevFiles")), None)
    return names[:end]


def listed(text: str) -> list[str]:
    """The GPUs in what `nvidia-smi -L` prints; where one is divided, its slices."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if gpu := re.match(r"GPU (\d+):", line):
            found.append([gpu[1]])
        elif (piece := re.match(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)", line)) and found:
            found[-1] = [name for name in found[-1] if name.startswith("MIG-")] + [piece[1]]
    return [name for names in found for name in names]


def _all_gpus() -> list[str]:
    told = _listing()
    if told is not None:
        return listed(told)
    files = Path("/dev").glob("nvidia[0-9]*")
    return sorted((path.name.removeprefix("nvidia") for path in files), key=int)


def _listing() -> str | None:
    """What `nvidia-smi -L` prints; None if there is no such command, or it does not work."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, "-L"], capture_output=True, text=True, timeout=_LISTING_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


class Pool:
    """The GPUs that stages are placed on; of no effect where the device is the CPU.

    A stage has its GPUs for itself, unless `execution.stages_per_gpu` lets small ones share: then
    it takes the share of a GPU's memory that is planned for it, and an equal part at least.
    """

    def __init__(self, execution: ExecutionConfig, every: Sequence[str] | None = None) -> None:
        """`every` are the machine's GPUs; by default they are counted."""
        kind, _, number = execution.device.partition(":")
        names: Sequence[str] = []
        if kind == "cuda":
            names = gpus() if every is None else every
            if number:
                names = names[int(number) : int(number) + 1]
        self.names = tuple(names)
        """Empty where there are none to be found: stages then see what they are given."""
        self._together = execution.stages_per_gpu
        self._taken = dict.fromkeys(self.names, Fraction())
        """The share of each GPU that stages have."""

    def needs(self, stage: Stage) -> int:
        """The GPUs that a stage is on. One that wants more than there are has them all."""
        trains = stage.needs_torch or stage.command is not None
        return min(stage.ranks, len(self.names)) if trains else 0

    def has_room(self, stage: Stage) -> bool:
        """Whether the stage can be placed now."""
        return len(self._open(stage)) >= self.needs(stage)

    def take(self, stage: Stage) -> list[str] | None:
        """GPUs with room for a stage; none if it needs none; None if it is not to be told."""
        if not self.names:
            return None
        taken = self._open(stage)[: self.needs(stage)]
        for name in taken:
            self._taken[name] += self._share(stage)
        return taken

    def give_back(self, stage: Stage, names: Sequence[str] | None) -> None:
        """What `take` gave for the stage is free."""
        for name in names or ():
            self._taken[name] -= self._share(stage)

    def _open(self, stage: Stage) -> list[str]:
        """The GPUs that have room for a stage, the emptiest first."""
        room = 1 - self._share(stage)
        found = [name for name in self.names if self._taken[name] <= room]
        return sorted(found, key=self._taken.__getitem__)

    def _share(self, stage: Stage) -> Fraction:
        """Of each of its GPUs. Fractions add up to what they should, where floats do not."""
        if stage.ranks > 1 or self._together == 1:
            return Fraction(1)
        return min(Fraction(1), max(Fraction(1, self._together), Fraction(stage.gpu_share)))
