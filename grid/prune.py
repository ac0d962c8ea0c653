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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from grid import lease
from grid.artifact import MANIFEST
from grid.confine import read_file, refuse_links
from grid.damage import kept_aside
from grid.errors import StoreError
from grid.graph import StageId
from grid.store import Store
from grid.wanted import FILE, recorded

if TYPE_CHECKING:
    import polars

ARTIFACT, ATTEMPT, WORK, LEFTOVER = "artifact", "attempt", "work", "leftover"
RUNNING, YOUNG, LATEST = "it is being worked on", "it is young", "its log is the latest"
_DAY = 86_400.0


@dataclass(kw_only=True)
class Item:
    """One folder of a store. `kept` says why it stays; empty if nothing speaks for it."""

    kind: str
    id: StageId
    path: Path
    bytes: int
    kept: str = ""


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
    for item in _folders(store):
        running = item.id in busy and (item.kind != ATTEMPT or _is_latest(store, item))
        if running:
            item.kept = RUNNING
        elif item.id in owners and item.kind in (ARTIFACT, WORK):
            item.kept = ", ".join(owners[item.id])
        elif item.kind == ATTEMPT and not store.has(*item.id) and item.id in owners:
            item.kept = LATEST if _is_latest(store, item) else ""
        if not item.kept and _changed(item.path) > oldest:
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
    for stage in _stages(store, "artifacts"):
        for group in _inside(store, store.root / "artifacts" / stage):
            for path in _inside(store, group):
                kind = LEFTOVER if path.name.startswith(".") else ARTIFACT
                key = path.name.removeprefix(".").partition("~")[0]
                yield Item(kind=kind, id=(stage, key), path=path, bytes=measure(path))
    for stage in _stages(store, "work"):
        for path in _inside(store, store.root / "work" / stage):
            if not path.name.endswith(".lease"):
                yield Item(kind=WORK, id=(stage, path.name), path=path, bytes=measure(path))
    for stage in _stages(store, "attempts"):
        for parent in _inside(store, store.root / "attempts" / stage):
            for path in [*store.attempts(stage, parent.name), *kept_aside(parent)]:
                yield Item(kind=ATTEMPT, id=(stage, parent.name), path=path, bytes=measure(path))


def measure(folder: Path) -> int:
    """Bytes that a folder's files take on the disk, without what is removed meanwhile."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in [".", *files]:
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
    return total


def _busy(store: Store) -> set[StageId]:
    """The stages that are being worked on, and the inputs that they read."""
    busy: set[StageId] = set()
    for stage in _stages(store, "work"):
        for folder in sorted((store.root / "work" / stage).glob("*.lease")):
            if not lease.held(folder):
                continue
            id = (stage, folder.name.removesuffix(".lease"))
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


def _is_latest(store: Store, item: Item) -> bool:
    return store.attempts(*item.id)[-1:] == [item.path]


def _changed(folder: Path) -> float:
    """When a folder or a file directly in it was last changed; just now if it is in motion."""
    try:
        times = [folder.stat().st_mtime]
        times += [
            entry.stat(follow_symlinks=False).st_mtime
            for entry in os.scandir(folder)
            if entry.name != MANIFEST  # its time is that of the last check
        ]
    except FileNotFoundError:
        return time.time()
    return max(times)


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


def _stages(store: Store, kind: str) -> list[str]:
    """The kinds of stage that have a folder below one of the store's."""
    folder = store.root / kind
    return [path.name for path in _inside(store, folder)] if folder.is_dir() else []


def _inside(store: Store, folder: Path) -> list[Path]:
    """What a folder of the store holds. Raises StoreError for links: they lead out of it."""
    refuse_links(store.root, folder)
    found = sorted(folder.iterdir())
    for path in found:
        refuse_links(folder, path)
    return found
