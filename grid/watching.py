"""Watches studies until nothing runs or waits: live on a terminal, in plain lines elsewhere."""

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TextIO

from grid.graph import StageId
from grid.launch.display import duration, title
from grid.overview import Look, Overview
from grid.overview_text import counted, report

EVERY = 2.0
"""Seconds between two looks at the files; Slurm is asked less often (`grid.slurm.queue`)."""
_SHARE = 0.1
"""The most of the time that is spent looking: a large store on a slow disk is read less often."""
_STILL = 3
"""Looks in a row that find nothing moving: a launcher may be between two stages at one."""
_LINE = 10.0
"""Seconds between two plain lines at least, while something changes."""
_HEARTBEAT = 60.0
"""Seconds between two plain lines when nothing does."""


class Screen(AbstractContextManager["Screen"], Protocol):
    """Where looks are shown."""

    def show(self, look: Look) -> None: ...


def watch(overview: Overview, screen: Screen) -> Look:
    """The last look: all is done, or nothing more happens by itself."""
    still = 0
    with screen:
        while True:
            began = time.monotonic()
            look = overview.look()
            screen.show(look)
            unknown = look.view.trouble is not None and look.view.asks_again
            still = 0 if look.moving or unknown else still + 1
            if look.done or (look.settled and not unknown) or still >= _STILL:
                return look
            time.sleep(max(EVERY, (time.monotonic() - began) / _SHARE))


def screen(
    overview: Overview, stream: TextIO, call: Callable[[StageId], str], live: bool | None = None
) -> Screen:
    """The screen for a stream: live if asked for, by default if it is a terminal."""
    if stream.isatty() if live is None else live:
        return _Live(overview, stream, call)
    return Lines(overview, stream)


class Lines:
    """A line when something has changed, not too often; and one for each failure."""

    def __init__(self, overview: Overview, stream: TextIO) -> None:
        self._overview = overview
        self._stream = stream
        self._told = ""
        self._due = 0.0
        self._trouble: str | None = None
        self._failed: set[tuple[StageId, Path | None]] = set()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.flush()

    def show(self, look: Look) -> None:
        if look.view.trouble not in (None, self._trouble):
            self._say(f"Slurm: {look.view.trouble}. Asking again; files are read meanwhile")
        self._trouble = look.view.trouble
        for id, found in look.of("failed"):
            if (id, found.attempt) not in self._failed:
                self._failed.add((id, found.attempt))
                said = (found.message or "").partition("\n")[0]
                self._say(f"failed: {title(self._overview.graph.stages[id])}: {said}")
        now, told = time.monotonic(), counted(look.counts)
        if (now >= self._due and told != self._told) or now >= self._due + _HEARTBEAT - _LINE:
            self._due, self._told = now + _LINE, told
            left = [s for each in look.running.values() if (s := each.seconds_left()) is not None]
            self._say(told + (f"; {duration(max(left))} left of what runs" if left else ""))

    def _say(self, text: str) -> None:
        self._stream.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        self._stream.flush()


class _Live:
    """The whole report, again and again in one place."""

    def __init__(self, overview: Overview, stream: TextIO, call: Callable[[StageId], str]) -> None:
        # Imported here: a call that is not watched does not pay for it.
        from rich.console import Console
        from rich.live import Live

        self._overview = overview
        self._call = call
        self._console = Console(file=stream, force_terminal=True)
        self._live: Any = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> "_Live":
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, look: Look) -> None:
        from rich.text import Text

        width, height = shutil.get_terminal_size((80, 24))
        lines = list(report(self._overview, look, self._call, width - 1))
        if len(lines) > height - 1:
            lines = [*lines[: height - 2], "… more without --watch"]
        self._live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)
