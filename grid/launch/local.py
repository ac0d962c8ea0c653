"""The local launcher: runs a graph's missing stages side by side on this machine."""

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from grid.environment import revision
from grid.errors import StoreError
from grid.execution import ExecutionConfig
from grid.graph import DONE, TO_RUN, Graph, Stage, StageId
from grid.identity import plain
from grid.launch.display import Running, display, title
from grid.launch.report import Blocked, Failure, Report, Timing
from grid.launch.schedule import Schedule, slots_of
from grid.launch.servers import Server
from grid.lease import Observer
from grid.publish import write_json
from grid.stage import FAILED, HELD, STATUS, Outcome
from grid.store import Store
from grid.typed import name_of

_TICK = 0.25
"""Seconds between two looks at the display and at stages that others hold."""
_LOOK = 1.0
"""Seconds between two looks at one lease that another process holds."""
_RESTARTS = 3


def run(
    graph: Graph,
    store: Store,
    *,
    execution: ExecutionConfig | None = None,
    stream: TextIO | None = None,
    live: bool | None = None,
) -> Report:
    """Runs what is missing and returns what happened; a failed stage does not stop the others.

    Progress goes to `stream` (default: standard error), as a live table if `live` (default: if
    the stream is a terminal), otherwise as plain lines. Raises StoreError before anything runs if
    the store cannot be written to, and KeyboardInterrupt after a tidy stop on Ctrl-C or SIGTERM.
    """
    states = graph.states(store)
    report = Report(cached=[graph.stages[id] for id, state in states.items() if state == DONE])
    if TO_RUN not in states.values():
        return report
    store.prepare()
    store.clean()
    launcher = _Launcher(graph, store, states, execution or ExecutionConfig(), report)
    launcher.display = display(stream or sys.stderr, len(launcher.schedule.left), live)
    with _interruptible():
        try:
            launcher.work()
        except KeyboardInterrupt:
            launcher.display.say(
                f"Interrupted: {len(report.done)} stages finished in this run and are kept. "
                "The same command goes on from here."
            )
            raise
        finally:
            launcher.close()
    return report


