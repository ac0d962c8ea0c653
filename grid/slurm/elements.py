"""What elements of a submission's arrays say of themselves: one small file for each start.

`elements/<array>_<k>/<restart>.json` is written as an element starts and again as it ends. One that
never ended was killed without a word: its node failed, or something ended it by force.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from grid import lease
from grid.publish import write_json

FINISHED, BLOCKED, HELD = "finished", "blocked", "held"
"""Why an element ended, beside the causes of `grid.outcome.CAUSES`: its share was seen to; all that
is left waits for what failed or is missing; another process works on what is left."""
_WORKING = "working"
"""The folder of the leases of elements at work: one listing tells which they are."""


@dataclass(frozen=True, kw_only=True)
class Element:
    """One start of an element, and its end."""

    array: str
    index: int
    restart: int
    """How often Slurm had started it before."""
    job: str
    """Slurm's number of this element's own job: SLURM_JOB_ID."""
    host: str
    started: str
    """UTC, as in 2026-01-31T12:00:00+00:00."""
    ended: str | None = None
    why: str | None = None
    """`finished`, `blocked`, `held` or a cause such as `time`; None while it runs or if it was
    killed."""
    message: str = ""
    """For people: what stopped it, what is missing."""
    requeued: bool = False
    """Whether it asked Slurm to start it again."""
    advanced: bool = False
    """Whether a stage ended well or got further in this start."""
    done: list[list[str]] = field(default_factory=list)
    """Stages that it finished, of its own share or of an element that was lost."""
    failed: list[list[str]] = field(default_factory=list)
    """Stages that failed in it, each with its cause: name, key, kind."""
    left: list[list[str]] = field(default_factory=list)
    """Stages of its share that are still to be run."""


def folder(elements: Path, array: str, index: int) -> Path:
    """Where an element's files are; `elements` is `Submission.elements_folder`."""
    return elements / f"{array}_{index}"


def write(elements: Path, element: Element) -> None:
    """Writes an element's file, whole or not at all."""
    place = folder(elements, element.array, element.index)
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / f"{element.restart}.json", asdict(element))


def starts(elements: Path, array: str, index: int) -> list[Element]:
    """Every start of an element, the latest last."""
    place = folder(elements, array, index)
    try:
        names = os.listdir(place)
    except FileNotFoundError:
        return []
    numbers = sorted(int(name[:-5]) for name in names if name[:-5].isdecimal())
    found = (_read(place / f"{number}.json") for number in numbers)
    return [each for each in found if each is not None]


def latest(elements: Path) -> Iterator[Element]:
    """The latest start of every element that has begun."""
    try:
        names = sorted(os.listdir(elements))
    except FileNotFoundError:
        return
    for name in names:
        array, _, index = name.rpartition("_")
        if index.isdecimal() and (found := starts(elements, array, int(index))):
            yield found[-1]


def lease_folder(elements: Path, element: Element) -> Path:
    """The lease that an element holds while it works; gone when it has ended."""
    return elements / _WORKING / f"{element.array}_{element.index}.{element.restart}"


def lost(elements: Path, own: Element) -> list[Element]:
    """Elements of the same array that have begun, did not end, and work no more.

    A lease is judged by the file system's clock: its age against that of the own lease, which
    beats. So no element has to stay and watch another.
    """
    beat = lease.touched(lease_folder(elements, own))
    found = []
    for name in sorted(os.listdir(elements / _WORKING)):
        array, _, rest = name.rpartition("_")
        index = rest.partition(".")[0]
        if array != own.array or index == str(own.index):
            continue
        place = elements / _WORKING / name
        seen = lease.read(place)
        silent = beat - lease.touched(place) > 2 * lease.EXPIRY
        if seen is None or not (seen.dead or silent):
            continue
        other = starts(elements, array, int(index))[-1:]
        found += [
            each for each in other if each.ended is None and lease_folder(elements, each) == place
        ]
    return found


def now() -> str:
    """The time as it is written."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> Element | None:
    try:
        return Element(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # gone, or damaged by a full disk: then as if it had not begun
