"""The ranks that train one model together: how they meet, and their groups.

Ranks of a tensor-parallel group are consecutive and hold one model; data-parallel ranks hold copies
of it and work on other rows of the same batch. Nothing here needs a launcher's environment: rank 0
writes where it can be met into a file that the others wait for.
"""

import atexit
import json
import logging
import os
import socket
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as torch_distributed

from model.context import Context
from model.encoder.parallel import Split
from model.errors import InputError

_PATIENCE = timedelta(minutes=30)
"""How long a rank waits for another: a cluster may start the tasks of a job minutes apart."""
_LONG_WORK = timedelta(hours=6)
"""How long the others wait while rank 0 alone works on checkpoints. A rank that dies is noticed at
once, by its closed connections."""
_POLL_SECONDS = 0.05
_HERE = "127.0.0.1"

Item = TypeVar("Item")


def import_deepspeed(device: str) -> Any:
    """DeepSpeed, quiet, on the accelerator that the stage was given and without its compiler."""
    os.environ["DS_ACCELERATOR"] = "cuda" if device.startswith("cuda") else "cpu"
    warnings.filterwarnings("ignore", module="deepspeed")
    warnings.filterwarnings("ignore", message=".*all_gather_into_tensor", module="torch")
    import deepspeed
    import deepspeed.ops

    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    # None of its own operators is used. Asked which ones fit, it would call a compiler, and then
    # build one for CPU communication for half a minute.
    deepspeed.ops.__compatible_ops__ = {}
    return deepspeed


def join(context: Context) -> None:
    """Joins the process group of the stage's ranks; does nothing where that has been done.

    A single process gets a store in memory: two workers on one machine cannot collide on a port.
    The group is left once, at exit, for DeepSpeed keeps references to its groups.
    """
    if torch_distributed.is_initialized():
        return
    if context.ranks % context.tensor_parallel:
        raise InputError(
            f"ranks: expected a multiple of tensor_parallel ({context.tensor_parallel}), found "
            f"{context.ranks}"
        )
    on_gpu = context.device.startswith("cuda")
    place = context.rank % max(1, torch.cuda.device_count()) if on_gpu else context.rank
    os.environ |= {"RANK": str(context.rank), "WORLD_SIZE": str(context.ranks)}
    if context.ranks == 1:  # whatever program this one was started by had its own
        os.environ["LOCAL_RANK"] = "0"
    os.environ.setdefault("LOCAL_RANK", str(place))
    if _nodes() == 1:  # gloo's own ports, too, are for this machine only
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if on_gpu:
        torch.cuda.set_device(local_device(context))
    torch_distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=_meet(context) if context.ranks > 1 else torch_distributed.HashStore(),
        rank=context.rank,
        world_size=context.ranks,
        timeout=_PATIENCE,
    )
    atexit.register(torch_distributed.destroy_process_group)
    if context.ranks > 1:
        deepspeed = import_deepspeed(context.device)
        deepspeed.init_distributed(verbose=False)
        deepspeed.utils.groups._init_tp_mesh_device(
            tensor_model_parallel_size=context.tensor_parallel
        )
        _Side.group = torch_distributed.new_group(backend="gloo", timeout=_LONG_WORK)


class _Side:
    """The gloo group of all ranks, for decisions: they need not wait for a GPU."""

    group: Any = None


def local_device(context: Context) -> str:
    """This rank's device: `cuda` without a number is the GPU of its place on the machine."""
    if context.device != "cuda":
        return context.device
    place = int(os.environ.get("LOCAL_RANK", context.rank)) if context.ranks > 1 else 0
    return f"cuda:{place % max(1, torch.cuda.device_count())}"


def _meet(context: Context) -> Any:
    """The store at which all ranks meet: rank 0 opens a free port and writes it down.

    It asks nobody who they are, so it is open to this machine only, unless ranks are on others.
    """
    if context.rendezvous is None:
        raise InputError(f"rendezvous: expected a file for {context.ranks} ranks, found none")
    if context.rank == 0:
        far = _nodes() > 1
        with socket.create_server(("" if far else _HERE, 0)) as opened:
            store = torch_distributed.TCPStore(
                _HERE,
                opened.getsockname()[1],
                is_master=True,
                wait_for_workers=False,
                timeout=_PATIENCE,
                master_listen_fd=opened.detach(),
            )
        _write_address(context.rendezvous, _own_host() if far else _HERE, store.port)
        return store
    host, port = _wait_for_address(context.rendezvous)
    return torch_distributed.TCPStore(host, port, is_master=False, timeout=_PATIENCE)


