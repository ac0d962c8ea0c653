"""A store that somebody else filled: nothing outside of it is read for it, written or removed."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from grid.adopt import adopt
from grid.errors import StoreError
from grid.graph import Graph
from grid.lease import _RELEASED, acquire, read
from grid.prune import delete, studies, survey
from grid.status import standings
from grid.store import Store
from grid.study_files import replace_file
from grid.verify import verify_store
from model.checks import within
from model.errors import InputError
from model.text.corpus import open_corpus
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
def test_results_are_not_written_through_links(tmp_path: Path, private: Path, depth: int) -> None:
    folder = tmp_path / "store" / "studies" / "curse" / "smoke"
    link_to(private, [folder, folder.parent, folder.parent.parent][depth])
    before = sorted(private.rglob("*"))
    with pytest.raises(StoreError, match="is a link"):
        replace_file(folder / "results.parquet", lambda path: path.write_text("x"))
    assert sorted(private.rglob("*")) == before


def artifact(folder: Path, **files: bytes) -> Path:
    """An artifact's folder with these files, whether or not they make sense."""
    place = folder / "artifacts" / "tiny" / "00" / "a-0000000000000000"
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / f"{name}.json").write_bytes(content)
    return place


@pytest.mark.parametrize("name", ["manifest.json", "config.json"])
@pytest.mark.parametrize("what", ["pipe", "zeros", "folder", "nested"])
def test_what_is_no_record_is_refused_at_once(tmp_path: Path, name: str, what: str) -> None:
    """Neither waited for, nor read without end."""
    place = artifact(tmp_path / "from", manifest=b"{}", config=b"{}")
    (place / name).unlink()
    if what == "pipe":
        os.mkfifo(place / name)
    elif what == "zeros":
        (place / name).symlink_to("/dev/zero")
    elif what == "folder":
        (place / name).mkdir()
    else:
        (place / name).write_text("[" * 100_000)
    found = adopt(Store(tmp_path / "store"), tmp_path / "from")
    assert list(found.refused) == [place] and not found.taken
    _, damaged = verify_store(Store(tmp_path / "from"))
    assert list(damaged) == [place]


def test_an_artifact_behind_a_link_is_damaged(tmp_path: Path) -> None:
    made = graph(stage("a", value=1))
    report, _ = launch(made, tmp_path / "store")
    assert report.ok
    (id,) = made.stages
    store = Store(tmp_path / "store")
    place = store.path(*id)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    whole, damaged = verify_store(store)
    assert not whole and "is a link" in damaged[place]


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/../../secret", "", ".", "a\0b", 7])
def test_an_artifact_names_files_of_its_source_only(tmp_path: Path, name: object) -> None:
    with pytest.raises(InputError, match="expected the name of a file below it"):
        within(tmp_path, name)
    info = {
        "source": "books", "synthetic": False, "language": "en", "block_sentences": 0,
        "files": [{"name": name, "bytes": 1}],
    }  # fmt: skip
    (tmp_path / "corpus.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match="expected the name of a file below it"):
        open_corpus(tmp_path, {"books": str(tmp_path)})
    assert within(tmp_path, "xnli/dev..tsv") == tmp_path / "xnli" / "dev..tsv"


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc", "a/b", "a\0"])
def test_stages_and_keys_are_names(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    calls: list[Callable[[], object]] = [
        lambda: store.path("tiny", name),
        lambda: store.path(name, "a"),
        lambda: store.has(name, "a"),
        lambda: store.work("tiny", name),
        lambda: store.lease_folder(name, "a"),
        lambda: store.published(name),
        lambda: store.manifest("tiny", name),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="expected the name of a stage or key"):
            call()


def test_work_that_leads_out_is_not_gone_on_with(tmp_path: Path, private: Path) -> None:
    """A stage's own state may hold links at any depth, which it would write through."""
    made = graph(stage("a", value=1))
    (id,) = made.stages
    work = Store(tmp_path / "store").work(*id)
    (work / "checkpoints").mkdir(parents=True)
    (work / "checkpoints" / "00000001").symlink_to(private)
    report, _ = launch(made, tmp_path / "store")
    assert "is a link" in report.failed[0].message
    assert whole(private)


@pytest.mark.parametrize(
    "name",
    [
        "attempts/tiny/{key}/1/outcome.json",
        "attempts/tiny/{key}/1/job.json",
        "work/tiny/{key}.lease/2",
        "studies/other/laptop/stages.json",
    ],
)
@pytest.mark.parametrize("what", ["pipe", "link"])
def test_nothing_is_waited_for(tmp_path: Path, name: str, what: str) -> None:
    """A pipe that nobody writes to, and a link to what has no end, are no files of a store."""
    made = graph(stage("a", value=1, does="input"))
    (id,) = made.stages
    launch(made, tmp_path / "store")
    store = Store(tmp_path / "store")
    lease = acquire(store.lease_folder(*id), stale=read(store.lease_folder(*id)))
    assert lease is not None
    place = store.root / name.format(key=id[1])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero")
    told = []
    for look in (
        store.clean,
        lambda: survey(store, studies(store)[0], keep_days=0),
        lambda: standings(made, store),
    ):
        try:
            look()
        except StoreError as error:
            told.append(str(error))
    assert told and all("expected a file, found a" in text for text in told)
