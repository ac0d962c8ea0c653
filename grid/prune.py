"""Finds what no study needs any more in a store, and removes it.

An artifact is kept if the last run of a study in this store wanted it (`grid/wanted.py`), if a
study that is named wants it, if a stage that is being worked on reads it, or if it is young. The
rest may go, and with it attempts at finished or unwanted stages and work folders that nobody wants:
what is removed can be computed again.
"""

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from grid import lease
from grid.artifact import MANIFEST
from grid.confine import listing, read_file, refuse_links
from grid.damage import is_kept_aside
from grid.errors import StoreError
from grid.graph import StageId
from grid.over_cores import over_cores
from grid.store import Store
from grid.wanted import FILE, recorded

if TYPE_CHECKING:
    import polars

ARTIFACT, ATTEMPT, WORK, LEFTOVER = "artifact", "attempt", "work", "leftover"
RUNNING, YOUNG, LATEST = "it is being worked on", "it is young", "its log is the latest"
_DAY = 86_400.0
_BLOCK = 512
"""Bytes of what the system counts a file's blocks in, on every file system."""


@dataclass(kw_only=True, slots=True)
class Item:
    """One folder of a store. `kept` says why it stays; empty if nothing speaks for it."""

    kind: str
    id: StageId
    place: str
    bytes: int
    """That its files take on the disk."""
    changed: float
    """When any of it was last changed; just now if it is in motion."""
    latest: bool = True
    """Of an attempt: whether there is none after it."""
    kept: str = ""

    @property
    def path(self) -> Path:
        return Path(self.place)


@dataclass(kw_only=True)
class Survey:
    """Every folder of a store with its fate."""

    items: list[Item] = field(default_factory=list)

    @property
    def removable(self) -> list[Item]:
        return [item for item in self.items if not item.kept]


def survey(store: Store, wanted: Mapping[str, set[StageId]], *, keep_days: float) -> Survey:
    """What there is and why it stays. `wanted`: stages by the name of the study that needs them."""
    owners: dict[StageId, list[str]] = {}
    for name in sorted(wanted):
        for id in wanted[name]:
            owners.setdefault(id, []).append(name)
    busy = _busy(store)
    oldest = time.time() - keep_days * _DAY
    result = Survey()
    there: set[StageId] = set()
    for item in _folders(store):  # artifacts come before attempts
        if item.kind == ARTIFACT:
            there.add(item.id)
        if item.id in busy and item.latest:
            item.kept = RUNNING
        elif item.id in owners and item.kind in (ARTIFACT, WORK):
            item.kept = ", ".join(owners[item.id])
        elif item.id in owners and item.kind == ATTEMPT and item.id not in there:
            item.kept = LATEST if item.latest else ""
        if not item.kept and item.changed > oldest:
            item.kept = YOUNG
        result.items.append(item)
    return result


def studies(store: Store) -> tuple[dict[str, set[StageId]], list[Path]]:
    """What the studies that have run here wanted, and the folders of those that left no list."""
    wanted, unknown = {}, []
    for folder in sorted((store.root / "studies").glob("*/*")):
        if not folder.is_dir():
            continue
        ids = recorded(folder)
        if ids is None:
            unknown.append(folder)
        else:
            wanted[f"{folder.parent.name} ({folder.name})"] = ids
    return wanted, unknown


def delete(store: Store, items: Sequence[Item]) -> list[Item]:
    """Removes what `survey` found removable; returns what is gone.

    Each stage's lease is held meanwhile, so whatever has begun to be worked on stays.
    """
    gone: list[Item] = []
    by_stage: dict[StageId, list[Item]] = {}
    for item in items:
        by_stage.setdefault(item.id, []).append(item)
    for id, own in by_stage.items():
        folder = store.lease_folder(*id)
        abandoned = lease.read(folder)
        held = None if lease.held(folder) else store.acquire(*id, stale=abandoned)
        if held is None:
            continue
        try:
            for item in own:
                _remove(item)
                gone.append(item)
        finally:
            if store.work(*id).exists() and not store.has(*id):
                held.release()
            else:
                held.remove()
    return gone


def frame(survey: Survey) -> "polars.DataFrame":
    """One row for each kind of folder, stage and fate: how many, and their bytes."""
    import polars

    rows: dict[tuple[str, str, str], list[int]] = {}
    for item in survey.items:
        row = rows.setdefault((item.kind, item.id[0], item.kept), [0, 0])
        row[0] += 1
        row[1] += item.bytes
    columns: dict[str, list[object]] = {
        "what": [kind for kind, _, _ in rows],
        "stage": [stage for _, stage, _ in rows],
        "number": [number for number, _ in rows.values()],
        "bytes": [size for _, size in rows.values()],
        "fate": ["kept" if kept else "removable" for _, _, kept in rows],
        "because": [kept or "no study wants it" for _, _, kept in rows],
    }
    return polars.DataFrame(columns).sort("what", "stage", "fate", "because")


