"""How work is placed on this machine: never part of a key, recorded in each manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grid.budget.devices import PROFILES
from grid.slurm.settings import SlurmConfig
from model.checks import check_monitors
from model.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ExecutionConfig:
    """A study's or site's `execution`. Nothing here may change what a stage computes."""

    workers: int | None = None
    """Stages that run side by side; by default as many as have `threads` cores each."""
    threads: int = 1
    """Threads of each stage."""
    device: str = "cpu"
    """`cpu`, `cuda`, or `cuda:N` for one GPU alone. With `cuda`, stages that run side by side have
    GPUs of their own, but for `stages_per_gpu`."""
    stages_per_gpu: int = 1
    """Stages of one rank that may share a GPU; fewer do where the plan says that together they do
    not fit into its memory."""
    profile: str | None = None
    """The device that plans are priced for: `cpu`, `v100`, `a100`, `h100` or `h200`; by default
    `cpu`, or `h100` where `device` is `cuda`."""
    checkpoint_seconds: float = 20.0
    """A stage that can be resumed saves its state this often."""
    stop_seconds: float = 30.0
    """A stage that can be resumed has so long to save its state when a run is interrupted."""
    hang_seconds: float | None = 1800.0
    """A training that reports no progress for so long, or whose ranks do not begin, has hung and is
    ended; null: never."""
    tensor_parallel: int | None = None
    """Ranks (GPUs, or processes on a CPU) that hold one model together in pretraining; by default
    the smallest number of GPUs of the profile that can, and 1 on a CPU."""
    data_parallel: int = 1
    """Copies of the model in pretraining; ranks are this times `tensor_parallel`."""
    micro_batch: int | None = None
    """Sequences that go through a rank's model at once; by default what fits. The rest of a batch
    is accumulated."""
    activation_checkpointing: bool = False
    """Forget activations and compute them again in the backward pass: less memory, a third more
    work."""
    spike: float | None = 3.0
    """A pretraining whose loss rises this many nats above its lowest has diverged and is stopped;
    null: never."""
    monitors: dict[str, dict[str, Any]] = field(default_factory=dict)
    """DeepSpeed's monitors (`tensorboard`, `csv_monitor`, `wandb`), each with DeepSpeed's keys."""
    slurm: SlurmConfig = field(default_factory=SlurmConfig)

    def __post_init__(self) -> None:
        for name, legal, expected in (
            ("workers", self.workers is None or 1 <= self.workers <= 4096, "1 to 4096"),
            ("threads", 1 <= self.threads <= 4096, "1 to 4096"),
            (
                "tensor_parallel",
                self.tensor_parallel is None or 1 <= self.tensor_parallel <= 1024,
                "1 to 1024",
            ),
            ("stages_per_gpu", 1 <= self.stages_per_gpu <= 64, "1 to 64"),
            ("data_parallel", 1 <= self.data_parallel <= 65536, "1 to 65536"),
            ("micro_batch", self.micro_batch is None or self.micro_batch >= 1, "at least 1"),
            ("spike", self.spike is None or self.spike > 0, "more than 0"),
            ("checkpoint_seconds", self.checkpoint_seconds > 0, "more than 0"),
            ("stop_seconds", self.stop_seconds >= 0, "at least 0"),
            ("hang_seconds", self.hang_seconds is None or self.hang_seconds > 0, "more than 0"),
        ):
            if not legal:
                raise InputError(
                    f"execution.{name}: expected {expected}, found {getattr(self, name)!r}"
                )
        if self.profile is not None and self.profile not in PROFILES:
            raise InputError(
                f"execution.profile: expected one of {', '.join(PROFILES)}, found {self.profile!r}"
            )
        kind, colon, number = self.device.partition(":")
        if kind not in ("cpu", "cuda") or (colon and not (kind == "cuda" and number.isdecimal())):
            raise InputError(
                f"execution.device: expected cpu, cuda or cuda:N, found {self.device!r}"
            )
        check_monitors(self.monitors, "execution.monitors")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "ExecutionConfig":
        """From checked plain values, as a study or a submission has them."""
        return cls(**{**values, "slurm": SlurmConfig.of(values.get("slurm", {}))})

    @property
    def ranks(self) -> int:
        """Ranks of a pretraining, as far as they are said and not chosen for it."""
        return (self.tensor_parallel or 1) * self.data_parallel
