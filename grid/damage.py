"""Before a run: what is damaged of a study's artifacts is taken out of their place and told.

It lies among the attempts from then on, until `prune` removes it, and the run computes it anew if
anything needs it. Files that do not belong to an artifact are taken out of it, and nothing is
computed for them.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grid.artifact import ArtifactError, StrayError, check
from grid.confine import listing, refuse_links
from grid.errors import StoreError
from grid.graph import Graph, StageId
from grid.over_cores import over_cores
from grid.store import Store

_NAME = "damaged-"
_QUIET = 2.0
"""Seconds of reading after which it is said that something is read."""


@dataclass(frozen=True, kw_only=True)
class Damage:
    """An artifact that was not what it should be."""

    id: StageId
    message: str
    kept: Path
    """Where it is now, or the files that were too many."""
    strays: bool
    """Whether it was whole, with files beside that are not its own."""

    def __str__(self) -> str:
        what = "these files are" if self.strays else "it is computed anew if it is needed, and is"
        return f"damaged: {self.id[0]} {self.id[1]}: {self.message}; {what} kept at {self.kept}"


def set_aside(graph: Graph, store: Store, say: Callable[[str], None]) -> list[Damage]:
    """Checks every artifact of a graph that is there, and takes away those that are damaged.

    Costs a look at the times of their files; those that have changed are read. What another process
    works on is left to it. Raises StoreError if something is damaged and cannot be taken away.
    """
    published = {name: store.published(name) for name in {name for name, _ in graph.stages}}
    there = [id for id in graph.stages if id[1] in published[id[0]]]
    began, told = time.monotonic(), False
    found = []
    for id, wrong in zip(there, over_cores(partial(_is_wrong, store), there), strict=True):
        damage = _looked_at(store, id) if wrong else None
        if damage is not None:
            say(str(damage))
            found.append(damage)
        if not told and time.monotonic() - began > _QUIET:
            told = True
            say("checking artifacts, of which files have changed since they were last read")
    return found


def is_kept_aside(name: str) -> bool:
    """Whether a folder beside the attempts of an artifact is what was taken away of it."""
    return name.startswith(_NAME)


def _is_wrong(store: Store, id: StageId) -> bool:
    """Whether something is wrong with an artifact, or kept it from being checked.

    That there is no link on the way to it has been seen as it was listed.
    """
    try:
        return _fault(store.path(*id), id) is not None
    except (StoreError, OSError):
        return True


def _looked_at(store: Store, id: StageId) -> Damage | None:
    place = store.path(*id)
    refuse_links(store.root, place)
    try:
        if _fault(place, id) is None:
            return None
        held = store.acquire(*id)
        if held is None:
            return None
        try:
            fault = _fault(place, id)  # another run may have been here
            if fault is None or not held.confirm():
                return None
            return _taken(store, id, place, fault)
        finally:
            held.remove()
    except OSError as error:
        raise StoreError(f"{place}: {error}") from error


def _fault(place: Path, id: StageId) -> ArtifactError | None:
    try:
        check(place, id)
    except (ArtifactError, FileNotFoundError) as error:
        if not os.path.lexists(place):
            return None  # another process has taken it away just now
        return error if isinstance(error, ArtifactError) else ArtifactError(f"{place}: {error}")
    return None


def _taken(store: Store, id: StageId, place: Path, fault: ArtifactError) -> Damage:
    parent = store.root / "attempts" / id[0] / id[1]
    refuse_links(store.root, parent)
    parent.mkdir(parents=True, exist_ok=True)
    # After the last: `prune` may have removed those before it.
    last = max((_number(entry.name) for entry in listing(parent)), default=0)
    target = parent / f"{_NAME}{last + 1}"
    strays = isinstance(fault, StrayError)
    if isinstance(fault, StrayError):
        for name in fault.strays:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.rename(place / name, target / name)
            _drop_empty(place, (place / name).parent)
    else:
        os.rename(place, target)
        with suppress(OSError):
            os.utime(target)  # so that it is young to `prune`
    return Damage(id=id, message=str(fault), kept=target, strays=strays)


def _number(name: str) -> int:
    number = name.removeprefix(_NAME) if is_kept_aside(name) else ""
    return int(number) if number.isdecimal() else 0


def _drop_empty(root: Path, folder: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