def unlisted(folders: Sequence[Path]) -> StoreError:
    """The error for studies of which it is not known what they want."""
    return StoreError(
        f"{', '.join(str(folder) for folder in folders)}: expected {FILE}, found none, so it is "
        "not known what these studies need. Run each of them again (what is finished is kept), or "
        "remove the folder, and prune after that"
    )


def _folders(store: Store) -> Iterator[Item]:
    """Each folder with one listing of it: there may be a million files."""
    found = list(_named(store))
    sizes = over_cores(measure, [place for _, _, place, _ in found])
    for (kind, id, place, latest), (size, changed) in zip(found, sizes, strict=True):
        yield Item(kind=kind, id=id, place=place, bytes=size, changed=changed, latest=latest)


def _named(store: Store) -> Iterator[tuple[str, StageId, str, bool]]:
    """Of each folder what it is, whose, where, and, of an attempt, whether it is the latest."""
    for stage in _stages(store, "artifacts"):
        for group in _inside(store, stage.path):
            for entry in _inside(store, group.path):
                kind = LEFTOVER if entry.name.startswith(".") else ARTIFACT
                key = entry.name.removeprefix(".").partition("~")[0]
                yield kind, (stage.name, key), entry.path, True
    for stage in _stages(store, "work"):
        for entry in _inside(store, stage.path):
            if not entry.name.endswith(".lease"):
                yield WORK, (stage.name, entry.name), entry.path, True
    for stage in _stages(store, "attempts"):
        for parent in _inside(store, stage.path):
            found = _inside(store, parent.path)
            attempts = [each for each in found if each.name.isdigit()]
            newest = max((int(each.name) for each in attempts), default=0)
            id = (stage.name, parent.name)
            for entry in attempts:
                yield ATTEMPT, id, entry.path, int(entry.name) == newest
            for entry in (each for each in found if is_kept_aside(each.name)):
                yield ATTEMPT, id, entry.path, False


def measure(folder: Path | str) -> tuple[int, float]:
    """Bytes that a folder and all below it take on the disk, and when any of it last changed.

    What is removed meanwhile has no bytes, and was changed just now.
    """
    total, changed = 0, 0.0
    folders = [os.fspath(folder)]
    while folders:
        at = folders.pop()
        try:
            own = os.lstat(at)
            blocks, times = own.st_blocks, [own.st_mtime]
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    found = entry.stat(follow_symlinks=False)
                    blocks += found.st_blocks
                    if entry.name != MANIFEST:  # its time is that of the last check
                        times.append(found.st_mtime)
        except FileNotFoundError:
            changed = time.time()
            continue
        total += _BLOCK * blocks
        changed = max(changed, *times)
    return total, changed


def _busy(store: Store) -> set[StageId]:
    """The stages that are being worked on, and the inputs that they read."""
    busy: set[StageId] = set()
    for stage in _stages(store, "work"):
        for folder in _inside(store, stage.path):
            if not folder.name.endswith(".lease") or not lease.held(Path(folder.path)):
                continue
            id = (stage.name, folder.name.removesuffix(".lease"))
            busy.add(id)
            for attempt in store.attempts(*id)[-1:]:
                busy.update(_inputs(attempt))
    return busy


def _inputs(attempt: Path) -> Iterator[StageId]:
    try:
        job = json.loads(read_file(attempt / "job.json"))
        yield from ((stage, key) for stage, key in job["inputs"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{attempt}/job.json: cannot be read ({error}), but the stage is being worked on: "
            "wait for it to end, and prune after that"
        ) from None


def _remove(item: Item) -> None:
    """First out of its place, so that nobody finds half of it."""
    if not item.path.exists():
        return  # to take a stage's lease is to remove its leftovers
    target = item.path
    if item.kind == ARTIFACT:
        target = item.path.with_name(f".{item.path.name}~{uuid.uuid4().hex[:12]}")
        item.path.rename(target)
    shutil.rmtree(target)
    if item.kind == ATTEMPT and not any(item.path.parent.iterdir()):
        item.path.parent.rmdir()


def _stages(store: Store, kind: str) -> list[os.DirEntry[str]]:
    """The kinds of stage that have a folder below one of the store's."""
    refuse_links(store.root, store.root / kind)
    return _inside(store, store.root / kind)


def _inside(store: Store, folder: Path | str) -> list[os.DirEntry[str]]:
    """What a folder of the store holds, by name. Raises StoreError for links: they lead out."""
    found = sorted(listing(folder, hidden=True), key=lambda entry: entry.name)
    for entry in found:
        if entry.is_symlink():  # known from the listing
            refuse_links(store.root, Path(entry.path))
    return found
