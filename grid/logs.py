"""The logs of attempts: printed, and followed while they are written."""

import io
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grid.confine import open_file
from grid.graph import StageId
from grid.lease import Observer
from grid.outcome import logs_of
from grid.store import Store

_LOOK = 0.5
"""Seconds between two looks at the files."""
_BLOCK = 1 << 16
_NAMED = 4
"""Stages of a job that are named."""


@dataclass(kw_only=True)
class Attempt:
    """One attempt, and how far its files have been printed."""

    id: StageId
    folder: Path
    printed: dict[str, int] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def ended(self) -> bool:
        return (self.folder / "outcome.json").exists()

    def new_lines(self, name: str) -> list[str]:
        """The whole lines that were added to one of its files since the last call."""
        try:
            with (self.folder / name).open("rb") as stream:
                stream.seek(self.printed.get(name, 0))
                block = stream.read()
        except FileNotFoundError:
            return []
        end = len(block) if self.ended else block.rfind(b"\n") + 1
        self.printed[name] = self.printed.get(name, 0) + end
        return block[:end].decode("utf-8", "replace").splitlines()


def latest(store: Store, stages: Iterable[StageId]) -> list[Attempt]:
    """The latest attempt at each stage that has been tried."""
    return [Attempt(id=id, folder=folder) for id in stages for folder in store.attempts(*id)[-1:]]


def show(attempt: Attempt) -> None:
    """Prints an attempt's log under a heading."""
    stage, key = attempt.id
    print(f"==> {stage} {key}, attempt {attempt.folder.name}: {attempt.log}")
    for log in logs_of(attempt.folder):  # one for each rank
        if log != attempt.log:
            print(f"--> {log}")
        _print(log, "(nothing was written to it)")


def show_job(log: Path, stages: Sequence[StageId]) -> None:
    """Prints what a job printed that has these stages and never came to try them."""
    names = ", ".join(f"{stage} {key}" for stage, key in stages[:_NAMED])
    more = f" and {len(stages) - _NAMED} more" if len(stages) > _NAMED else ""
    print(f"==> never tried: {names}{more}; their job printed: {log}")
    _print(log, "(nothing)")


def _print(log: Path, nothing: str) -> None:
    """Prints a log piece by piece, for it may be large; or that there is nothing in it."""
    with io.TextIOWrapper(open_file(log), encoding="utf-8", errors="replace") as text:
        block = text.read(_BLOCK)
        if not block.strip():
            print(nothing)
            return
        while block:
            end = block
            sys.stdout.write(block)
            block = text.read(_BLOCK)
        if not end.endswith("\n"):
            print()


def follow(store: Store, attempts: list[Attempt]) -> None:
    """Prints logs and progress as they are written, until every one of the attempts has ended.

    An attempt has ended when its outcome is there, or when nobody holds its stage any more.
    """
    open_: list[tuple[Attempt, Observer]] = []
    for attempt in attempts:
        if attempt.ended:
            show(attempt)
        else:
            open_.append((attempt, Observer(store.lease_folder(*attempt.id))))
    heading: Attempt | None = None
    while open_:
        left = []
        for attempt, observer in open_:
            over = attempt.ended or observer.available()
            if _print_new(attempt, attempt is not heading):
                heading = attempt
            if not over:
                left.append((attempt, observer))
            elif not attempt.ended:
                print(f"==> {attempt.id[0]} {attempt.id[1]}: nobody works on it any more")
        open_ = left
        sys.stdout.flush()
        if open_:
            time.sleep(_LOOK)


def _print_new(attempt: Attempt, heading: bool) -> bool:
    """Prints what is new of one attempt; whether there was anything."""
    logs = [log.name for log in logs_of(attempt.folder)]
    lines = [line for name in logs for line in attempt.new_lines(name)]
    lines += map(_progress, attempt.new_lines("progress.jsonl"))
    if lines and heading:
        stage, key = attempt.id
        print(f"==> {stage} {key}, attempt {attempt.folder.name}: {attempt.log}")
    for line in lines:
        print(line)
    return bool(lines)


def _progress(line: str) -> str:
    """One line of progress for people; as it is if it was cut short by a full disk."""
    try:
        record = json.loads(line)
        step, total = record.pop("step"), record.pop("total")
    except (ValueError, KeyError):
        return line
    record.pop("time", None)
    told = [f"{name} {value:.4g}" for name, value in record.items()]
    return ", ".join([f"step {step:,} of {total:,}", *told])
