"""How an attempt at a stage ended, or one of its ranks: states, exit statuses and messages."""

import resource
import socket
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grid.errors import StageError
from grid.memory import MEMORY, lacked
from grid.store import StorageError, explain
from model.errors import InputError, Stopped

DONE, FAILED, HELD, STOPPED = "done", "failed", "held", "stopped"
STATUS = {DONE: 0, FAILED: 1, HELD: 3, STOPPED: 4}
"""The exit status of each state."""

INPUT, STORE, CRASH = "input", "store", "crash"
KILLED, HUNG = "killed", "hung"
DAMAGED = "damaged"
TIME, NODE, PREEMPTED, CANCELLED = "time", "node", "preempted", "cancelled"
CAUSES = {
    INPUT: "a mistake in the study or in its text",
    STORE: "the store's disk is full or read-only",
    DAMAGED: "an artifact that it reads is damaged: the next run computes that anew",
    CRASH: "an error of the program: see the log",
    MEMORY: "it needed more memory than it had",
    TIME: "it needed more time than its job had",
    HUNG: "it made no progress any more and was ended",
    KILLED: "a process of it was ended by a signal",
    NODE: "the node that it ran on failed, or its job was ended there without a word",
    PREEMPTED: "a job of higher priority took its place",
    CANCELLED: "its job was cancelled",
}
"""Why an attempt did not end well: the values of `Outcome.kind`."""
TRANSIENT = (HUNG, KILLED)
"""Causes that lie outside the stage: trying again may help."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended. `kind` is the cause of a failure, or of a stop; see `CAUSES`."""

    state: str
    kind: str = ""
    message: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    host: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an exception means for the attempt that it ended."""

    state: str
    kind: str = ""
    message: str = ""
    told: str = ""
    """What the log is told: a user's mistake needs no traceback."""


def judge(error: BaseException) -> Verdict:
    """What the exception that a stage ended with means."""
    if isinstance(error, Stopped):
        message = str(error) or "stopped; the next attempt goes on from what was saved"
        return Verdict(state=STOPPED, message=message, told=message)
    if isinstance(error, StageError):
        return Verdict(state=FAILED, kind=error.kind, message=str(error), told=str(error))
    if isinstance(error, InputError):
        kind = "store" if isinstance(error, StorageError) else "input"
        return Verdict(state=FAILED, kind=kind, message=str(error), told=str(error))
    if isinstance(error, PermissionError):
        message = f"{error.filename}: permission denied. Make it readable for this user"
        return Verdict(state=FAILED, kind="input", message=message, told=message)
    told = "".join(traceback.format_exception(error)).rstrip()
    text = "".join(traceback.format_exception_only(error)).strip()
    kind = MEMORY if lacked(error) else CRASH
    return Verdict(state=FAILED, kind=kind, message=text, told=told)


def explained(error: BaseException, root: Path, stage: str) -> BaseException:
    """The error, or the clear one in its place where the store's disk is at fault."""
    return explain(error, root, f"running {stage}", own=False) or error


def log(text: str) -> None:
    """A line in the log, which may lie on the very disk that is full."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def measured(started: float, verdict: Verdict) -> Outcome:
    """The outcome of an attempt that began at `started` on the monotonic clock."""
    own, ranks = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    unit = 1 if sys.platform == "darwin" else 1024
    return Outcome(
        state=verdict.state,
        kind=verdict.kind,
        message=verdict.message,
        wall_seconds=round(time.monotonic() - started, 3),
        cpu_seconds=round(sum(each.ru_utime + each.ru_stime for each in (own, ranks)), 3),
        peak_bytes=max(own.ru_maxrss, ranks.ru_maxrss) * unit,
        host=socket.gethostname(),
    )


def tail(file: Path, characters: int = 800) -> str:
    """The end of a log, for a message; empty if there is none."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - 4 * characters))
            text = stream.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return text if len(text) <= characters else "... " + text[-characters:].lstrip()


def logs_of(attempt: Path) -> list[Path]:
    """The logs of an attempt: its own, which rank 0 shares, then those of the ranks above it."""
    ranks = [path for path in attempt.glob("log.rank*") if path.suffix[5:].isdigit()]
    ranks.sort(key=lambda path: int(path.suffix[5:]))
    return [path for path in (attempt / "log", *ranks) if path.is_file()]
