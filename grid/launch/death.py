"""How attempts that said nothing came to their end, and which of those that run have hung."""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from grid import memory
from grid.launch.display import Running, duration
from grid.outcome import CRASH, HUNG, KILLED, Outcome
from grid.publish import write_json
from grid.signals import death


class Deaths:
    """Judges ends by exit status, by the kernel's count of kills and by what it ended itself."""

    def __init__(self, hang_seconds: float | None) -> None:
        self._hang_seconds = hang_seconds
        self._killed_for_memory = memory.kills()

    def hung(self, running: Iterable[Running]) -> Iterator[Running]:
        """Trainings that have been silent for too long, each told once: they are to be killed.

        Only trainings report progress all the time. One of a single process may read for long
        before it begins; one of several ranks must begin, or its ranks have not found each other.
        """
        if self._hang_seconds is None:
            return
        now = time.monotonic()
        for each in running:
            if each.hung or not each.stage.resumable or now - each.heard < self._hang_seconds:
                continue
            each.refresh()
            begun = bool(each.latest) or each.stage.ranks > 1
            if begun and now - each.heard >= self._hang_seconds:
                each.hung = True
                yield each

    def cause(self, running: Running, status: int) -> tuple[str, str]:
        """Kind and message for an attempt whose process ended with this status (-: a signal)."""
        if running.hung:
            step = "before its first step"
            if "step" in running.latest:
                step = f"at step {running.latest['step']} of {running.latest['total']}"
            silent = duration(time.monotonic() - running.heard)
            return HUNG, f"it hung {step}: no progress for {silent}, so it was ended"
        lacked = self._lacked(status)
        return _kind(status, lacked), f"its process {death(status, memory=lacked)}"

    def of_server(self, status: int, message: str) -> tuple[str, str]:
        """The same for an attempt whose fork server ended."""
        lacked = self._lacked(status)
        return _kind(status, lacked), f"{message} (out of memory)" if lacked else message

    def _lacked(self, status: int) -> bool:
        """Whether the kernel has killed something for want of memory since the last look."""
        if status != -9:
            return False
        before, self._killed_for_memory = self._killed_for_memory, memory.kills()
        return self._killed_for_memory > before


def _kind(status: int, lacked: bool) -> str:
    if lacked:
        return memory.MEMORY
    return KILLED if status < 0 else CRASH


def add_cause(running: Running, outcome: dict[str, Any], cause: str) -> None:
    """Writes down why an attempt was stopped: it heard only that it should."""
    with suppress(OSError):
        write_json(running.folder / "outcome.json", {**outcome, "kind": cause})


def write_ending(running: Running, state: str, kind: str, message: str) -> None:
    """The outcome of an attempt that could not write it, or did not know the cause."""
    outcome = Outcome(
        state=state,
        kind=kind,
        message=message,
        wall_seconds=round(time.monotonic() - running.started, 3),
        host=socket.gethostname(),
    )
    with suppress(OSError):
        write_json(running.folder / "outcome.json", asdict(outcome))
