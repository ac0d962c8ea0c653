"""Files that have no end, or a gigabyte where some lines are expected: nothing of it is held."""

import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import grid
from grid.adopt import adopt
from grid.claims import read as read_verdicts
from grid.claims.added_seeds import read as read_seeds
from grid.confine import LARGEST, read_file
from grid.errors import StoreError, StudyError
from grid.logs import Attempt, show
from grid.results import refuse_foreign
from grid.store import Store
from model.errors import InputError
from model.tasks.examples import count_each
from tests.security.test_hostile_store import artifact
from tests.security.test_hostile_study import STUDY

GIGABYTE = 1 << 30
LITTLE = 1 << 24
"""Bytes that may be held of it."""


@pytest.fixture(autouse=True)
def _little_is_held() -> Iterator[None]:
    tracemalloc.start()
    yield
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < LITTLE


def large(path: Path) -> Path:
    """A file of a gigabyte of NUL bytes, which takes no space."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(GIGABYTE)
    return path


def test_a_study_of_a_gigabyte(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"at most 4,194,304 bytes, found 1,073,741,824"):
        grid.load(large(tmp_path / "study.yaml"))
    for name in ("base.yaml", "sets.json"):
        key = "extends" if name == "base.yaml" else "language_sets"
        (tmp_path / "small.yaml").write_text(f"{key}: {name}\n{STUDY}")
        large(tmp_path / name)
        with pytest.raises(StudyError, match=r"at most 4,194,304 bytes"):
            grid.load(tmp_path / "small.yaml")


def test_a_squad_file_of_a_gigabyte(tmp_path: Path) -> None:
    file = large(tmp_path / "xquad.en.json")
    with pytest.raises(InputError, match="a file of at most 256 MiB, found 1024 MiB"):
        count_each("xquad", {"en": file}, part="test")


READS: dict[str, Callable[[Path], object]] = {
    "manifest.json": lambda path: Store(path.parents[4]).manifest("tiny", path.parent.name),
    "claims.json": lambda path: read_verdicts(path.parent),
    "seeds.json": lambda path: read_seeds(path.parent),
    "any.json": read_file,
}


@pytest.mark.parametrize("name", READS)
def test_a_record_of_a_gigabyte(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "store")
    path = large(store.path("tiny", "a-0000000000000000") / name)
    with pytest.raises(StoreError, match=f"expected at most {LARGEST:,} bytes"):
        READS[name](path)


def test_an_artifact_with_a_manifest_of_a_gigabyte(tmp_path: Path) -> None:
    place = artifact(tmp_path / "from", config=b"{}")
    large(place / "manifest.json")
    assert list(adopt(Store(tmp_path / "to"), tmp_path / "from").refused) == [place]


@pytest.mark.parametrize("other", ["/dev/zero", "a pipe", "a gigabyte"])
def test_a_study_that_names_what_has_no_end_as_its_own_file(tmp_path: Path, other: str) -> None:
    """The output of another study of the same name is told from one of a copy by both files."""
    (tmp_path / "study.yaml").write_text(STUDY)
    study = grid.load(tmp_path / "study.yaml", store=tmp_path / "runs")
    place = Path(other)
    if other == "a pipe":
        os.mkfifo(place := tmp_path / "pipe")
    elif other == "a gigabyte":
        place = large(tmp_path / "large.yaml")
    study.folder.mkdir(parents=True)
    (study.folder / "study.json").write_text(json.dumps({"file": str(place)}))
    refuse_foreign(study)


def test_a_log_is_printed_piece_by_piece(tmp_path: Path) -> None:
    attempt = Attempt(id=("tiny", "a-0000000000000000"), folder=tmp_path)
    with attempt.log.open("w") as stream:
        for _ in range(40):
            stream.write("x" * (1 << 20))
        stream.write("\nthe end")
    with (tmp_path / "out").open("w") as out, redirect_stdout(out):
        show(attempt)
    with (tmp_path / "out").open("rb") as stream:
        stream.seek(-11, os.SEEK_END)
        assert stream.read() == b"xx\nthe end\n"


def test_a_log_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempt = Attempt(id=("tiny", "a-0000000000000000"), folder=tmp_path)
    attempt.log.write_text(" \n")
    show(attempt)
    assert "(nothing was written to it)" in capsys.readouterr().out
    attempt.log.unlink()
    os.mkfifo(attempt.log)
    show(attempt)  # waits for nobody
    attempt.log.unlink()
    (tmp_path / "private").write_text("of the user's own")
    attempt.log.symlink_to(tmp_path / "private")
    with pytest.raises(StoreError, match="expected a file, found a link"):
        show(attempt)
    assert "of the user's own" not in capsys.readouterr().out


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """Records are UTF-8: they could not say where they are."""
    (tmp_path / "study.yaml").write_text(STUDY)
    folder = Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9"))
    folder.mkdir()
    with pytest.raises(StoreError, match="expected a path of text, found bytes"):
        Store(folder / "runs")
    with pytest.raises(StoreError, match="expected a path of text, found bytes"):
        grid.load(tmp_path / "study.yaml", store=folder / "runs").open_store()
    (folder / "study.yaml").write_text(STUDY)
    with pytest.raises(StoreError, match="expected a path of text, found bytes"):
        grid.load(folder / "study.yaml", store=tmp_path / "runs")
