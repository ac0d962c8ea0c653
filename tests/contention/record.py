"""Reads the log of a campaign and judges it: was every stage computed by one process at a time?

A computation is one call of a stage's module. Two of one key may overlap only if the earlier one's
holder lost its lease while it was stopped, and then its output must not be what was published.
"""

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

NEVER = float("inf")
_GRACE = 3.0
"""Seconds in which what is killed takes its children along, which may still begin something."""
_HIDDEN = 12
"""Digits of a key's hash that the launcher does not show (`grid.launch.display.title`)."""


@dataclass(kw_only=True)
class Computation:
    """One call of a stage's module, in seconds of the monotonic clock."""

    key: str
    token: str
    worker: str
    pid: int
    lease: int
    start: float
    end: float = NEVER
    """Never, if it was killed or ended itself."""
    killed: float = NEVER
    stops: list[tuple[float, float]] = field(default_factory=list)
    """From when to when it was stopped."""

    def stopped_at(self, time: float) -> float | None:
        """Since when it was stopped at this time; None if it was not."""
        return next((since for since, until in self.stops if since <= time <= until), None)


@dataclass(kw_only=True)
class Judgement:
    """What a campaign's log says."""

    computations: int = 0
    ended: int = 0
    killed: int = 0
    lost: int = 0
    """Computations whose holder lost its lease while it was stopped."""
    faults: list[str] = field(default_factory=list)
    takeovers: dict[str, list[float]] = field(default_factory=dict)
    """By how the holder ended and whether the taker can see its process: seconds from its end, or
    from when the taker began to wait, if that is later, to the next computation. Only of takers
    that waited, and were not stopped themselves."""

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.computations} computations: {self.ended} ended, {self.killed} were killed, "
            f"{self.lost} lost their lease while they were stopped"
        )
        for how, seconds in sorted(self.takeovers.items()):
            yield (
                f"taken over from a holder that was {how}: {len(seconds)}, after "
                f"{statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (longest)"
            )
        yield f"{len(self.faults)} faults"


def read(log: Path) -> list[dict[str, Any]]:
    """The lines of a log in the order of time."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return sorted(lines, key=lambda line: float(line["time"]))


def judge(
    lines: Sequence[Mapping[str, Any]], published: Mapping[str, str], expiry: float
) -> Judgement:
    """Judges a log. published: by key, the token of the computation whose output is there."""
    found = Judgement()
    by_key: dict[str, list[Computation]] = {}
    for each in _computations(lines):
        by_key.setdefault(each.key, []).append(each)
        found.computations += 1
        found.ended += each.end != NEVER
        found.killed += each.end == NEVER != each.killed
    takers = _Takers(lines)
    for key, own in by_key.items():
        for one, other in pairwise(sorted(own, key=lambda each: each.start)):
            _judge_pair(one, other, takers, expiry, found)
        if key in published and published[key] != own[-1].token:
            found.faults.append(f"{key}: published by a holder that another one had displaced")
    for key in published.keys() - by_key.keys():
        found.faults.append(f"{key}: published, and never computed")
    for line in lines:
        if line["event"] == "ran" and line["failed"]:
            found.faults.append(f"{line['worker']}: failed: {line['failed']}")
    return found


class _Takers:
    """Since when those waited who took a stage over."""

    def __init__(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self._waits: dict[tuple[str, str], list[float]] = {}
        self._stops: dict[str, list[float]] = {}
        for line in lines:
            if line["event"] == "waits":
                place = (line["worker"], line["title"])
                self._waits.setdefault(place, []).append(float(line["time"]))
            elif line["event"] == "stop" and line["pid"] is None:
                self._stops.setdefault(line["on"], []).append(float(line["time"]))

    def waited(self, taker: Computation) -> float | None:
        """None if it did not wait, or was stopped meanwhile."""
        shown = taker.key[:-_HIDDEN]
        waits = self._waits.get((taker.worker, shown), [])
        since = max((time for time in waits if time < taker.start), default=None)
        stops = self._stops.get(taker.worker, [])
        if since is None or any(since <= time <= taker.start for time in stops):
            return None
        return since


def _judge_pair(
    one: Computation,
    other: Computation,
    takers: _Takers,
    expiry: float,
    found: Judgement,
) -> None:
    """Two computations of one stage, the second of which began next."""
    if one.end <= other.start:
        return  # it was killed, stopped or asked to stop before it published
    seen = "in sight" if _machine(one.worker) == _machine(other.worker) else "out of sight"
    stopped = one.stopped_at(other.start)
    if one.killed <= other.start:
        how, since = f"killed, {seen}", one.killed
    elif stopped is not None:
        found.lost += 1
        how, since = f"stopped, {seen}", stopped
        if other.start - stopped < expiry / 2:
            found.faults.append(f"{one.key}: taken from a holder that was silent for too short")
    elif any(until <= other.start and until - since >= expiry / 2 for since, until in one.stops):
        found.lost += 1  # the lease was taken while it was stopped, the module called after that
    else:
        found.faults.append(
            f"{one.key}: computed by {one.worker} (lease {one.lease}, {one.start:.2f} to "
            f"{min(one.end, one.killed):.2f}) and by {other.worker} (lease {other.lease}, from "
            f"{other.start:.2f}) at once"
        )
        return
    if stopped is None and one.killed > other.start:
        return
    waited = takers.waited(other)
    if waited is not None:
        found.takeovers.setdefault(how, []).append(other.start - max(since, waited))


def _machine(worker: str) -> str:
    """Workers in a process namespace of their own (`n3.1`) are out of sight of all others."""
    return worker if worker.startswith("n") else ""


def _computations(lines: Sequence[Mapping[str, Any]]) -> list[Computation]:
    found: dict[str, Computation] = {}
    for line in lines:
        time = float(line["time"])
        if line["event"] == "start":
            facts = {name: line[name] for name in ("key", "token", "worker", "pid", "lease")}
            found[line["token"]] = Computation(start=time, **facts)
        elif line["event"] == "end":
            found[line["token"]].end = time
        elif line["event"] in ("kill", "stop", "continue"):
            for each in found.values():
                if each.end == NEVER == each.killed and _concerns(line, each):
                    _disturbed(each, line["event"], time)
    kills = [(line["on"], float(line["time"])) for line in lines
             if line["event"] == "kill" and line["pid"] is None]  # fmt: skip
    for each in found.values():
        dying = any(on == each.worker and 0 <= each.start - time < _GRACE for on, time in kills)
        if each.end == NEVER == each.killed and dying:
            each.killed = each.start
    return list(found.values())


def _concerns(line: Mapping[str, Any], each: Computation) -> bool:
    return line["on"] == each.worker and line["pid"] in (None, each.pid)


def _disturbed(each: Computation, event: str, time: float) -> None:
    if event == "kill":
        each.killed = time
    if each.stops and each.stops[-1][1] == NEVER:
        each.stops[-1] = (each.stops[-1][0], time)
    if event == "stop":
        each.stops.append((time, NEVER))
