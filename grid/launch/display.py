"""Progress of a launcher: a live table on a terminal, plain lines elsewhere."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

from grid.graph import Stage

_LONG = 5.0
"""Estimated seconds from which the start of a stage is worth a line."""
_TOLD = 2.0
"""Seconds that a stage took from which its end is worth a line."""
_EVERY = 10.0
"""Seconds between two plain lines about what runs."""


@dataclass(kw_only=True)
class Running:
    """A stage under way, and the last that it said."""

    stage: Stage
    folder: Path
    gpus: Sequence[str] | None = None
    """The GPUs that it has for itself."""
    started: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    """When it last reported progress, or began."""
    hung: bool = False
    """Whether it is being ended because it made no progress."""
    latest: dict[str, Any] = field(default_factory=dict)
    _first: dict[str, Any] = field(default_factory=dict)
    _offset: int = 0
    _partial: bytes = b""

    def refresh(self) -> None:
        """Reads what was added to the stage's progress file."""
        try:
            with (self.folder / "progress.jsonl").open("rb") as stream:
                stream.seek(self._offset)
                block = stream.read()
        except FileNotFoundError:
            return
        if block:
            self.heard = time.monotonic()
        self._offset += len(block)
        *lines, self._partial = (self._partial + block).split(b"\n")
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue  # cut short by a full disk
            if not self._first or record["step"] < self.latest.get("step", 0):
                self._first = record
            self.latest = record

    def seconds_left(self) -> float | None:
        """By the pace since the first report; None if nothing can be said yet."""
        steps = self.latest.get("step", 0) - self._first.get("step", 0)
        if steps <= 0:
            return None
        pace = (self.latest["time"] - self._first["time"]) / steps
        since = time.time() - self.latest["time"]
        return max(0.0, (self.latest["total"] - self.latest["step"]) * pace - since)

    def columns(self) -> tuple[str, str, str, str]:
        """Step, loss, speed and time left, as far as they are known."""
        step = loss = speed = left = ""
        if "step" in self.latest:
            step = f"{self.latest['step']:,}/{self.latest['total']:,}"
        if "loss" in self.latest:
            loss = f"loss {self.latest['loss']:.3f}"
        if "tokens_per_s" in self.latest:
            speed = f"{self.latest['tokens_per_s'] / 1000:.1f}k tokens/s"
        seconds = self.seconds_left()
        if seconds is not None:
            left = f"{duration(seconds)} left"
        return step, loss, speed, left


class Display(Protocol):
    """What a launcher tells while it works."""

    def started(self, running: Running) -> None: ...
    def ended(self, running: Running, state: str) -> None: ...
    def say(self, text: str) -> None: ...
    def tick(self, running: list[Running], finished: int) -> None: ...
    def close(self) -> None: ...


def display(stream: TextIO, total: int, live: bool | None) -> Display:
    """The display for a stream: live if asked for, by default if it is a terminal."""
    if stream.isatty() if live is None else live:
        return _Live(stream, total)
    return _Plain(stream, total)


def title(stage: Stage) -> str:
    """A short name for people: kind, slug and the first digits of the hash."""
    slug, _, digest = stage.key.rpartition("-")
    return f"{stage.name} {slug}-{digest[:4]}"


def duration(seconds: float) -> str:
    """`7 s`, `4 min 05 s`, `3 h 12 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class _Plain:
    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._total = total
        self._finished = 0
        self._told = time.monotonic()

    def started(self, running: Running) -> None:
        if running.stage.seconds >= _LONG:
            self._line(f"{title(running.stage)}: started")

    def ended(self, running: Running, state: str) -> None:
        seconds = time.monotonic() - running.started
        if seconds >= _TOLD or state != "done":
            self._line(f"{title(running.stage)}: {state} after {duration(seconds)}")

    def say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def tick(self, running: list[Running], finished: int) -> None:
        self._finished = finished
        if time.monotonic() - self._told < _EVERY:
            return
        self._told = time.monotonic()
        for each in running:
            each.refresh()
            told = ", ".join(part for part in each.columns() if part)
            since = duration(time.monotonic() - each.started)
            self._line(f"{title(each.stage)}: {told or f'running for {since}'}")

    def close(self) -> None:
        self._stream.flush()

    def _line(self, text: str) -> None:
        width = len(str(self._total))
        self.say(f"[{self._finished:{width}}/{self._total}] {text}")


class _Live:
    def __init__(self, stream: TextIO, total: int) -> None:
        # Imported here: a run that is not watched does not pay for it.
        from rich.console import Console
        from rich.live import Live

        self._total = total
        self._console = Console(file=stream, force_terminal=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._began = time.monotonic()
        self._told = 0.0
        self._live.start()

    def started(self, running: Running) -> None:
        pass

    def ended(self, running: Running, state: str) -> None:
        if state != "done":
            self.say(f"{title(running.stage)}: {state}")

    def say(self, text: str) -> None:
        self._live.console.print(text, markup=False, highlight=False)

    def tick(self, running: list[Running], finished: int) -> None:
        from rich.table import Table

        if time.monotonic() - self._told < 0.25:
            return
        self._told = time.monotonic()
        table = Table.grid(padding=(0, 2))
        for justify in ("left", "right", "right", "right", "right"):
            table.add_column(justify=justify, no_wrap=True)
        for each in running:
            each.refresh()
            table.add_row(title(each.stage), *each.columns())
        elapsed = duration(time.monotonic() - self._began)
        table.add_row(f"{finished} of {self._total} stages", "", "", "", elapsed, style="bold")
        self._live.update(table, refresh=True)

    def close(self) -> None:
        self._live.stop()
