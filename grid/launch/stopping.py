"""Stops what a launcher runs: stages that can be resumed get time to save, the others less."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from grid.execution import ExecutionConfig
from grid.graph import Stage
from grid.launch.display import Running, duration, title
from grid.launch.servers import Server
from grid.outcome import FAILED, STOPPED

END_SECONDS = 2.0
"""Seconds that a stage which saves no state has to finish when a run is interrupted."""


class Request(Protocol):
    """Who may ask a launcher to stop (Ctrl-C, a batch system), and what follows for its stages."""

    asked: bool

    @property
    def cause(self) -> str:
        """Why, as an outcome's `kind`; empty if a person asked."""

    def seconds(self, stage: Stage, execution: ExecutionConfig) -> float:
        """How long a stage has, from now, to save its state or to finish."""

    def failed(self, running: Running) -> bool:
        """Whether a stage that did not stop in time has failed, and is not merely stopped."""


class Stopping:
    """Asks what runs to save its state, and ends what has not stopped in time."""

    def __init__(self, execution: ExecutionConfig, say: Callable[[str], None]) -> None:
        self._execution = execution
        self._say = say
        self._request: Request | None = None
        self._deadlines: dict[str, float] = {}

    def __bool__(self) -> bool:
        return self._request is not None

    @property
    def cause(self) -> str:
        return "" if self._request is None else self._request.cause

    def stop(
        self, request: Request, running: Mapping[str, Running], servers: Mapping[bool, Server]
    ) -> None:
        """To be called again and again until nothing runs."""
        now = time.monotonic()
        if self._request is None:
            self._request = request
            for folder, each in running.items():
                self._deadlines[folder] = now + request.seconds(each.stage, self._execution)
            self._tell([each.stage for each in running.values()], request)
        for folder, each in running.items():
            server = servers[each.stage.imports_torch]
            if now >= self._deadlines[folder]:
                server.kill(each.folder)
            else:
                server.stop(each.folder)  # each time: it may have just begun, and not heard

    def verdict(self, running: Running) -> tuple[str, str, str]:
        """State, kind and message of an attempt that was ended before it had saved anything."""
        running.refresh()
        said = "stopped before it had saved its state"
        if "step" in running.latest:
            step, total = running.latest["step"], running.latest["total"]
            said = f"stopped at step {step} of {total}, before it had saved its state there"
        if self._request is not None and self._request.failed(running):
            since = duration(time.monotonic() - running.started)
            return FAILED, self.cause, f"its job's time was up after {since}: {said}"
        return STOPPED, self.cause, said

    def _tell(self, stages: list[Stage], request: Request) -> None:
        saving = [stage for stage in stages if stage.resumable]
        others = [stage for stage in stages if not stage.resumable]
        waits = []
        if saving:
            names = ", ".join(title(stage) for stage in saving)
            longest = request.seconds(saving[0], self._execution)
            waits.append(f"{duration(longest)} for the state of {names}")
        if others:
            more = " more" if saving else ""
            plural = "stages" if len(others) > 1 else "stage"
            longest = request.seconds(others[0], self._execution)
            waits.append(f"{duration(longest)} for {len(others)}{more} {plural} to finish")
        if waits:
            hint = "" if request.cause else " Ctrl-C again ends them at once."
            self._say(f"Stopping: waiting at most {', '.join(waits)}.{hint}")
