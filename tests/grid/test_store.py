"""grid.store: artifacts are whole or absent, and a bad disk is told plainly and loses nothing."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from grid import lease
from grid.errors import StoreError
from grid.store import Store
from tests.grid.processes import make_read_only, python, small_disk

KEY = "some-slug-0123456789abcdef"
CONFIG: dict[str, Any] = {"config": {"x": 1}, "inputs": {}}


def publish(store: Store, key: str = KEY, content: bytes = b"content") -> bool:
    held = store.acquire("tiny", key)
    assert held is not None
    temporary = store.temporary("tiny", key)
    (temporary / "sub").mkdir()
    (temporary / "sub" / "a.bin").write_bytes(content)
    return store.publish(
        temporary, "tiny", key, config=CONFIG, manifest={"stage": "tiny"}, held=held
    )


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_layout_and_manifest(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    assert store.published("tiny") == set()
    work = store.work("tiny", KEY)
    work.mkdir(parents=True)
    (work / "checkpoint").write_text("x")
    assert publish(store)
    assert store.published("tiny") == {KEY}
    path = store.path("tiny", KEY)
    assert path == tmp_path / "runs" / "artifacts" / "tiny" / "01" / KEY
    assert names(path) == ["config.json", "manifest.json", "sub", "sub/a.bin"]
    manifest = store.manifest("tiny", KEY)
    assert manifest["stage"] == "tiny"
    checksum = hashlib.sha256(b"content").hexdigest()
    assert manifest["files"]["sub/a.bin"] == {"bytes": 7, "sha256": checksum}
    assert sorted(manifest["files"]) == ["config.json", "sub/a.bin"]
    assert store.config("tiny", KEY) == CONFIG
    assert names(tmp_path / "runs" / "work") == ["tiny"]
    assert store.study("curse", "smoke") == tmp_path / "runs" / "studies" / "curse" / "smoke"


def test_what_is_not_finished_is_not_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    temporary = store.temporary("tiny", KEY)
    assert temporary.parent == store.path("tiny", KEY).parent
    assert store.published("tiny") == set()
    assert not store.has("tiny", KEY)
    with pytest.raises(StoreError, match="there is no artifact tiny"):
        store.manifest("tiny", KEY)


def test_attempts_are_counted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.new_attempt("tiny", KEY, {"a": 1})
    second = store.new_attempt("tiny", KEY, {"a": 2})
    assert first == tmp_path / "attempts" / "tiny" / KEY / "1"
    assert store.attempts("tiny", KEY) == [first, second]
    assert json.loads((second / "job.json").read_text()) == {"a": 2}


def test_a_late_duplicate_discards_its_copy(tmp_path: Path) -> None:
    store = Store(tmp_path)
    held = store.acquire("tiny", KEY)
    assert held is not None
    late = store.temporary("tiny", KEY)
    (late / "a").write_bytes(b"late")
    seen = lease.read(store.lease_folder("tiny", KEY))
    other = lease.acquire(store.lease_folder("tiny", KEY), stale=seen)
    assert other is not None
    ours = store.publish(late, "tiny", KEY, config={}, manifest={}, held=held)
    assert not ours and not late.exists() and not store.has("tiny", KEY)
    fresh = store.temporary("tiny", KEY)
    (fresh / "a").write_bytes(b"fresh")
    assert store.publish(fresh, "tiny", KEY, config={}, manifest={}, held=other)
    assert (store.path("tiny", KEY) / "a").read_bytes() == b"fresh"


def test_who_wakes_up_while_its_folder_is_removed_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder that was stopped between its last look at the lease and the rename."""
    store = Store(tmp_path)
    held = store.acquire("tiny", KEY)
    assert held is not None
    late = store.temporary("tiny", KEY)
    (late / "a").write_bytes(b"late")
    rmtree, woken = shutil.rmtree, []

    def removing(path: Path, **options: bool) -> None:
        with pytest.raises(FileNotFoundError):
            os.rename(late, store.path("tiny", KEY))
        woken.append(path)
        rmtree(path, **options)

    monkeypatch.setattr(shutil, "rmtree", removing)
    other = store.acquire("tiny", KEY, stale=lease.read(store.lease_folder("tiny", KEY)))
    assert other is not None and len(woken) == 1
    assert not store.has("tiny", KEY) and names(late.parent) == []


def test_who_has_lost_its_lease_removes_nothing_of_the_next_holder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    held = store.acquire("tiny", KEY)
    assert held is not None
    other = store.acquire("tiny", KEY, stale=lease.read(store.lease_folder("tiny", KEY)))
    assert other is not None
    store.work("tiny", KEY).mkdir()
    store.finish("tiny", KEY, held)
    assert store.work("tiny", KEY).is_dir() and other.confirm()


def test_an_artifact_never_changes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert publish(store, content=b"first")
    assert publish(store, content=b"second")
    assert (store.path("tiny", KEY) / "sub" / "a.bin").read_bytes() == b"first"
    assert names(store.path("tiny", KEY).parent) == [
        KEY,
        *[f"{KEY}/{name}" for name in names(store.path("tiny", KEY))],
    ]


DIE = """
import os, sys
from grid.store import Store
store = Store(sys.argv[1])
held = store.acquire("tiny", sys.argv[2])
folder = store.temporary("tiny", sys.argv[2])
(folder / "half").write_bytes(b"x")
work = store.work("tiny", sys.argv[2])
work.mkdir()
(work / "checkpoint").write_bytes(b"x")
os.kill(os.getpid(), 9)
"""