def _nodes() -> int:
    """Machines that the ranks are on: Slurm says it of its step, or else it is this one."""
    names = ("SLURM_STEP_NUM_NODES", "SLURM_JOB_NUM_NODES")
    return next((int(os.environ[name]) for name in names if name in os.environ), 1)


def _own_host() -> str:
    """A name under which the other ranks find this machine."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return _HERE
    return name


def _write_address(path: Path, host: str, port: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"host": host, "port": port}), encoding="utf-8")
    temporary.rename(path)


def _wait_for_address(path: Path) -> tuple[str, int]:
    deadline = time.monotonic() + _PATIENCE.total_seconds()
    while True:
        try:
            address = json.loads(path.read_text(encoding="utf-8"))
            return address["host"], address["port"]
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"rank 0 has not written {path} for {_PATIENCE}: it has not started"
                ) from None
        os.listdir(path.parent)  # a listing makes a network file system look again
        time.sleep(_POLL_SECONDS)


def rank() -> int:
    return torch_distributed.get_rank() if torch_distributed.is_initialized() else 0


def ranks() -> int:
    return torch_distributed.get_world_size() if torch_distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this is rank 0, the one that writes output."""
    return rank() == 0


def tensor_parallel_group() -> Any | None:
    """The group that holds this rank's model; None where each rank holds a whole one."""
    if ranks() == 1:
        return None
    from deepspeed.utils import groups

    return groups.get_tensor_model_parallel_group() if tensor_parallel() > 1 else None


def tensor_parallel() -> int:
    """Ranks that hold one model together."""
    if ranks() == 1:
        return 1
    from deepspeed.utils import groups

    return groups.get_tensor_model_parallel_world_size()


def data_parallel() -> int:
    """Copies of the model."""
    return ranks() // tensor_parallel()


def tensor_rank() -> int:
    """This rank's place in its tensor-parallel group."""
    return rank() % tensor_parallel()


def data_rank() -> int:
    """Which copy of the model this rank belongs to."""
    return rank() // tensor_parallel()


def decide(*flags: bool) -> tuple[bool, ...]:
    """Rank 0's flags, on every rank: clocks and signals differ, what is done must not."""
    if ranks() == 1:
        return flags
    values = torch.tensor([int(flag) for flag in flags])
    torch_distributed.broadcast(values, 0, group=_Side.group)
    return tuple(bool(value) for value in values.tolist())


def any_rank(flag: bool) -> bool:
    """Whether the flag is set on some rank."""
    if ranks() == 1:
        return flag
    value = torch.tensor(int(flag))
    torch_distributed.all_reduce(value, torch_distributed.ReduceOp.MAX, group=_Side.group)
    return bool(value)


def barrier() -> None:
    """Waits for every rank."""
    if ranks() > 1:
        torch_distributed.barrier(group=_Side.group)


def sum_over_data_parallel(value: Tensor) -> Tensor:
    """The sum of a tensor over the copies of the model, in place."""
    if data_parallel() > 1:
        from deepspeed.utils import groups

        torch_distributed.all_reduce(value, group=groups.get_data_parallel_group())
    return value


def whole_on_first(shard: Tensor, split: Split | None) -> Tensor | None:
    """A copy of the whole fp32 parameter on rank 0's CPU, None on the others.

    split: how it was dealt to a tensor-parallel group, None for one that every rank holds whole.
    """
    if split is None:
        return shard.clone() if is_first() else None
    if data_rank() > 0:
        return None
    if not is_first():
        torch_distributed.send(shard.contiguous(), 0, group=_Side.group)
        return None
    whole = torch.empty(split.shape)
    split.put(whole, shard, 0)
    for sender in range(1, split.ranks):
        received = torch.empty(split.shard_shape(sender))
        torch_distributed.recv(received, sender, group=_Side.group)
        split.put(whole, received, sender)
    return whole


def first_takes(items: Iterable[Item], use: Callable[[Iterable[Item]], None]) -> None:
    """Rank 0 uses items that every rank must go through, for the others have a part in them."""
    if is_first():
        use(items)
    else:
        deque(items, maxlen=0)


def first_says(number: int) -> int:
    """Rank 0's number, on every rank."""
    if ranks() == 1:
        return number
    value = torch.tensor(number)
    torch_distributed.broadcast(value, 0, group=_Side.group)
    return int(value)
