"""Has a stage computed by several ranks: starts their processes, watches them, and ends them all.

The attempt's process holds the lease and publishes; it computes nothing itself. A rank that dies
leaves the others waiting for it in a collective, so as soon as one ends badly they are all ended,
and the attempt fails with what happened to that one. A signal to stop is handed on to every rank.
Ranks are killed with the attempt's process, whatever ends it (grid/rank.py).
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grid import memory
from grid.environment import python_path
from grid.errors import StageError
from grid.job import Job
from grid.outcome import CRASH, DONE, FAILED, KILLED, STATUS, STOPPED, tail
from grid.signals import death, terminated_with
from grid.store import StorageError
from model.errors import InputError, Stopped

_WELL = (STATUS[DONE], STATUS[STOPPED])
_POLL = 0.05
_SETTLE = 0.2
"""Seconds in which ranks that failed of the same cause may still say so."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to start: one rank on this machine, or a scheduler's command for all of them."""

    arguments: Sequence[str]
    ranks: Sequence[int]
    environment: dict[str, str] = field(default_factory=dict)
    """Added to this process's own."""
    stop: int = signal.SIGTERM
    """The signal that asks its ranks to save their state and stop."""
    end_seconds: float = 2.0
    """Seconds between SIGTERM and SIGKILL for ranks that can do nothing useful any more."""
    told: Path | None = None
    """Where a scheduler's command says what became of its ranks; None: it is a rank itself."""
    read: Callable[[str], Mapping[int, int]] = lambda text: {}
    """The exit statuses (negative: a signal) of the ranks that, as it said, failed first."""
    cause: Callable[[str], str] = lambda text: CRASH
    """Why it ended itself, as an outcome's `kind`, from what it said."""


_PARTNER_LOST = re.compile(
    "connection (closed|reset) by|remote process exited|broken pipe", re.IGNORECASE
)
"""What gloo and NCCL tell a rank whose partner is gone: a scheduler may report this rank's end
before the killed one's, and then no rank is known that failed for another reason."""

Starter = Callable[[Job, Path, Path], Sequence[Command]]
"""The commands that run the ranks of a job; given its attempt folder and its output folder."""


def on_this_machine(job: Job, folder: Path, output: Path) -> list[Command]:
    """One process a rank, all here: each rank's local rank is its rank."""
    rank = [sys.executable, "-m", "grid.rank", str(folder), str(output)]
    return [
        Command(
            arguments=[*rank, "--parent", str(os.getpid())],
            ranks=[number],
            environment={
                "RANK": str(number),
                "LOCAL_RANK": str(number),
                "WORLD_SIZE": str(job.ranks),
                "PYTHONPATH": python_path(),
            },
        )
        for number in range(job.ranks)
    ]


def run_ranks(
    job: Job,
    folder: Path,
    output: Path,
    stop: threading.Event,
    starter: Starter = on_this_machine,
) -> None:
    """Runs the stage with `job.ranks` ranks; returns when all of them are done.

    Raises what a single process would: InputError and StorageError as the rank that failed raised
    them, Stopped if the ranks saved their state and stopped; StageError for a rank that crashed or
    was killed. No rank is left when this returns or raises.
    """
    killed_before = memory.kills()
    started: list[tuple[Command, subprocess.Popen[bytes]]] = []
    try:
        for command in starter(job, folder, output):
            started.append((command, _start(command)))
        asked = _watch(started, stop)
        time.sleep(_SETTLE if _failed(started) else 0.0)
        lacked = memory.kills() > killed_before or any(
            memory.told(_text(command.told)) for command, _ in started
        )
        _judge(_ends(started, folder), job.ranks, folder, asked=asked, lacked=lacked)
    finally:
        _end(started)


def _start(command: Command) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, **command.environment}
    if command.told is None:
        return subprocess.Popen(command.arguments, env=environment, stdin=subprocess.DEVNULL)
    with command.told.open("wb") as told:
        return subprocess.Popen(
            command.arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            preexec_fn=terminated_with(os.getpid()),  # it takes its ranks along
        )


def _watch(
    started: Sequence[tuple[Command, "subprocess.Popen[bytes]"]], stop: threading.Event
) -> bool:
    """Until all have ended or one has failed; whether they were asked to stop."""
    asked = False
    while not _failed(started):
        running = [each for each in started if each[1].poll() is None]
        if not running:
            break
        if stop.is_set() and not asked:
            asked = True
            for command, process in running:
                process.send_signal(command.stop)
        time.sleep(_POLL)
    return asked


