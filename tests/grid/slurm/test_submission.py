"""A submission's folder says the same when it is read as when it was written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import grid
from grid.errors import StoreError
from grid.execution import ExecutionConfig
from grid.slurm.resources import Resources
from grid.slurm.settings import SlurmConfig, SlurmStage
from grid.slurm.submission import (
    Array,
    Submission,
    read_stages,
    read_submission,
    submissions,
    write_stages,
    write_submission,
)
from tests.grid.tiny_stages import graph, stage


def made(folder: Path) -> Submission:
    resources = Resources(minutes=30, memory_mb=2048, placement=SlurmStage(partition="main"))
    slurm = SlurmConfig(partition="main", stages={"corpus": SlurmStage(partition="cpu")})
    return Submission(
        folder=folder,
        id="20260131-120000-0a1b",
        created="2026-01-31T12:00:00+00:00",
        host="login",
        user="someone",
        study="tiny",
        scale="smoke",
        store=folder.parents[4],
        code=folder.parents[4] / "snapshots" / "0123",
        execution=ExecutionConfig(threads=2, slurm=slurm),
        arrays=(
            Array(
                name="first", resources=resources, shares=((("tiny", "a-0"),), (("tiny", "b-1"),))
            ),
            Array(
                name="second",
                resources=replace(resources, minutes=60),
                waits=(("first", (0,)), ("20260130-120000-ffff/other", None)),
                shares=((("tiny", "c-2"), ("tiny", "d-3")),),
            ),
        ),
    )


def test_a_submission_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "studies" / "tiny" / "smoke" / "submissions" / "20260131-120000-0a1b"
    submission = made(folder)
    write_submission(submission)
    assert read_submission(folder) == submission
    write_submission(submission.with_job("second", "1234"))
    again = read_submission(folder)
    assert again.array("second").job == "1234" and again.array("first").job is None
    assert [path.name for path in folder.iterdir()] == ["submission.json"]
    assert submissions(folder.parents[1]) == [folder]
    assert [(array.name, index) for array, index, _ in again.elements] == [
        ("first", 0),
        ("first", 1),
        ("second", 0),
    ]


def test_a_damaged_or_foreign_submission_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "studies" / "tiny" / "smoke" / "submissions" / "one"
    with pytest.raises(StoreError, match="there is none"):
        read_submission(folder)
    write_submission(made(folder))
    file = folder / "submission.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "version": 2}))
    with pytest.raises(StoreError, match="expected version 1, found 2"):
        read_submission(folder)
    file.write_text(json.dumps({**record, "arrays": [{"name": "x"}]}))
    with pytest.raises(StoreError, match="damaged"):
        read_submission(folder)


def test_a_study_s_stages_are_read_as_they_were_written(tmp_path: Path) -> None:
    study = grid.load(
        "studies/curse_of_multilinguality.yaml", scale="smoke", store=tmp_path / "runs"
    )
    before = study.graph()
    write_stages(tmp_path, before)
    after = read_stages(tmp_path)
    assert list(after.stages) == list(before.stages) and after.targets == before.targets
    for id, each in before.stages.items():
        assert vars(after.stages[id]) == {**vars(each), "inputs": dict(each.inputs)}


def test_a_share_is_read_with_its_inputs_only(tmp_path: Path) -> None:
    a = stage("a", value=1)
    b = stage("b", a)
    c = stage("c", b)
    d = stage("d", c)
    write_stages(tmp_path, graph(a, b, c, d))
    share = read_stages(tmp_path, only=[c.id])
    assert set(share.stages) == {b.id, c.id} and share.targets == {c.id}
    assert not share.stages[b.id].inputs and share.stages[c.id].inputs == {b.key: b.id}
