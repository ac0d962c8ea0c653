"""What an attempt is told of its stage: job.json, the same for every launcher."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from grid.environment import revision
from grid.execution import ExecutionConfig
from grid.graph import Stage
from grid.identity import plain
from grid.lease import Seen
from grid.store import Store
from grid.typed import name_of


def job_of(
    stage: Stage,
    store: Store,
    execution: ExecutionConfig,
    *,
    devices: Sequence[str] | None = None,
    stale: Seen | None = None,
    batch: Mapping[str, Any] | None = None,
    wait: bool = False,
) -> dict[str, Any]:
    """The fields of grid.job.Job. `devices`: the GPUs that it may see; None for no limit."""
    degree = stage.tensor_parallel or execution.tensor_parallel or 1
    return {
        "stage": stage.name,
        "key": stage.key,
        "module": stage.module,
        "version": stage.version,
        "config_type": name_of(type(stage.config)),
        "config": plain(stage.config),
        "inputs": {role: list(id) for role, id in stage.inputs.items()},
        "store": str(store.root),
        "threads": execution.threads,
        # The GPU is chosen by what the job may see: it is the first of these.
        "device": execution.device if devices is None else execution.device.partition(":")[0],
        "devices": None if devices is None else list(devices),
        "checkpoint_seconds": execution.checkpoint_seconds,
        "ranks": stage.ranks,
        "tensor_parallel": degree if stage.ranks > 1 else 1,
        "micro_batch": execution.micro_batch or stage.micro_batch,
        "activation_checkpointing": execution.activation_checkpointing,
        "spike": execution.spike,
        "monitors": execution.monitors,
        "locations": dict(stage.locations),
        "command": None if stage.command is None else dict(stage.command),
        "revision": revision(),
        "batch": None if batch is None else dict(batch),
        "wait": wait,
        "stale": None if stale is None else asdict(stale),
    }
