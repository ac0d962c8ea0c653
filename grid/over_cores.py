"""The same small work on very many things, dealt to the cores of this machine."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from grid.machine import cores

_FEW = 4000
"""Things up to which further processes are not worth their start."""
_AT_ONCE = 250
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
    polars or PyTorch. Where there are threads, whose locks a copy would hold for ever, or forks are
    not to be had, all is done here.
    """
    processes = min(cores(), _MOST)
    alone = threading.active_count() == 1 and "fork" in multiprocessing.get_all_start_methods()
    count = len(items) if things is None else things
    if processes == 1 or count <= _FEW or not alone:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("fork")
    with context.Pool(processes, initializer=_deaf) as pool:
        yield from pool.imap(work, items, chunksize=max(1, _AT_ONCE * len(items) // count))


def _deaf() -> None:
    """Ctrl-C goes to all processes of a terminal: the one that forked ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
