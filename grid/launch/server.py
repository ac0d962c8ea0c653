"""A fork server: imports once, then forks a clean process for each attempt that it is told to run.

`python -m grid.launch.server light|torch|cold MODULE...` reads `run`, `stop` or `kill` with an
attempt's folder, one a line, on standard input, and writes one JSON object a line on standard
output: `ready`, then `started` and `ended` for each attempt. So a short stage costs a fork instead
of a Python start with its imports, and still has a process, a log and a lease of its own. Attempts
stay in the launcher's process group, so that killing the group ends them all, and they die with the
server, which ends when its input does.
"""

import argparse
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from grid.environment import environment
from grid.job import limit_threads
from grid.outcome import STATUS
from grid.rank import redirect
from grid.signals import STOPS, end_with
from grid.stage import run_attempt

PRELOADED = {
    "light": ("numpy", "sentencepiece"),
    "torch": ("torch", "deepspeed", "model.ahead"),
    "cold": (),
}
"""Imported before a stage's own modules, which may import them only when they run. `cold` is for
accelerators: a library that has touched one cannot be used after a fork."""

_STOP_SECONDS = 2.0
_MESSAGE = 8000
"""Characters of an outcome's message: all of it must fit into a pipe."""


class _Server:
    def __init__(self, output: int) -> None:
        self._output = output
        self._children: dict[int, tuple[str, int]] = {}
        self._wake, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakes = wakes
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, *STOPS):  # the launcher decides what they stop
            signal.signal(number, signal.SIG_IGN)

    def serve(self) -> None:
        """Until the input ends; then ends what still runs."""
        self._send({"event": "ready", "pid": os.getpid()})
        pending = b""
        while True:
            readable, _, _ = select.select([0, self._wake], [], [])
            if self._wake in readable:
                self._reap()
            if 0 in readable:
                block = os.read(0, 65536)
                if not block:
                    break
                *lines, pending = (pending + block).split(b"\n")
                for line in lines:
                    self._obey(line.decode())
        self._stop()

    def _obey(self, line: str) -> None:
        what, _, folder = line.partition(" ")
        if what == "run":
            self._start(folder)
            return
        number = {"stop": signal.SIGTERM, "kill": signal.SIGKILL}[what]
        for pid, (running, _) in self._children.items():
            if running == folder:
                os.kill(pid, number)

    def _start(self, folder: str) -> None:
        results, result = os.pipe2(os.O_CLOEXEC)
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(results)
            self._attempt(server, Path(folder), result)
        os.close(result)
        self._children[pid] = (folder, results)
        self._send({"event": "started", "pid": pid, "folder": folder})

    def _attempt(self, server: int, folder: Path, result: int) -> None:
        """In the child: runs the attempt with its log as output, and never returns."""
        status = 1
        try:
            end_with(server)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, *STOPS):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (self._wake, self._wakes, self._output):
                os.close(descriptor)
            for _, results in self._children.values():
                os.close(results)
            redirect(folder / "log")
            outcome = run_attempt(folder)
            status = STATUS[outcome.state]
            record = asdict(outcome)
            record["message"] = record["message"][:_MESSAGE]
            os.write(result, json.dumps(record).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._wake, 4096):
                pass
        for pid in list(self._children):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                self._ended(pid, os.waitstatus_to_exitcode(status), usage)

    def _ended(self, pid: int, status: int, usage: Any) -> None:
        folder, results = self._children.pop(pid)
        with os.fdopen(results, "rb") as stream:
            outcome = stream.read()
        self._send(
            {
                "event": "ended",
                "pid": pid,
                "folder": folder,
                "status": status,
                "outcome": json.loads(outcome) if outcome else None,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_bytes": usage.ru_maxrss * 1024,
            }
        )

    def _stop(self) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._children:
                os.kill(pid, number)
            while self._children and (number == signal.SIGKILL or time.monotonic() < deadline):
                self._reap()
                time.sleep(0.01)

    def _send(self, record: dict[str, Any]) -> None:
        # A launcher that is gone takes no more reports; the end of the input says so.
        with suppress(BrokenPipeError):
            os.write(self._output, json.dumps(record).encode() + b"\n")


def _preload(modules: list[str]) -> None:
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:
            # The attempt that needs it fails with the same error, in its own log.
            print(f"{name} could not be imported ahead:", file=sys.stderr)
            traceback.print_exc()
    environment()
    gc.collect()
    gc.freeze()  # so that collections in children leave the shared pages alone


def main() -> None:
    """The command `python -m grid.launch.server`."""
    parser = argparse.ArgumentParser(prog="python -m grid.launch.server", description=__doc__)
    parser.add_argument("kind", choices=sorted(PRELOADED))
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    limit_threads(given.threads)
    output = os.dup(1)
    os.dup2(2, 1)  # whatever an import prints must not be taken for a report
    server = _Server(output)
    _preload([*PRELOADED[given.kind], *given.modules])
    server.serve()


if __name__ == "__main__":
    main()