class _Launcher:
    """The state of one run. Everything happens in one thread, on reports and on the clock."""

    def __init__(
        self,
        graph: Graph,
        store: Store,
        states: dict[StageId, str],
        execution: ExecutionConfig,
        report: Report,
    ) -> None:
        self.graph = graph
        self.store = store
        self.execution = execution
        self.report = report
        self.schedule = Schedule(graph, states)
        self.display: Any = None
        self._began = time.monotonic()
        self._servers: dict[bool, Server] = {}
        self._restarts = 0
        self._running: dict[str, Running] = {}
        self._waiting: dict[StageId, tuple[Observer, float]] = {}
        self._stopped: StoreError | None = None
        report.workers = execution.workers or max(1, _cores() // execution.threads)

    def work(self) -> None:
        """Until nothing is left that can run."""
        for needs_torch in (True, False):  # the slower import begins first
            if self.schedule.needs(needs_torch):
                self._start_server(needs_torch)
        while True:
            self._start_ready()
            if not self._running and not self._waiting and not self._importing():
                break
            self._listen()
            self._look_at_waiting()
            self.display.tick(list(self._running.values()), len(self.report.done))
        self.report.wall_seconds = time.monotonic() - self._began

    def close(self) -> None:
        """Ends the servers and whatever they run."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        self.display.close()
        with suppress(StoreError):  # what is left is harmless, and the next run tries again
            self.store.clean()

    def _importing(self) -> bool:
        """Whether stages are left for a server that is not ready yet."""
        return any(
            not server.ready and self.schedule.needs(needs_torch)
            for needs_torch, server in self._servers.items()
        )

    def _start_server(self, needs_torch: bool) -> None:
        left = (self.graph.stages[id] for id in self.schedule.left)
        modules = {stage.module for stage in left if stage.needs_torch == needs_torch}
        kind = "torch" if needs_torch else "light"
        if needs_torch and self.execution.device != "cpu":
            kind, modules = "cold", set()
        self._servers[needs_torch] = Server(kind, modules, self.execution.threads)

    def _start_ready(self) -> None:
        workers = self.report.workers
        ready = [needs_torch for needs_torch, server in self._servers.items() if server.ready]
        while self._stopped is None:
            held = sum(slots_of(each.stage, workers) for each in self._running.values())
            stage = self.schedule.take(ready, workers - held, workers)
            if stage is None:
                return
            self._start(stage)

    def _start(self, stage: Stage) -> None:
        if self.store.has(*stage.id):  # another launcher was there
            self._finish(stage)
            return
        observer = self._waiting.pop(stage.id, (None, 0.0))[0]
        if observer is None:
            observer = Observer(self.store.lease_folder(*stage.id))
            if not observer.available():
                self._wait(stage, observer)
                return
        seen = observer.seen
        job = {
            "stage": stage.name,
            "key": stage.key,
            "module": stage.module,
            "version": stage.version,
            "config_type": name_of(type(stage.config)),
            "config": plain(stage.config),
            "inputs": {role: list(id) for role, id in stage.inputs.items()},
            "store": str(self.store.root),
            "threads": self.execution.threads,
            "device": self.execution.device,
            "checkpoint_seconds": self.execution.checkpoint_seconds,
            "locations": dict(stage.locations),
            "revision": revision(),
            "wait": False,
            "stale": None if seen is None else asdict(seen),
        }
        try:
            folder = self.store.new_attempt(*stage.id, job)
        except StoreError as error:
            self._fail(stage, str(error), "store", None)
            return
        running = Running(stage=stage, folder=folder)
        self._running[str(folder)] = running
        self._servers[stage.needs_torch].run(folder)
        self.display.started(running)

    def _listen(self) -> None:
        """Takes the servers' reports, or lets a tick pass."""
        by_number = {server.fileno(): kind for kind, server in self._servers.items()}
        readable, _, _ = select.select(list(by_number), [], [], _TICK)
        for number in readable:
            kind = by_number[number]
            reports = self._servers[kind].reports()
            if reports is None:
                self._server_died(kind)
                continue
            for record in reports:
                if record["event"] == "ended":
                    self._ended(self._running.pop(record["folder"]), record)

    def _ended(self, running: Running, record: dict[str, Any]) -> None:
        stage, log = running.stage, running.folder / "log"
        outcome = record["outcome"]
        if record["status"] == STATUS[HELD]:
            self._wait(stage, Observer(self.store.lease_folder(*stage.id)))
            return
        self.report.timings[stage.id] = Timing(
            started=running.started - self._began,
            ended=time.monotonic() - self._began,
            cpu_seconds=record["cpu_seconds"],
            peak_bytes=record["peak_bytes"],
        )
        if record["status"] == 0:
            self.display.ended(running, "done")
            self._finish(stage)
        elif outcome is not None:
            self.display.ended(running, "failed")
            self._fail(stage, outcome["message"], outcome["kind"], log)
        else:
            self._died(running, _death(record["status"]))

    def _died(self, running: Running, message: str) -> None:
        """An attempt's process ended without a word: its outcome is written for it."""
        outcome = Outcome(state=FAILED, kind="crash", message=message, host=socket.gethostname())
        with suppress(OSError):
            write_json(running.folder / "outcome.json", asdict(outcome))
        self.display.ended(running, "failed")
        self._fail(running.stage, message, "crash", running.folder / "log")

    def _finish(self, stage: Stage) -> None:
        self._waiting.pop(stage.id, None)
        self.report.done.append(stage)
        self.schedule.finish(stage.id)

    def _fail(self, stage: Stage, message: str, kind: str, log: Path | None) -> None:
        self._waiting.pop(stage.id, None)
        self.report.failed.append(Failure(stage=stage, message=message, kind=kind, log=log))
        blocked = self.schedule.fail(stage.id)
        self.report.blocked += [Blocked(stage=each, because=stage) for each in blocked]
        if kind == "store" and self._stopped is None:
            # Every other stage would meet the same full or read-only disk.
            self._stopped = StoreError(message)
            under_way = {each.stage.id for each in self._running.values()}
            for each in self.graph.order():
                if each.id in self.schedule.left and each.id not in under_way:
                    self.schedule.left.discard(each.id)
                    self._waiting.pop(each.id, None)
                    self.report.blocked.append(Blocked(stage=each, because=stage))

    def _wait(self, stage: Stage, observer: Observer) -> None:
        if stage.id not in self.schedule.left or self._stopped is not None:
            return
        if stage.id not in self._waiting:
            self.display.say(f"{title(stage)}: another process works on it; waiting for it")
        self._waiting[stage.id] = (observer, time.monotonic() + _LOOK)

    def _look_at_waiting(self) -> None:
        now = time.monotonic()
        for id, (observer, due) in list(self._waiting.items()):
            if now < due:
                continue
            if self.store.has(*id):
                self._finish(self.graph.stages[id])
            elif observer.available():
                self._waiting[id] = (observer, float("inf"))
                self.schedule.put_back(id)
            else:
                self._waiting[id] = (observer, now + _LOOK)

    def _server_died(self, needs_torch: bool) -> None:
        server = self._servers.pop(needs_torch)
        message = server.obituary()
        server.close()
        for folder, running in list(self._running.items()):
            if running.stage.needs_torch == needs_torch:
                del self._running[folder]
                self._died(running, message)
        self._restarts += 1
        if server.ready and self._restarts <= _RESTARTS:
            if self.schedule.needs(needs_torch):
                self._start_server(needs_torch)
            return
        for stage in self.graph.order():
            if stage.id in self.schedule.left and stage.needs_torch == needs_torch:
                self._fail(stage, message, "crash", None)


def _death(status: int) -> str:
    if status >= 0:
        return f"its process ended with status {status} and no outcome"
    name = signal.Signals(-status).name
    hint = " (out of memory?)" if -status == signal.SIGKILL else ""
    return f"its process was ended by {name}{hint}"


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does, so that it is tidied up behind it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
