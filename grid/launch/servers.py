"""The launcher's end of a fork server: starts it, hands it attempts and reads its reports."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from grid.environment import python_path

_TAIL = 2000
_END_SECONDS = 10.0


class Server:
    """One fork server. It imports in the background: wait for `ready` before handing it work."""

    def __init__(self, kind: str, modules: Iterable[str], threads: int) -> None:
        self.kind = kind
        self.ready = False
        self._pending = b""
        # Not in the store: what a server prints is of use only if it dies.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the server
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "grid.launch.server",
                kind,
                *sorted(modules),
                "--threads",
                str(threads),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": python_path()},
            bufsize=0,
        )
        self._input = cast(IO[bytes], self._process.stdin)
        self._output = cast(IO[bytes], self._process.stdout)

    def fileno(self) -> int:
        """What to wait on for reports."""
        return self._output.fileno()

    def run(self, folder: Path) -> None:
        """Has an attempt run. A server that is gone says so through `reports`."""
        self._tell("run", folder)

    def stop(self, folder: Path) -> None:
        """Asks an attempt to save its state and end."""
        self._tell("stop", folder)

    def kill(self, folder: Path) -> None:
        """Ends an attempt at once."""
        self._tell("kill", folder)

    def _tell(self, what: str, folder: Path) -> None:
        with suppress(BrokenPipeError):
            self._input.write(f"{what} {folder}\n".encode())

    def reports(self) -> list[dict[str, Any]] | None:
        """What it reported since the last call (blocks if nothing); None if it is gone."""
        block = os.read(self.fileno(), 1 << 16)
        if not block:
            return None
        *lines, self._pending = (self._pending + block).split(b"\n")
        reports = [json.loads(line) for line in lines]
        self.ready = self.ready or any(report["event"] == "ready" for report in reports)
        return reports

    @property
    def status(self) -> int:
        """The exit status of one that has ended (negative: a signal)."""
        return self._process.wait()

    def obituary(self) -> str:
        """Why it ended: its status and the end of what it printed."""
        status = self._process.wait()
        self._log.seek(0)
        tail = self._log.read().decode("utf-8", "replace")[-_TAIL:].strip()
        return f"the {self.kind} stage server ended with status {status}: {tail or 'no output'}"

    def close(self) -> None:
        """Ends it, and with it every attempt that it runs."""
        self._input.close()
        if not self.ready:
            self._process.kill()  # it runs nothing yet, and would hear only after its imports
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
        self._log.close()
