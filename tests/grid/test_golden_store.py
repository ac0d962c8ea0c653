"""A store that an earlier version wrote is read by this one, or it says what has changed."""

import csv
import io
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import grid as grid_package
from grid.store import Store
from grid.verify import verify_store
from grid.wanted import explain, orphaned
from tests.grid.golden_store import ARCHIVE, grid, unpack

STUDIES = ("every", "from")
KINDS = {
    "checkpoint": 1, "checkpoint_tokenizer": 1, "command": 2, "corpus": 2, "evaluation": 3,
    "finetuning": 2, "pretraining": 3, "retrieval": 2, "shards": 4, "task": 2, "tokenizer": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("golden")
    unpack(place)
    return place


@pytest.fixture
def current(folder: Path) -> None:
    """For what needs the keys of today: after a change of them only `plan` has to speak."""
    if stale(folder, "every"):
        pytest.skip("this version gives the stages of the old store other keys")


def stale(folder: Path, name: str) -> bool:
    study = grid_package.load(
        folder / f"{name}.yaml", store=folder / "runs", site=folder / "grid.yaml"
    )
    return bool(orphaned(study, study.graph(), Store(folder / "runs")))


def test_it_is_small() -> None:
    assert ARCHIVE.stat().st_size < 300_000


def test_every_artifact_is_whole(folder: Path) -> None:
    store = Store(folder / "runs")
    whole, damaged = verify_store(store)
    assert not damaged
    found = [stage for stage, _ in whole]
    assert {stage: found.count(stage) for stage in set(found)} == KINDS
    assert "23 artifacts are whole, 0 are not" in grid(folder, "verify").stderr


def test_damage_is_found_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "runs", tmp_path / "runs")
    files = [path for path in (tmp_path / "runs" / "artifacts").rglob("*") if path.is_file()]
    assert len(files) > 90
    for file in files:
        before = file.read_bytes()
        middle = len(before) // 2
        file.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
        _, damaged = verify_store(Store(tmp_path / "runs"))
        place = next(path for path in file.parents if (path / "manifest.json").is_file())
        assert list(damaged) == [place] or file.name == "manifest.json", file
        file.write_bytes(before)


def test_results_are_the_same_or_plan_says_why_not(folder: Path) -> None:
    for name in STUDIES:
        study = grid_package.load(
            folder / f"{name}.yaml", store=folder / "runs", site=folder / "grid.yaml"
        )
        graph, store = study.graph(), study.open_store()
        if orphans := orphaned(study, graph, store):
            told = explain(study, graph, store, orphans)
            assert all(each.successor is None or each.differences for each in told)
            assert "not used any more" in grid(folder, "plan", f"{name}.yaml").stderr
            continue
        expected = list(csv.DictReader((folder / f"{name}.csv").open()))
        told = grid(folder, "results", f"{name}.yaml", "--format", "csv").stdout
        rows = list(csv.DictReader(io.StringIO(told)))
        assert len(rows) == len(expected) >= 8
        for row, old in zip(rows, expected, strict=True):
            assert {column: row.get(column) for column in old} == old


def test_a_change_of_a_study_is_told_with_its_cause(folder: Path) -> None:
    """The same words that an upgrade with another default or version gives."""
    told = grid(folder, "plan", "every.yaml", "cell.evaluation.passes=3")
    assert "evaluation.passes" in told.stderr + told.stdout


def test_frames_that_it_left_are_read(folder: Path) -> None:
    for name in STUDIES:
        kept = folder / "runs" / "studies" / name / "laptop"
        frame = pl.read_parquet(kept / "results.parquet")
        assert {"cell", "task", "metric", "language", "value", "synthetic"} <= set(frame.columns)
        assert pl.read_parquet(kept / "plan.parquet").height == len(frame["cell"].unique())
        assert json.loads((kept / "study.json").read_text())["title"]


def test_it_is_adopted(folder: Path, tmp_path: Path) -> None:
    done = grid(folder, "adopt", "runs", "--store", tmp_path / "new")
    assert len(done.stdout.splitlines()) == sum(KINDS.values())
    again = grid(folder, "adopt", "runs", "--store", tmp_path / "new")
    assert f"{sum(KINDS.values())} there already" in again.stderr


@pytest.mark.usefixtures("current")
def test_nothing_is_computed_again(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    for name in STUDIES:
        done = grid(tmp_path / "copy", "run", f"{name}.yaml")
        assert "0 stages run, " in done.stderr, done.stderr


@pytest.mark.usefixtures("current")
def test_commands_read_it(folder: Path, tmp_path: Path) -> None:
    shown = grid(folder, "show", "every.yaml", 1).stdout
    assert "alpha" in shown and "every.yaml" in shown
    assert "2 done" in grid(folder, "status", "every.yaml").stdout
    log = grid(folder, "logs", "every.yaml", "command").stdout
    assert "hello at rate 1" in log
    assert "sampling.alpha" in grid(folder, "why", "every.yaml", 1, 2).stdout
    assert "pretraining" in grid(folder, "prune").stdout
    grid(folder, "export", "every.yaml", 1, tmp_path / "model")
    for file in sorted((folder / "model").iterdir()):
        if file.name != "README.md":  # it tells the versions of today
            assert (tmp_path / "model" / file.name).read_bytes() == file.read_bytes(), file.name
