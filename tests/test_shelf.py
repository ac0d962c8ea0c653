"""docs/results: the tables of a page follow from the verdicts that lie in its folder."""

import importlib.util
from pathlib import Path
from types import ModuleType

import polars
import pytest

RESULTS = Path(__file__).parents[1] / "docs" / "results"
ROW = {
    "world": "0",
    "study": "one",
    "verdict": "holds",
    "says": "A",
    "told": "+1",
    "effect": "1",
    "unit": "points",
}


@pytest.fixture(scope="module")
def collect() -> ModuleType:
    spec = importlib.util.spec_from_file_location("collect", RESULTS / "collect.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("scale", ["laptop", "real"])
def test_the_page_is_current(collect: ModuleType, scale: str) -> None:
    """If not: python docs/results/collect.py --scale SCALE STORE …"""
    page = collect.SHELVES[scale].with_suffix(".md").read_text(encoding="utf-8")
    rows = collect.read_verdicts(scale)
    assert rows and collect.current(page, rows) == page


@pytest.mark.parametrize("scale", ["laptop", "real"])
def test_every_study_with_a_verdict_has_its_results(collect: ModuleType, scale: str) -> None:
    for study in {row["study"] for row in collect.read_verdicts(scale)}:
        frame = polars.read_parquet(collect.SHELVES[scale] / f"{study}.parquet")
        assert set(frame["study"]) == {study} and set(frame["scale"]) == {scale}
        assert (frame["synthetic"] == (scale == "laptop")).all()


def test_other_worlds_stand_beside_the_first(collect: ModuleType) -> None:
    rows = [ROW, {**ROW, "says": "B"}, {**ROW, "world": "1", "verdict": "fails"}]
    made = list(collect.table(rows))
    assert "| A | **holds** | +1 | fails |" in made
    assert "| B | **holds** | +1 |  |" in made


def test_a_statement_has_its_verdicts_by_task_and_by_text(collect: ModuleType) -> None:
    undecided = {**ROW, "says": "B", "verdict": "undecided"}
    rows = [
        {**ROW, "verdict": "undecided"},
        {**ROW, "says": "A (held-out text)", "verdict": "fails", "unit": "bits/byte"},
        undecided,
        {**ROW, "world": "1", "says": "B"},
        {**ROW, "study": "synthetic_controls", "says": "C"},
    ]
    made = list(collect.statements(rows))
    assert made[0].startswith("\n1 of 2 statements are decided")
    assert "| A | one | **undecided** | **fails** |" in made
    assert "| B | one | **undecided** |  |" in made


def test_a_study_without_markers_is_refused(collect: ModuleType) -> None:
    with pytest.raises(ValueError, match="verdicts of one"):
        collect.current("# Page\n<!-- statements -->\n<!-- end -->", [ROW])


def test_a_store_without_studies_leaves_the_shelf_as_it_is(
    collect: ModuleType, tmp_path: Path
) -> None:
    before = sorted(collect.SHELVES["laptop"].iterdir())
    with pytest.raises(SystemExit, match="no study has run"):
        collect.main([tmp_path])
    assert sorted(collect.SHELVES["laptop"].iterdir()) == before
