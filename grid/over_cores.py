"""The same small work on very many things, dealt to the cores of this machine."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from grid.errors import StoreError
from grid.machine import cores
from grid.signals import end_with

_FEW = 4000
"""Things up to which further processes are not worth their start."""
_AT_ONCE = 250
"""Things that a process is given at a time."""
_MOST = 8
"""Processes: beyond them the disk, and not Python, is what is waited for."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def over_cores(
    work: Callable[[Item], Result], items: Sequence[Item], *, things: int | None = None
) -> Iterator[Result]:
    """What `work` returns for each item, in their order.

    things: how many these are, where an item is several.

    Children are copies of this process, so `work` may not depend on threads, locks or anything of
    polars or PyTorch, whose own threads a copy lacks. Where there are threads of Python's, whose
    locks it would hold for ever, and elsewhere than on Linux, all is done here. Raises StoreError
    if a child is killed.
    """
    processes = min(cores(), _MOST)
    alone = threading.active_count() == 1 and sys.platform == "linux"
    count = len(items) if things is None else things
    if processes == 1 or count <= _FEW or not alone:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(os.getpid(),))
    try:
        yield from pool.map(work, items, chunksize=max(1, _AT_ONCE * len(items) // count))
    except BrokenProcessPool:
        raise StoreError(
            "a process that looked through the store was killed, perhaps for want of memory. Run "
            "the same command again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    """Ctrl-C goes to all processes of a terminal: the parent hears it, and ends the others."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
