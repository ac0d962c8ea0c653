"""`execution.slurm`: what a site asks of its jobs, for all of them or for one kind of stage.

Names are sbatch's and submitit's where they mean the same. Nothing here is part of a key.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grid.tree import near
from model.checks import require

_MAIL = re.compile(r"[A-Z_0-9]+(,[A-Z_0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class SlurmStage:
    """What jobs of one kind of stage ask for: null means what holds for all kinds."""

    partition: str | None = None
    """Partition of the jobs, or several with commas between; null: the cluster's default."""
    account: str | None = None
    """Account that is charged."""
    qos: str | None = None
    """Quality of service."""
    constraint: str | None = None
    """Features that nodes must have, such as `a100&nvlink`."""
    reservation: str | None = None
    """Reservation that jobs run in."""
    nodelist: str | None = None
    """Nodes that jobs must have."""
    exclude: str | None = None
    """Nodes that jobs must not have."""
    gres: str | None = None
    """How GPUs are asked for at sites without `--gpus-per-node`: `gpu:{gpus}`, or with a type
    `gpu:a100:{gpus}`; `{gpus}` becomes the number on each node."""
    gpu_type: str | None = None
    """Type of GPU, for `--gpus-per-node=TYPE:N`."""
    ranks_per_node: int | None = None
    """Ranks that a node has room for: a pretraining of more is spread over several nodes. Null: the
    node's GPUs, 8 where Slurm does not tell them; all ranks on one node without GPUs."""
    cpus: int | None = None
    """CPU cores of each rank; null: the threads of its stage."""
    memory_gb: float | None = None
    """Memory of a job on each node; 0: all that the node has. Null: estimated."""
    hours: float | None = None
    """Time limit of a job; null: estimated."""
    max_hours: float | None = None
    """Longest time limit that is asked for; null: the partition's, where Slurm tells it. A stage
    that can be resumed and takes longer is requeued."""
    max_parallel: int | None = None
    """Jobs of an array that run at once; null: as many as the cluster lets."""
    setup: list[str] | None = None
    """Lines of the job script before the work begins, such as `module load cuda`."""
    extra: list[str] | None = None
    """More options of sbatch, such as `--licenses=scratch`."""

    def _check(self, key: str) -> None:
        for name, least in (("ranks_per_node", 1), ("cpus", 1), ("max_parallel", 1)):
            value = getattr(self, name)
            require(value is None or value >= least, f"{key}.{name}", f"at least {least}", value)
        for name in ("hours", "max_hours"):
            value = getattr(self, name)
            require(value is None or value > 0, f"{key}.{name}", "more than 0", value)
        memory = self.memory_gb
        require(memory is None or memory >= 0, f"{key}.memory_gb", "at least 0", memory)
        for field_ in dataclasses.fields(self):
            value = getattr(self, field_.name)
            # Each becomes a line of the job script; two lines would be another command.
            legal = not isinstance(value, str) or value.isprintable()
            require(legal, f"{key}.{field_.name}", "one line of text", value)
        for line in self.extra or []:
            legal = line.startswith("--") and line.isprintable()
            require(legal, f"{key}.extra", "options as in --licenses=scratch", line)
        if self.gres is not None:
            require("{gpus}" in self.gres, f"{key}.gres", "{gpus} for the number", self.gres)


@dataclass(frozen=True, kw_only=True)
class SlurmConfig(SlurmStage):
    """How the Slurm launcher asks for its jobs."""

    stages: dict[str, SlurmStage] = field(default_factory=dict)
    """What differs for one kind of stage: `pretraining: {partition: gpu}`."""
    job_minutes: float = 30.0
    """Short stages of a kind are bundled into jobs of about this length."""
    time_margin: float = 2.0
    """Time limits are estimates times this."""
    memory_margin: float = 1.3
    """Memory is the estimate times this."""
    ask_memory: bool = True
    """Whether jobs ask for memory; false at sites that hand out whole nodes and refuse `--mem`."""
    retries: int = 2
    """Times that a stage which ran out of time or memory, or was lost, is tried again."""
    signal_seconds: int = 120
    """Jobs are warned this long before their time is up, to save their state."""
    requeue: bool = True
    """Whether jobs may be requeued: by Slurm when a node fails, by themselves when time is up."""
    comment: bool = True
    """Whether a job's `--comment` says whose it is; false at sites that use comments otherwise:
    its name then does."""
    mail_user: str | None = None
    """Who gets mail."""
    mail_type: str | None = None
    """When mail is sent, such as `END,FAIL`."""
    python: str | None = None
    """Command that starts Python in a job, such as `apptainer exec image.sif python`; null: the
    Python that submits."""

    def __post_init__(self) -> None:
        self._check("execution.slurm")
        if self.stages:
            self._check_stages()
        for name, least in (("time_margin", 1), ("memory_margin", 1), ("retries", 0)):
            value = getattr(self, name)
            require(value >= least, f"execution.slurm.{name}", f"at least {least}", value)
        require(self.job_minutes > 0, "execution.slurm.job_minutes", "more than 0",
                self.job_minutes)  # fmt: skip
        require(1 <= self.signal_seconds <= 65535, "execution.slurm.signal_seconds",
                "1 to 65535", self.signal_seconds)  # fmt: skip
        if self.mail_type is not None:
            legal = _MAIL.fullmatch(self.mail_type) is not None
            require(legal, "execution.slurm.mail_type", "as in END,FAIL", self.mail_type)

    def _check_stages(self) -> None:
        from grid.declarations import STAGES

        for name, own in self.stages.items():
            key = f"execution.slurm.stages.{name}"
            legal = f"a kind of stage{near(name, STAGES)}, one of {', '.join(STAGES)}"
            require(name in STAGES, key, legal, name)
            own._check(key)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SlurmConfig":
        """From checked plain values, as a study or submission.json has them."""
        stages = {name: SlurmStage(**own) for name, own in values.get("stages", {}).items()}
        return cls(**{**values, "stages": stages})

    def of_stage(self, kind: str) -> SlurmStage:
        """What jobs of this kind of stage ask for, everything filled in."""
        own = self.stages.get(kind)
        merged = {}
        for each in dataclasses.fields(SlurmStage):
            value = None if own is None else getattr(own, each.name)
            merged[each.name] = getattr(self, each.name) if value is None else value
        return SlurmStage(**merged)
