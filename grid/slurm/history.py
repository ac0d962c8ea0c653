"""What the last failures of a stage teach its next request: more memory, or more time."""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grid.confine import read_file
from grid.graph import StageId
from grid.outcome import FAILED
from grid.store import Store

MEMORY, TIME = "memory", "time"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How often a stage ran out of memory or time since it last ended otherwise."""

    memory: int = 0
    time: int = 0
    had_mb: int = 0
    """Memory of the jobs in which it ran out of it; 0 if that is not known."""
    had_minutes: int = 0
    """Time limit of the jobs in which it ran out of time; 0 if that is not known."""
    message: str = ""
    """What the last of these failures said."""

    @property
    def failures(self) -> int:
        return self.memory + self.time

    def megabytes(self, estimate: float) -> float:
        """What to ask for: twice what was not enough, or the estimate doubled for each failure."""
        return max(estimate, 2 * self.had_mb) if self.had_mb else estimate * 2**self.memory

    def minutes(self, estimate: float) -> float:
        """As `megabytes`."""
        return max(estimate, 2 * self.had_minutes) if self.had_minutes else estimate * 2**self.time


def lessons(store: Store, ids: Collection[StageId]) -> dict[StageId, Lesson]:
    """The lessons of those stages that have any: one listing for each kind of stage."""
    found = {}
    for kind in {stage for stage, _ in ids}:
        try:
            tried = set(os.listdir(store.root / "attempts" / kind))
        except FileNotFoundError:
            continue
        for id in ids:
            if id[0] == kind and id[1] in tried:
                lesson = _lesson(store.attempts(*id))
                if lesson.failures:
                    found[id] = lesson
    return found


def _lesson(attempts: list[Path]) -> Lesson:
    lesson = Lesson()
    for attempt in reversed(attempts):
        outcome = _read(attempt / "outcome.json")
        if not outcome:
            continue  # it ended without a word, and teaches nothing
        if outcome.get("state") != FAILED or outcome.get("kind") not in (MEMORY, TIME):
            break
        had = _read(attempt / "job.json").get("batch") or {}
        message = lesson.message or str(outcome.get("message", ""))
        if outcome["kind"] == MEMORY:
            most = max(lesson.had_mb, had.get("memory_mb") or 0)
            lesson = replace(lesson, memory=lesson.memory + 1, had_mb=most, message=message)
        else:
            most = max(lesson.had_minutes, had.get("minutes") or 0)
            lesson = replace(lesson, time=lesson.time + 1, had_minutes=most, message=message)
    return lesson


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(read_file(path)))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
