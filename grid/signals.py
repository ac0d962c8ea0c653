"""Signals that ask a stage to save its state and stop: SIGTERM, SIGUSR1 and SIGUSR2.

Schedulers send one of them before a time limit or a preemption, and the local launcher when it is
interrupted. A stage sees `context.stop` and raises `model.errors.Stopped` once it has saved. Ctrl-C
is no such request: it is the launcher that decides what it means for the stages.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Callable

STOPS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_PR_SET_PDEATHSIG = 1


def stop_event() -> threading.Event:
    """An event that the first of these signals sets; later ones are ignored.

    Only the main thread of a process can take signals: in another one, nothing sets the event.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        return stop

    def asked(*_: object) -> None:
        # Disarmed first: a handler that interrupts itself within `set` would wait for itself.
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
        stop.set()

    for number in STOPS:
        signal.signal(number, asked)
    return stop


def end_with(parent: int) -> None:
    """Has this process killed as soon as its parent ends; ends it now if that is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def terminated_with(parent: int) -> Callable[[], None]:
    """For a process that is to be started: has it sent SIGTERM as soon as its parent ends."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # now, for a fork may not load anything

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def death(status: int, *, memory: bool = False) -> str:
    """How a process ended that said nothing, from its exit status (negative: a signal).

    memory: whether the kernel is known to have killed it for want of memory.
    """
    if memory:
        return "was ended by the kernel, out of memory"
    if status >= 0:
        return f"ended with status {status} and no outcome"
    name = signal.Signals(-status).name
    hint = " (out of memory?)" if -status == signal.SIGKILL else ""
    return f"was ended by {name}{hint}"
