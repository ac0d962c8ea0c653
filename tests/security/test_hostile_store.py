"""A store that somebody else filled: nothing outside of it is read for it, written or removed."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grid.adopt import adopt, verify_store
from grid.errors import StoreError
from grid.graph import Graph
from grid.lease import _RELEASED, acquire
from grid.prune import delete, survey
from grid.results import replace_file
from grid.store import Store
from tests.grid.test_launch import launch
from tests.grid.tiny_stages import graph, stage

OLD = 1_000_000_000.0


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder of the user's own, old enough to be pruned, with one file."""
    folder = tmp_path / "private"
    place = folder / "aa" / "thesis-00000000000000aa"
    place.mkdir(parents=True)
    (place / "draft.txt").write_text("years of work", encoding="utf-8")
    for path in (place / "draft.txt", place, place.parent, folder):
        os.utime(path, (OLD, OLD))
    return folder


def whole(private: Path) -> bool:
    return [path.name for path in private.rglob("*") if path.is_file()] == ["draft.txt"]


@pytest.mark.parametrize("released", [True, False])
@pytest.mark.parametrize("how", ["absolute", "upwards", "hidden"])
def test_a_lease_that_names_a_folder_outside(
    tmp_path: Path, private: Path, how: str, released: bool
) -> None:
    """Cleaning goes by where a lease lies and never by what it says."""
    store = Store(tmp_path / "store")
    store.prepare()
    stage_name, key = {
        "absolute": (str(private), ""),
        "upwards": ("../../private", ""),
        "hidden": (str(private), "thesis"),
    }[how]
    if how == "hidden":
        (private / "th").mkdir()
        (private / "aa").rename(private / "th" / ".thesis~0123")
    folder = store.root / "work" / "tiny" / "a.lease"
    held = acquire(folder, stage=stage_name, key=key)
    assert held is not None
    held.release()
    if not released:  # of a process of this machine that is dead
        (file,) = (path for path in folder.iterdir() if path.name == "1")
        record = json.loads(file.read_bytes()[len(_RELEASED) :])
        record["started"] = "0"
        file.write_bytes(b"0" * len(_RELEASED) + json.dumps(record).encode())
    store.clean()
    assert whole(private)


def link_to(private: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        place.rmdir()
    place.symlink_to(private, target_is_directory=True)


@pytest.mark.parametrize("place", ["artifacts/tiny", "artifacts", "attempts/tiny", "work/tiny"])
def test_links_are_not_pruned_through(tmp_path: Path, private: Path, place: str) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    (private / "aa" / "thesis-00000000000000aa" / "1").mkdir()
    link_to(private, store.root / place)
    with pytest.raises(StoreError, match="is a link"):
        delete(store, survey(store, {}, keep_days=0).removable)
    assert whole(private)
    assert not list(private.rglob("*.lease"))


def stored(store: Path, made: Graph) -> dict[str, Path]:
    """Folders that a run of the graph writes to, by kind."""
    (id,) = made.stages
    name, key = id
    opened = Store(store)
    return {
        "artifacts": store / "artifacts",
        "stage": store / "artifacts" / name,
        "group": opened.path(*id).parent,
        "attempts": store / "attempts",
        "attempts of a stage": store / "attempts" / name,
        "attempts at it": store / "attempts" / name / key,
        "work": store / "work",
        "work of a stage": store / "work" / name,
        "its work": opened.work(*id),
        "lease": opened.lease_folder(*id),
    }


KINDS = sorted(stored(Path("store"), graph(stage("a", value=1))))


@pytest.mark.parametrize("kind", KINDS)
def test_links_are_not_written_through(tmp_path: Path, private: Path, kind: str) -> None:
    made = graph(stage("a", value=1))
    store = Store(tmp_path / "store")
    store.prepare()
    link_to(private, stored(store.root, made)[kind])
    before = sorted(path.relative_to(private) for path in private.rglob("*"))
    try:
        report, _ = launch(made, store.root)
        told = report.failed[0].message
    except StoreError as error:
        told = str(error)
    assert "is a link" in told
    assert sorted(path.relative_to(private) for path in private.rglob("*")) == before


def test_an_artifact_that_is_a_link_is_refused(tmp_path: Path) -> None:
    made = graph(stage("a", value=1))
    (id,) = made.stages
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "sum.json").write_text('{"sum": 7}', encoding="utf-8")
    store = Store(tmp_path / "store")
    link_to(outside, store.path(*id))
    for look in (lambda: store.has(*id), lambda: store.published("tiny")):
        with pytest.raises(StoreError, match="is a link"):
            look()


@pytest.mark.parametrize("depth", range(3))
def test_results_are_not_written_through_links(
    tmp_path: Path, private: Path, depth: int
) -> None:
    folder = tmp_path / "store" / "studies" / "curse" / "smoke"
    link_to(private, [folder, folder.parent, folder.parent.parent][depth])
    before = sorted(private.rglob("*"))
    with pytest.raises(StoreError, match="is a link"):
        replace_file(folder / "results.parquet", lambda path: path.write_text("x"))
    assert sorted(private.rglob("*")) == before
