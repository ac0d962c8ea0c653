"""The local launcher: runs a graph's missing stages side by side on this machine."""

import select
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from grid.damage import set_aside
from grid.errors import StoreError
from grid.execution import ExecutionConfig
from grid.graph import DONE, Graph, Stage, StageId
from grid.launch.death import Deaths, add_cause, write_ending
from grid.launch.display import Running, display, title
from grid.launch.gpus import Pool
from grid.launch.interrupt import Interrupts
from grid.launch.jobs import job_of
from grid.launch.policy import Policy
from grid.launch.report import Blocked, Failure, Report, Timing
from grid.launch.schedule import Schedule, slots_of
from grid.launch.servers import Server
from grid.launch.stopping import Request, Stopping
from grid.launch.waiting import DONE as MADE
from grid.launch.waiting import FREE, Waiting
from grid.lease import Observer
from grid.machine import cores
from grid.outcome import CRASH, FAILED, HELD, STATUS, STOPPED, STORE, TRANSIENT
from grid.printing import safe
from grid.store import Store, explain

_TICK = 0.25
"""Seconds between two looks at the display and at stages that others hold."""
_RESTARTS = 3
_SIGNALLED = 1.0
"""Seconds in which a signal to all processes of a job reaches the last of them."""


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
    on (default: those of this machine). Artifacts that are damaged are taken out of their place
    first. Raises StoreError before anything runs if the store cannot be written to, and later if
    its disk fails the launcher itself. On Ctrl-C or SIGTERM, stages that can be resumed save their
    state; then, or at once on a second signal, KeyboardInterrupt is raised.
    """
    execution = execution or ExecutionConfig()
    stream = stream or sys.stderr
    damaged = set_aside(graph, store, lambda text: print(safe(text), file=stream, flush=True))
    launcher = Launcher(graph, store, execution, Pool(execution, gpus), Policy())
    launcher.report.damaged = damaged
    with Interrupts() as interrupts:
        try:
            report = launcher.run(interrupts, stream, live)
        except KeyboardInterrupt:
            raise _interrupted(launcher.report) from None
        if interrupts.asked and launcher.stopped:
            raise _interrupted(report)
    return report


def _interrupted(report: Report) -> KeyboardInterrupt:
    return KeyboardInterrupt(
        f"Interrupted: {len(report.done)} stages finished in this run and are kept. "
        "The same command goes on from here."
    )


class Launcher:
    """The state of one run. Everything happens in one thread, on reports and on the clock."""

    def __init__(
        self, graph: Graph, store: Store, execution: ExecutionConfig, pool: Pool, policy: Policy
    ) -> None:
        self.graph = graph
        self.store = store
        self.execution = execution
        self.pool = pool
        self.policy = policy
        states = graph.states(store)
        self.schedule = Schedule(graph, states)
        cached = [graph.stages[id] for id, state in states.items() if state == DONE]
        self.report = Report(cached=cached)
        self.report.workers = execution.workers or max(1, cores() // execution.threads)
        self.display: Any = None
        self._began = time.monotonic()
        self._request: Request  # what `run` is given
        self._servers: dict[bool, Server] = {}
        self._restarts = 0
        self._running: dict[str, Running] = {}
        self._waiting = Waiting(store, policy.wait)
        self._stopping = Stopping(execution, lambda text: self.display.say(text))
        self._deaths = Deaths(execution.hang_seconds)
        self._again: dict[StageId, int] = {}
        """How often each stage was tried again."""
        self._full: Stage | None = None
        """The stage that found the store full or read-only: nothing is started after it."""

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop before all was done."""
        return bool(self._stopping)

    def run(self, request: Request, stream: TextIO, live: bool | None) -> Report:
        """Until nothing is left that can run, or a stop that was requested is over."""
        if not self.schedule.left:
            self._clean()
            return self.report
        self._request = request
        self.store.prepare()
        self.store.clean()
        self.display = display(stream, len(self.schedule.left), live)
        try:
            self._work(request)
        except OSError as error:
            clear = explain(error, self.store.root, "running its stages", own=False)
            if clear is None:
                raise
            raise clear from error
        finally:
            self._close()
        return self.report

    def _work(self, request: Request) -> None:
        self._warn()
        for imports_torch in (True, False):  # the slower import begins first
            if self.schedule.needs(imports_torch):
                self._start_server(imports_torch)
        while True:
            if request.asked:
                self._stopping.stop(request, self._running, self._servers)
            self._start_ready()
            idle = not self._waiting and not self._importing()
            if not self._running and (idle or self._stopping):
                break
            self._listen()
            self._look_at_waiting()
            for hung in self._deaths.hung(self._running.values()):
                self._servers[hung.stage.imports_torch].kill(hung.folder)
            self.display.tick(list(self._running.values()), len(self.report.done))
        self.report.wall_seconds = time.monotonic() - self._began

    def _close(self) -> None:
        """Ends the servers and whatever they run."""
        for running in self._running.values():
            if running.stage.imports_torch in self._servers:
                self._servers[running.stage.imports_torch].kill(running.folder)
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        self.display.close()
        self._clean()

    def _clean(self) -> None:
        with suppress(StoreError):  # what is left is harmless, and the next run tries again
            self.store.clean()

    def _warn(self) -> None:
        """Says what will be slow: more ranks than there are cores."""
        most = max((self.graph.stages[id].ranks for id in self.schedule.left), default=1)
        threads = most * self.execution.threads
        if most > 1 and threads > cores() and self.policy.batch is None:
            self.display.say(
                f"execution: {most} ranks of {self.execution.threads} threads share {cores()} "
                "cores of this machine, which is slower than fewer ranks"
            )

    def _importing(self) -> bool:
        """Whether stages are left for a server that is not ready yet."""
        return any(
            not server.ready and self.schedule.needs(imports_torch)
            for imports_torch, server in self._servers.items()
        )

    def _start_server(self, imports_torch: bool) -> None:
        left = (self.graph.stages[id] for id in self.schedule.left)
        alone = (stage for stage in left if stage.ranks == 1)  # ranks import for themselves
        modules = {stage.module for stage in alone if stage.imports_torch == imports_torch}
        kind = "torch" if imports_torch else "light"
        if imports_torch and self.execution.device != "cpu":
            kind, modules = "cold", set()
        self._servers[imports_torch] = Server(kind, modules, self.execution.threads)

    def _start_ready(self) -> None:
        workers = self.report.workers
        ready = [imports_torch for imports_torch, server in self._servers.items() if server.ready]
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
        observer = self._waiting.take(stage.id)
        if observer is None:
            observer = Observer(self.store.lease_folder(*stage.id))
            if not observer.available():
                self._wait(stage, observer)
                return
        gpus = self.pool.take(stage)
        job = job_of(
            stage,
            self.store,
            self.execution,
            devices=gpus,
            stale=observer.seen,
            batch=self.policy.batch,
        )
        try:
            folder = self.store.new_attempt(*stage.id, job)
        except StoreError as error:
            self.pool.give_back(stage, gpus)
            self._fail(stage, str(error), STORE, None)
            return
        running = Running(stage=stage, folder=folder, gpus=gpus)
        self._running[str(folder)] = running
        self._servers[stage.imports_torch].run(folder)
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
        self.pool.give_back(running.stage, running.gpus)
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
            if cause := self._cause_of_stop():
                add_cause(running, outcome, cause)
            self._stopped(stage)
        elif outcome is not None and not (self._stopping.cause and outcome["kind"] in TRANSIENT):
            self.display.ended(running, "failed")
            self._fail(stage, outcome["message"], outcome["kind"], log)
        elif self._stopping and not running.hung:  # what ends a job kills its ranks, too
            state, kind, message = self._stopping.verdict(running)
            write_ending(running, state, kind, message)
            self.display.ended(running, "ended")
            if state == FAILED:
                self._fail(stage, message, kind, log)
            else:
                self._stopped(stage)
        else:
            self._died(running, *self._deaths.cause(running, record["status"]))

    def _cause_of_stop(self) -> str:
        """Why an attempt has stopped: a batch system signals all processes, this one maybe last."""
        deadline = time.monotonic() + _SIGNALLED
        while not self._request.asked and time.monotonic() < deadline:
            time.sleep(0.01)
        return self._request.cause if self._request.asked else ""

    def _died(self, running: Running, kind: str, message: str) -> None:
        """An attempt's process ended without a word: its outcome is written for it."""
        write_ending(running, FAILED, kind, message)
        self.display.ended(running, "failed")
        self._fail(running.stage, message, kind, running.folder / "log")

    def _stopped(self, stage: Stage) -> None:
        """It saved its state, and is left to the next run; so is what waits for it."""
        self._waiting.take(stage.id)
        self.report.stopped.append(stage)
        self._block(stage)

    def _leave(self, stage: Stage) -> None:
        """Another process works on it: that one, or a later run, goes on with what waits for it."""
        self._waiting.take(stage.id)
        self.report.held.append(stage)
        self._block(stage)

    def _block(self, stage: Stage) -> None:
        """What waits for this stage cannot run now."""
        for each in self.schedule.fail(stage.id):
            self.report.blocked.append(Blocked(stage=each, because=stage))

    def _finish(self, stage: Stage) -> None:
        self._waiting.take(stage.id)
        self.report.done.append(stage)
        self.schedule.finish(stage.id)

    def _fail(self, stage: Stage, message: str, kind: str, log: Path | None) -> None:
        self._waiting.take(stage.id)
        again = self._again.get(stage.id, 0)
        if kind in TRANSIENT and again < self.policy.retries and not self._stopping:
            self._again[stage.id] = again + 1
            self.display.say(
                f"{title(stage)}: {message.partition(chr(10))[0]}; "
                f"tried again ({again + 1} of {self.policy.retries})"
            )
            self.schedule.put_back(stage.id)
            return
        self.report.failed.append(Failure(stage=stage, message=message, kind=kind, log=log))
        self._block(stage)
        if kind == STORE and self._full is None:
            # Every other stage would meet the same full or read-only disk.
            self._full = stage
            under_way = {each.stage.id for each in self._running.values()}
            for each in self.graph.order():
                if each.id in self.schedule.left and each.id not in under_way:
                    self.schedule.left.discard(each.id)
                    self._waiting.take(each.id)
                    self.report.blocked.append(Blocked(stage=each, because=stage))

    def _wait(self, stage: Stage, observer: Observer) -> None:
        if self._full is not None:
            self.schedule.left.discard(stage.id)
            self.report.blocked.append(Blocked(stage=stage, because=self._full))
            return
        if not self.policy.wait and observer.alive:
            self._leave(stage)
            return
        if stage.id not in self._waiting and self.policy.wait:
            self.display.say(f"{title(stage)}: another process works on it; waiting for it")
        self._waiting.add(stage, observer)

    def _look_at_waiting(self) -> None:
        for id, state in self._waiting.look():
            stage = self.graph.stages[id]
            if state == MADE:
                self._finish(stage)
            elif state == FREE:
                self.schedule.put_back(id)
            else:
                self._leave(stage)

    def _server_died(self, imports_torch: bool) -> None:
        server = self._servers.pop(imports_torch)
        message = server.obituary()
        server.close()
        for folder, running in list(self._running.items()):
            if running.stage.imports_torch == imports_torch:
                self._died(self._forget(folder), *self._deaths.of_server(server.status, message))
        self._restarts += 1
        if server.ready and self._restarts <= _RESTARTS:
            if self.schedule.needs(imports_torch) and not self._stopping:
                self._start_server(imports_torch)
            return
        for stage in self.graph.order():
            if stage.id in self.schedule.left and stage.imports_torch == imports_torch:
                self._fail(stage, message, CRASH, None)