def _failed(started: Sequence[tuple[Command, "subprocess.Popen[bytes]"]]) -> bool:
    return any(process.poll() not in (None, *_WELL) for _, process in started)


@dataclass(frozen=True, kw_only=True)
class _End:
    """How a rank ended: what it said itself, or the status that its process left."""

    rank: int
    status: int
    said: dict[str, Any]
    told: str = ""
    """What the command that started it said, where that is all there is."""
    cause: str = CRASH
    """Why that command ended."""

    @property
    def state(self) -> str:
        return str(self.said["state"]) if self.said else FAILED

    @property
    def order(self) -> tuple[int, float]:
        """The cause first: a killed rank says nothing, and its partners fail because of it."""
        if not self.said:
            return (0 if self.status < 0 else 3, 0.0)
        return (1 if self.said["kind"] in ("input", "store") else 2, float(self.said["time"]))


def _ends(started: Sequence[tuple[Command, "subprocess.Popen[bytes]"]], folder: Path) -> list[_End]:
    """The ranks of the processes that have ended."""
    ends = []
    for command, process in started:
        status = process.poll()
        if status is None:
            continue
        if command.told is None:
            ends += [
                _End(rank=rank, status=status, said=_said(folder, rank)) for rank in command.ranks
            ]
            continue
        text = _text(command.told)
        first = command.read(text) if status != 0 else {}
        for rank in command.ranks:
            said = _said(folder, rank)
            own = STATUS[said["state"]] if said else first.get(rank, status)
            cause = command.cause(text)
            ends.append(
                _End(rank=rank, status=own, said=said, told="" if first else text, cause=cause)
            )
    return ends


def _text(file: Path | None) -> str:
    """What a command said; nothing if it is a rank itself."""
    return "" if file is None else file.read_text(encoding="utf-8", errors="replace")


def _said(folder: Path, rank: int) -> dict[str, Any]:
    """What a rank wrote at its end; empty if it was ended before."""
    try:
        return dict(json.loads((folder / f"rank{rank}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _judge(ends: Sequence[_End], ranks: int, folder: Path, *, asked: bool, lacked: bool) -> None:
    """Raises what the ranks' ends mean, unless all are done."""
    # Asked to stop before it could hear: it had nothing to save yet, and took silent ones along.
    asking = (-signal.SIGTERM, -signal.SIGUSR1)
    unheard = [end for end in ends if asked and not end.said and end.status in asking]
    told = [end for end in ends if end.said] if unheard else ends
    bad = [end for end in told if end.status not in _WELL]
    failed = [end for end in told if end.state == FAILED] or bad
    if failed:
        raise _error(min(failed, key=lambda end: end.order), ranks, folder, lacked)
    stopped = [end for end in ends if end.state == STOPPED]
    if stopped:
        raise Stopped(stopped[0].said["message"])
    if unheard:
        raise Stopped("stopped before it began")


def _error(end: _End, ranks: int, folder: Path, lacked: bool) -> Exception:
    if end.said.get("kind") == "input":
        return InputError(end.said["message"])
    if end.said.get("kind") == "store":
        return StorageError(end.said["message"])
    name = f"rank {end.rank} of {ranks}"
    if end.said and end.state == FAILED and _PARTNER_LOST.search(end.said["message"]):
        return StageError(f"{name} lost another rank: {end.said['message']}", KILLED)
    if end.said and end.state == FAILED:
        return StageError(f"{name} failed: {end.said['message']}", end.said["kind"])
    if end.told:
        return StageError(
            f"the command that starts the ranks {death(end.status)}: {end.told[-800:].strip()}",
            memory.MEMORY if lacked else end.cause,
        )
    log = folder / ("log" if end.rank == 0 else f"log.rank{end.rank}")
    last = tail(log)
    said = f"; the end of its log:\n{last}" if last else "; its log is empty"
    lacked = lacked and end.status == -signal.SIGKILL
    kind = memory.MEMORY if lacked else KILLED if end.status < 0 else CRASH
    return StageError(f"{name} {death(end.status, memory=lacked)}{said}", kind)


def _end(started: Sequence[tuple[Command, "subprocess.Popen[bytes]"]]) -> None:
    """Ends what still runs."""
    running = [each for each in started if each[1].poll() is None]
    for _, process in running:
        process.terminate()
    began = time.monotonic()
    for command, process in running:
        try:
            process.wait(max(0.0, began + command.end_seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
