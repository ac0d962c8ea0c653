"""Runs a function on several real processes that train together, each with one thread."""

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from model.context import Context

DEADLINE = 240.0
_PRELOADED = ["deepspeed", "polars", "model.training.pretraining"]
"""Imported once by the server that the ranks are forked from, for these imports take seconds."""


def context_of(rank: int, ranks: int, tensor_parallel: int, folder: Path, **more: Any) -> Context:
    return Context(
        work=folder / "work",
        rank=rank,
        ranks=ranks,
        tensor_parallel=tensor_parallel,
        rendezvous=folder / "rendezvous" if ranks > 1 else None,
        **more,
    )


def _run(
    function: Callable[..., Any],
    place: tuple[int, int, int],
    folder: Path,
    context: dict[str, Any],
    arguments: tuple[Any, ...],
) -> None:
    from model.training import distributed
    from model.training.engine import prepare

    prepare("cpu", 1)
    made = context_of(*place, folder, **context)
    distributed.join(made)
    result = function(made, *arguments)
    (folder / f"result{place[0]}").write_bytes(pickle.dumps(result))
    distributed.barrier()


@contextmanager
def started(
    function: Callable[..., Any],
    folder: Path,
    *arguments: Any,
    ranks: int = 1,
    tensor_parallel: int = 1,
    **context: Any,
) -> Iterator[list[BaseProcess]]:
    """The processes, which call `function(context, *arguments)`; killed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "work").mkdir(exist_ok=True)
    (folder / "rendezvous").unlink(missing_ok=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(_PRELOADED)
    processes: list[BaseProcess] = []
    for rank in range(ranks):
        place = (rank, ranks, tensor_parallel)
        given = (function, place, folder, context, arguments)
        processes.append(server.Process(target=_run, args=given))
        processes[-1].start()
    try:
        yield processes
    finally:
        for process in processes:
            if process.is_alive():
                os.kill(process.pid or 0, signal.SIGKILL)
        for process in processes:
            process.join()


def together(function: Callable[..., Any], folder: Path, *arguments: Any, **given: Any) -> list:
    """What the function returned on each rank. Fails if it raised on one."""
    with started(function, folder, *arguments, **given) as processes:
        deadline = time.monotonic() + DEADLINE
        while any(process.is_alive() for process in processes):
            failed = [process.exitcode for process in processes if process.exitcode]
            assert not failed, f"a rank ended with status {failed}"
            assert time.monotonic() < deadline, "the ranks hang"
            time.sleep(0.02)
        assert all(process.exitcode == 0 for process in processes)
    return [
        pickle.loads((folder / f"result{rank}").read_bytes())  # noqa: S301  # our own
        for rank in range(len(processes))
    ]