def test_leftovers_of_a_killed_process_are_removed_and_its_work_stays(tmp_path: Path) -> None:
    python(DIE, str(tmp_path), KEY).wait()
    store = Store(tmp_path)
    folder = store.path("tiny", KEY).parent
    assert len(list(folder.iterdir())) == 1
    store.clean()
    assert list(folder.iterdir()) == []
    assert (store.work("tiny", KEY) / "checkpoint").exists()
    assert publish(store)


def test_the_next_attempt_removes_leftovers_too(tmp_path: Path) -> None:
    python(DIE, str(tmp_path), KEY).wait()
    store = Store(tmp_path)
    assert publish(store)
    assert [path.name for path in store.path("tiny", KEY).parent.iterdir()] == [KEY]


def test_what_died_as_it_took_a_lease_is_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.lease_folder("tiny", KEY)
    folder.mkdir(parents=True)
    (folder / "new-0123").write_bytes(b"half")
    store.clean()
    assert not folder.exists()


def test_temporary_outputs_that_nobody_writes_any_more_are_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    outside = tmp_path.parent / "outside"
    for folder in (store.study("curse", "laptop"), outside):
        folder.mkdir(parents=True)
    cache = tmp_path / ".checksums.json~01"
    left = store.study("curse", "laptop") / ".results.parquet~0123"
    young, kept = left.with_name(".results.parquet~4567"), left.with_name("results.parquet")
    strange = outside / ".claims.json~89"
    for path in (cache, left, young, kept, strange):
        path.write_bytes(b"x")
    for path in (cache, left, kept, strange):
        os.utime(path, (1e9, 1e9))
    store.clean()
    assert not cache.exists() and sorted(left.parent.iterdir()) == [young, kept]
    (tmp_path / "studies" / "curse" / "other").symlink_to(outside)
    with pytest.raises(StoreError, match="is a link"):
        store.clean()
    assert strange.exists()


def test_cleaning_leaves_living_processes_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    held = store.acquire("tiny", KEY)
    assert held is not None
    temporary = store.temporary("tiny", KEY)
    store.clean()
    assert temporary.exists()
    held.release()
    store.clean()
    assert not temporary.exists()


def test_cleaning_leaves_a_stage_alone_that_is_taken_over_meanwhile(tmp_path: Path) -> None:
    python(DIE, str(tmp_path), KEY).wait()
    made = []

    class Overtaken(Store):
        def _leftovers(self, stage: str, key: str) -> list[Path]:
            assert Store(tmp_path).acquire(stage, key) is not None
            made.append(Store(tmp_path).temporary(stage, key))
            return super()._leftovers(stage, key)

    Overtaken(tmp_path).clean()
    assert len(made) == 1 and made[0].exists()


def test_a_full_disk_while_publishing_loses_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = Store(disk)
        assert publish(store, "done-0000000000000000")
        held = store.acquire("tiny", KEY)
        assert held is not None
        temporary = store.temporary("tiny", KEY)
        with pytest.raises(OSError, match="No space"):
            (temporary / "a").write_bytes(b"x" * 8_000_000)
        with pytest.raises(StoreError) as caught:
            store.publish(temporary, "tiny", KEY, config=CONFIG, manifest={}, held=held)
        message = str(caught.value)
        assert "no space is left" in message and str(disk) in message and "--store" in message
        assert f"publishing tiny {KEY}" in message
        assert store.published("tiny") == {"done-0000000000000000"}
        held.release()
        assert publish(store)


def test_a_read_only_store_is_told_before_anything_runs(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = Store(disk / "runs")
        assert publish(store)
        source = disk / "text.txt"
        source.write_bytes(b"text")
        make_read_only(disk)
        with pytest.raises(StoreError, match=r"read-only.*--store"):
            store.prepare()
        with pytest.raises(StoreError, match="read-only"):
            store.new_attempt("tiny", KEY, {})
        assert store.published("tiny") == {KEY}
        assert store.checksums([source])[source] == (4, hashlib.sha256(b"text").hexdigest())


def test_a_store_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="a file is where a folder should be"):
        Store(tmp_path / "file" / "runs").prepare()


def test_a_copied_store_is_the_same_store(tmp_path: Path) -> None:
    assert publish(Store(tmp_path / "a"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    copy = Store(tmp_path / "b")
    assert copy.published("tiny") == {KEY}
    assert copy.manifest("tiny", KEY) == Store(tmp_path / "a").manifest("tiny", KEY)


def test_checksums_are_computed_once_and_again_after_a_change(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    path = tmp_path / "en.txt"
    path.write_bytes(b"one")
    os.utime(path, ns=(10**18, 10**18))
    assert store.checksums([path])[path] == (3, hashlib.sha256(b"one").hexdigest())
    path.write_bytes(b"two")
    os.utime(path, ns=(10**18, 10**18))
    cached = store.checksums([path])[path]
    assert cached[1] == hashlib.sha256(b"one").hexdigest(), "size and time are what is compared"
    os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    assert store.checksums([path])[path][1] == hashlib.sha256(b"two").hexdigest()


def test_a_file_changed_just_now_is_not_cached(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    path = tmp_path / "en.txt"
    path.write_bytes(b"one")
    store.checksums([path])
    path.write_bytes(b"two")
    assert store.checksums([path])[path][1] == hashlib.sha256(b"two").hexdigest()


def test_a_damaged_cache_is_done_without(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "checksums.json").write_text("{ broken")
    path = tmp_path / "en.txt"
    path.write_bytes(b"one")
    assert store.checksums([path])[path][0] == 3
