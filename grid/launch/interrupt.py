"""Ctrl-C and SIGTERM while a launcher works: the first asks it to stop, the second ends it."""

import signal
import threading
from types import FrameType, TracebackType

from grid.execution import ExecutionConfig
from grid.graph import Stage
from grid.launch.display import Running
from grid.launch.stopping import END_SECONDS


class Interrupts:
    """A context in which the first signal is remembered and the second raises KeyboardInterrupt.

    Only in the main thread of a process; elsewhere signals stay what they are.
    """

    cause = ""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._signalled)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what `signal` gave

    def seconds(self, stage: Stage, execution: ExecutionConfig) -> float:
        """What can be resumed may save its state; the rest would only keep the person waiting."""
        return execution.stop_seconds if stage.resumable else END_SECONDS

    def failed(self, running: Running) -> bool:
        """Nothing has failed because a person stops it."""
        return False

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
