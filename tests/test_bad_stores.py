"""Stores that once ended a command in something else than a message, and some mutations more."""

import json
from pathlib import Path

import pytest

import grid
from grid import results
from grid.errors import StoreError
from tests.fuzz_stores import fuzz
from tests.grid.golden_store import unpack


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


def test_mutated_stores_end_in_a_result_or_a_message(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    findings = list(fuzz(tmp_path / "store", seed=21, seconds=90, most=5))
    assert not findings, findings[0]
