"""What an attempt at a stage is told: job.json, and the context that the stage's module gets."""

import importlib
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grid.artifact import ArtifactError, StrayError, check
from grid.confine import refuse_links_below
from grid.errors import StageError, StoreError
from grid.graph import StageId
from grid.outcome import DAMAGED
from grid.publish import write_json
from grid.store import Store
from grid.typed import named, rebuild
from model.context import Context

RENDEZVOUS = "rendezvous.json"
"""Where rank 0 writes how the others reach it: in the attempt's folder, so never an old one."""
_PATIENCE = 10.0
"""Seconds to wait for an input that a network file system does not show yet."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What job.json says. The first part is identity, the second is placement."""

    stage: str
    key: str
    module: str
    version: int
    config_type: str
    config: Any
    inputs: dict[str, list[str]]

    store: str
    threads: int = 1
    device: str = "cpu"
    devices: list[str] | None = None
    """The accelerators that it may see, as CUDA_VISIBLE_DEVICES names them; None: whatever it is
    given."""
    checkpoint_seconds: float = 20.0
    ranks: int = 1
    """Processes that compute the stage together."""
    tensor_parallel: int = 1
    micro_batch: int | None = None
    activation_checkpointing: bool = False
    spike: float | None = None
    monitors: dict[str, dict[str, Any]] = field(default_factory=dict)
    locations: dict[str, str]
    command: dict[str, Any] | None = None
    """How a command stage's program is started."""
    batch: dict[str, Any] | None = None
    """The batch job that runs it, and how that one starts ranks (`grid.launch.policy.Policy`)."""
    revision: str | None = None
    wait: bool = True
    """Whether to wait while another process holds the stage, or to end with status 3."""
    stale: dict[str, Any] | None = None
    """A lease that the launcher saw unchanged for the expiry, and that may be taken over."""

    @property
    def id(self) -> StageId:
        return (self.stage, self.key)

    @property
    def execution(self) -> dict[str, Any]:
        """Where and how it ran, for the manifest."""
        return {
            "threads": self.threads,
            "device": self.device,
            "ranks": self.ranks,
            "tensor_parallel": self.tensor_parallel,
            "data_parallel": self.ranks // self.tensor_parallel,
            "micro_batch": self.micro_batch,
            "activation_checkpointing": self.activation_checkpointing,
            "spike": self.spike,
            "monitors": self.monitors,
            "checkpoint_seconds": self.checkpoint_seconds,
            "locations": self.locations,
            **({} if self.command is None else {"command": without_values(self.command)}),
        }


def without_values(command: dict[str, Any]) -> dict[str, Any]:
    """A command of which the variables are named only: their values may be secrets."""
    return {**command, "environment": sorted(command["environment"])}


def read_job(folder: Path) -> Job:
    """The job of an attempt."""
    return Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))


def forget_secrets(job: Job, folder: Path) -> None:
    """Takes the values of a command's variables out of an attempt's job.json."""
    if job.command is None or not job.command["environment"]:
        return
    record = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    record["command"] = without_values(record["command"])
    temporary = folder / ".job.json"
    write_json(temporary, record)
    temporary.replace(folder / "job.json")


def compute(
    job: Job,
    folder: Path,
    output: Path,
    stop: threading.Event,
    *,
    rank: int = 0,
    local_rank: int = 0,
) -> None:
    """Runs the stage's module in this process, as one of the job's ranks."""
    store = Store(job.store)
    config = rebuild(named(job.config_type), job.config)
    inputs = {name: find(store, stage, key) for name, (stage, key) in job.inputs.items()}
    work = store.work(*job.id)
    work.mkdir(parents=True, exist_ok=True)
    if job.command is None:  # a program of the user's own may keep links there
        refuse_links_below(store.root, work)
    context = Context(
        work=work,
        threads=job.threads,
        device=f"cuda:{local_rank}" if job.ranks > 1 and job.device == "cuda" else job.device,
        locations=job.locations,
        command=job.command,
        checkpoint_seconds=job.checkpoint_seconds,
        progress_file=folder / "progress.jsonl",
        rank=rank,
        ranks=job.ranks,
        tensor_parallel=job.tensor_parallel,
        rendezvous=folder / RENDEZVOUS if job.ranks > 1 else None,
        micro_batch=job.micro_batch,
        activation_checkpointing=job.activation_checkpointing,
        spike=job.spike,
        monitors=job.monitors,
        stop=stop,
    )
    module = importlib.import_module(job.module)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(job.threads)
    module.run(config, inputs, output, context)


def check_inputs(job: Job, store: Store) -> None:
    """Raises StageError unless every artifact that the job reads is what was published."""
    for stage, key in job.inputs.values():
        try:
            check(find(store, stage, key), (stage, key))
        except StrayError:
            pass  # it is whole; the next run takes out what is too much
        except ArtifactError as error:
            raise StageError(
                f"the input {stage} {key} is damaged: {error}. The next run computes it anew",
                DAMAGED,
            ) from None


def find(store: Store, stage: str, key: str) -> Path:
    """The folder of an input. Raises StoreError if it does not come to be there in a while."""
    deadline = time.monotonic() + _PATIENCE
    path = store.path(stage, key)
    while not path.is_dir():
        if time.monotonic() > deadline:
            raise StoreError(f"store {store.root}: the input {stage} {key} is not there")
        time.sleep(0.2)
        store.published(stage)  # a listing makes a network file system look again
    return path


def prepare_process(job: Job) -> None:
    """Threads of the numerical libraries and the accelerators to be seen: before their import."""
    limit_threads(job.threads)
    if job.devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(job.devices)


def limit_threads(threads: int) -> None:
    """Threads of the numerical libraries: only before they are imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["POLARS_MAX_THREADS"] = str(threads)
