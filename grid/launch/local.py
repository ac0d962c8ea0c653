"""The local launcher: runs a graph's missing stages side by side on this machine."""

import select
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from grid.errors import StoreError
from grid.execution import ExecutionConfig
from grid.graph import DONE, TO_RUN, Graph, Stage, StageId
from grid.launch.display import Running, display, duration, title
from grid.launch.gpus import Pool
from grid.launch.interrupt import Interrupts
from grid.launch.jobs import job_of
from grid.launch.report import Blocked, Failure, Report, Timing
from grid.launch.schedule import Schedule, slots_of
from grid.launch.servers import Server
from grid.lease import Observer
from grid.machine import cores
from grid.outcome import FAILED, HELD, STATUS, STOPPED, Outcome
from grid.publish import write_json
from grid.signals import death
from grid.store import Store

_TICK = 0.25
"""Seconds between two looks at the display and at stages that others hold."""
_LOOK = 1.0
"""Seconds between two looks at one lease that another process holds."""
_END_SECONDS = 2.0
"""Seconds that a stage which saves no state has to finish when a run is interrupted."""
_RESTARTS = 3


def run(
    graph: Graph,
    store: Store,
    *,
    execution: ExecutionConfig | None = None,
    stream: TextIO | None = None,
    live: bool | None = None,
    gpus: Sequence[str] | None = None,
) -> Report:
    """Runs what is missing and returns what happened; a failed stage does not stop the others.

    Progress goes to `stream` (default: standard error), as a live table if `live` (default: if
    the stream is a terminal), otherwise as plain lines. `gpus`: names of the GPUs to place stages
    on (default: those of this machine). Raises StoreError before anything runs if the store cannot
    be written to. On Ctrl-C or SIGTERM, stages that can be resumed save their state; then, or at
    once on a second signal, KeyboardInterrupt is raised.
    """
    states = graph.states(store)
    report = Report(cached=[graph.stages[id] for id, state in states.items() if state == DONE])
    if TO_RUN not in states.values():
        return report
    store.prepare()
    store.clean()
    execution = execution or ExecutionConfig()
    launcher = _Launcher(graph, store, states, execution, report, Pool(execution, gpus))
    launcher.display = display(stream or sys.stderr, len(launcher.schedule.left), live)
    with Interrupts() as interrupts:
        try:
            launcher.work(interrupts)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Interrupted: {len(report.done)} stages finished in this run and are kept. "
                "The same command goes on from here."
            ) from None
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
        pool: Pool,
    ) -> None:
        self.graph = graph
        self.store = store
        self.execution = execution
        self.report = report
        self.pool = pool
        self.schedule = Schedule(graph, states)
        self.display: Any = None
        self._began = time.monotonic()
        self._servers: dict[bool, Server] = {}
        self._restarts = 0
        self._running: dict[str, Running] = {}
        self._waiting: dict[StageId, tuple[Observer, float]] = {}
        self._full: Stage | None = None
        """The stage that found the store full or read-only: nothing is started after it."""
        self._deadlines: dict[str, float] = {}
        """When each attempt that was asked to stop is ended."""
        self._stopping = False
        report.workers = execution.workers or max(1, cores() // execution.threads)

    def work(self, interrupts: Interrupts) -> None:
        """Until nothing is left that can run. Raises KeyboardInterrupt after a tidy stop."""
        self._warn()
        for needs_torch in (True, False):  # the slower import begins first
            if self.schedule.needs(needs_torch):
                self._start_server(needs_torch)
        while True:
            if interrupts.asked:
                self._stop()
            self._start_ready()
            idle = not self._waiting and not self._importing()
            if not self._running and (idle or self._stopping):
                break
            self._listen()
            self._look_at_waiting()
            self.display.tick(list(self._running.values()), len(self.report.done))
        if self._stopping:
            raise KeyboardInterrupt
        self.report.wall_seconds = time.monotonic() - self._began

    def close(self) -> None:
        """Ends the servers and whatever they run."""
        for running in self._running.values():
            if running.stage.needs_torch in self._servers:
                self._servers[running.stage.needs_torch].kill(running.folder)
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        self.display.close()
        with suppress(StoreError):  # what is left is harmless, and the next run tries again
            self.store.clean()

    def _warn(self) -> None:
        """Says what will be slow: more ranks than there are cores."""
        most = max((self.graph.stages[id].ranks for id in self.schedule.left), default=1)
        threads = most * self.execution.threads
        if most > 1 and threads > cores():
            self.display.say(
                f"execution: {most} ranks of {self.execution.threads} threads share {cores()} "
                "cores of this machine, which is slower than fewer ranks"
            )

    def _stop(self) -> None:
        """Asks what runs to save its state, and ends what has not stopped in time."""
        now = time.monotonic()
        if not self._stopping:
            self._stopping = True
            for folder, running in self._running.items():
                patience = self.execution.stop_seconds if running.stage.resumable else _END_SECONDS
                self._deadlines[folder] = now + patience
            self._say_what_is_waited_for()
        for folder, running in self._running.items():
            server = self._servers[running.stage.needs_torch]
            if now < self._deadlines[folder]:
                server.stop(running.folder)  # each time: it may have just begun, and not heard
            else:
                server.kill(running.folder)

    def _say_what_is_waited_for(self) -> None:
        saving = [each.stage for each in self._running.values() if each.stage.resumable]
        others = len(self._running) - len(saving)
        waits = []
        if saving:
            names = ", ".join(title(stage) for stage in saving)
            waits.append(f"{duration(self.execution.stop_seconds)} for the state of {names}")
        if others:
            more = " more" if saving else ""
            stages = "stages" if others > 1 else "stage"
            waits.append(f"{duration(_END_SECONDS)} for {others}{more} {stages} to finish")
        if waits:
            self.display.say(
                f"Stopping: waiting at most {', '.join(waits)}. Ctrl-C again ends them at once."
            )

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
        while self._full is None and not self._stopping:
            held = sum(slots_of(each.stage, workers) for each in self._running.values())
            stage = self.schedule.take(ready, workers - held, workers, self.pool)
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
        gpus = self.pool.take(stage)
        job = job_of(stage, self.store, self.execution, devices=gpus, stale=observer.seen)
        try:
            folder = self.store.new_attempt(*stage.id, job)
        except StoreError as error:
            self.pool.give_back(gpus)
            self._fail(stage, str(error), "store", None)
            return
        running = Running(stage=stage, folder=folder, gpus=gpus)
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
                    self._ended(self._forget(record["folder"]), record)

    def _forget(self, folder: str) -> Running:
        """An attempt that runs no more: its GPUs are free."""
        running = self._running.pop(folder)
        self.pool.give_back(running.gpus)
        return running

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
            workers=slots_of(stage, self.report.workers),
        )
        if record["status"] == STATUS[DONE]:
            self.display.ended(running, "done")
            self._finish(stage)
        elif record["status"] == STATUS[STOPPED]:
            self.display.ended(running, "stopped")
            self._stopped(stage)
        elif outcome is not None:
            self.display.ended(running, "failed")
            self._fail(stage, outcome["message"], outcome["kind"], log)
        elif self._stopping:
            self._write_outcome(running, STOPPED, _unsaved(running))
            self.display.ended(running, "ended")
            self._stopped(stage)
        else:
            self._died(running, f"its process {death(record['status'])}")

    def _died(self, running: Running, message: str) -> None:
        """An attempt's process ended without a word: its outcome is written for it."""
        self._write_outcome(running, FAILED, message)
        self.display.ended(running, "failed")
        self._fail(running.stage, message, "crash", running.folder / "log")

    def _write_outcome(self, running: Running, state: str, message: str) -> None:
        kind = "crash" if state == FAILED else ""
        outcome = Outcome(state=state, kind=kind, message=message, host=socket.gethostname())
        with suppress(OSError):
            write_json(running.folder / "outcome.json", asdict(outcome))

    def _stopped(self, stage: Stage) -> None:
        """It saved its state, and is left to the next run; so is what waits for it."""
        self._waiting.pop(stage.id, None)
        self.report.stopped.append(stage)
        for each in self.schedule.fail(stage.id):
            self.report.blocked.append(Blocked(stage=each, because=stage))

    def _finish(self, stage: Stage) -> None:
        self._waiting.pop(stage.id, None)
        self.report.done.append(stage)
        self.schedule.finish(stage.id)

    def _fail(self, stage: Stage, message: str, kind: str, log: Path | None) -> None:
        self._waiting.pop(stage.id, None)
        self.report.failed.append(Failure(stage=stage, message=message, kind=kind, log=log))
        blocked = self.schedule.fail(stage.id)
        self.report.blocked += [Blocked(stage=each, because=stage) for each in blocked]
        if kind == "store" and self._full is None:
            # Every other stage would meet the same full or read-only disk.
            self._full = stage
            under_way = {each.stage.id for each in self._running.values()}
            for each in self.graph.order():
                if each.id in self.schedule.left and each.id not in under_way:
                    self.schedule.left.discard(each.id)
                    self._waiting.pop(each.id, None)
                    self.report.blocked.append(Blocked(stage=each, because=stage))

    def _wait(self, stage: Stage, observer: Observer) -> None:
        if self._full is not None:
            self.schedule.left.discard(stage.id)
            self.report.blocked.append(Blocked(stage=stage, because=self._full))
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
                self._died(self._forget(folder), message)
        self._restarts += 1
        if server.ready and self._restarts <= _RESTARTS:
            if self.schedule.needs(needs_torch) and not self._stopping:
                self._start_server(needs_torch)
            return
        for stage in self.graph.order():
            if stage.id in self.schedule.left and stage.needs_torch == needs_torch:
                self._fail(stage, message, "crash", None)


def _unsaved(running: Running) -> str:
    """What is said of a stage that was ended because it did not stop in time."""
    running.refresh()
    if "step" not in running.latest:
        return "stopped before it had saved its state"
    step, total = running.latest["step"], running.latest["total"]
    return f"stopped at step {step} of {total}, before it had saved its state there"
