"""Stores that once ended a command in something else than a message, and some mutations more."""

import json
import os
from pathlib import Path

import polars
import pytest

import grid
from grid import results, study_files
from grid.errors import StoreError
from grid.score_types import require_type
from plots.errors import FigureError
from plots.studies import StudyOutput
from tests.fuzz_stores import fuzz
from tests.grid.golden_store import unpack
from tests.grid.signed import sign

FRAMES = sorted((Path(__file__).parent / "bad_frames").glob("*.parquet"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("golden")
    unpack(place)
    return place


SCORES = [
    ("n", None, "a column that is missing"),
    ("n", "many", "text for a number"),
    ("n", 10**30, "a number beyond a column"),
    ("n", 1.5, "a part of an example"),
    ("value", "0.5", "text for a score"),
    ("value", [], "a list for a score"),
    ("metric", {"a": 1}, "an object for a name"),
    ("language", 7, "a number for a code"),
    ("seen", "yes", "text for a truth"),
]


@pytest.mark.parametrize(("name", "value", "what"), SCORES, ids=[what for *_, what in SCORES])
def test_scores_that_are_none(folder: Path, name: str, value: object, what: str) -> None:
    # Every evaluation, for which of them a study reads depends on its keys.
    files = sorted((folder / "runs" / "artifacts" / "evaluation").rglob("scores.json"))
    contents = {each: each.read_bytes() for each in files}
    rows = json.loads(contents[files[0]])
    if value is None:
        del rows[0][name]
    else:
        rows[0][name] = value
    for each in files:
        each.write_text(json.dumps(rows))
        sign(each.parent)
    try:
        study = grid.load(folder / "every.yaml", store=folder / "runs", site=folder / "grid.yaml")
        graph = study.graph()
        there = study.open_store().published("evaluation")
        if not there & {key for stage, key in graph.stages if stage == "evaluation"}:
            pytest.skip("this version gives the stages of the old store other keys")
        with pytest.raises(StoreError, match=r"does not hold what it should .*grid verify"):
            results.collect(study, graph)
    finally:
        for each, content in contents.items():
            each.write_bytes(content)
            sign(each.parent)


def loaded(folder: Path) -> grid.study.Study:
    return grid.load(folder / "every.yaml", store=folder / "runs", site=folder / "grid.yaml")


@pytest.mark.parametrize("text", ["en\ud800", "\udfff"])
def test_a_score_is_text_that_a_file_can_hold(text: str) -> None:
    require_type("language", polars.String, ["עברית e\u0301 \u202e", None])
    with pytest.raises(TypeError, match="language"):
        require_type("language", polars.String, ["en", text])


MANIFESTS = [
    ("wall_seconds", []),
    ("wall_seconds", "1.5"),
    ("wall_seconds", float("nan")),
    ("finished", 7),
    ("revision", {}),
    ("environment", ["torch"]),
    ("execution", None),
    ("execution", {"threads": []}),
    ("execution", {"threads": 10**30}),
    ("execution", {"tensor_parallel": 0}),
]


@pytest.mark.parametrize(("name", "value"), MANIFESTS, ids=str)
def test_manifests_that_are_none(folder: Path, name: str, value: object) -> None:
    study = loaded(folder)
    files = sorted((folder / "runs" / "artifacts" / "pretraining").rglob("manifest.json"))
    contents = {each: each.read_bytes() for each in files}
    try:
        for each in files:
            each.write_text(json.dumps(json.loads(contents[each]) | {name: value}))
            with pytest.raises(StoreError, match=rf"manifest.json is damaged: {name}"):
                study.open_store().manifest("pretraining", each.parent.name)
        study.plan()  # takes the times of finished runs from them, and does without
    finally:
        for each, content in contents.items():
            each.write_bytes(content)


@pytest.mark.parametrize("name", ["manifest", "config", "model", "exposure"])
def test_a_plan_waits_for_no_pipe(folder: Path, name: str) -> None:
    files = sorted((folder / "runs" / "artifacts" / "pretraining").rglob(f"{name}.json"))
    contents = {each: each.read_bytes() for each in files}
    try:
        for each in files:
            each.unlink()
            os.mkfifo(each)
        assert len(loaded(folder).plan())
    finally:
        for each, content in contents.items():
            each.unlink()
            each.write_bytes(content)


CALIBRATIONS = [
    "{}",
    "[]",
    "[" * 100_000,
    '{"cpu": {"source": "x", "seconds": [], "bytes": {}}}',
    '{"cpu": {"source": "x", "seconds": {}, "bytes": {}}}',
    '{"cuda": {"source": "x", "seconds": {}, "bytes": {}}}',
]


@pytest.mark.parametrize("text", CALIBRATIONS, ids=lambda text: text[:50])
def test_a_calibration_that_is_none(folder: Path, text: str) -> None:
    file = folder / "runs" / "calibration.json"
    file.write_text(text)
    try:
        with pytest.raises(StoreError, match=r"calibration\.json: expected a calibration"):
            loaded(folder).plan()
    finally:
        file.unlink()


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.stem)
def test_frames_that_polars_panics_over(frame: Path, tmp_path: Path) -> None:
    """Its panics are no Exceptions, so they used to end the program."""
    output = StudyOutput(
        folder=tmp_path, name="s", scale="laptop", figures=(), path="s.yaml", store=tmp_path
    )
    output.results_file.write_bytes(frame.read_bytes())
    with pytest.raises(StoreError, match="cannot be read"):
        study_files.read_frame(output.results_file)
    with pytest.raises(FigureError, match="cannot be read"):
        output.results()


def test_a_frame_is_written_over_whatever_is_there(tmp_path: Path) -> None:
    path = tmp_path / "studies" / "s" / "laptop" / "results.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(FRAMES[0].read_bytes())
    frame = polars.DataFrame({"cell": ["a"], "value": [0.5]})
    study_files.write_bytes(study_files.parquet(frame), path)
    assert study_files.read_frame(path).equals(frame)
    before = path.stat()
    study_files.write_bytes(study_files.parquet(frame), path)
    assert path.stat() == before, "the same content is left alone"


def test_mutated_stores_end_in_a_result_or_a_message(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    findings = list(fuzz(tmp_path / "store", seed=21, seconds=90, most=5))
    assert not findings, findings[0]
