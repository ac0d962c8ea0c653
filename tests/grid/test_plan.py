"""The plan: states of cells, what they share, what is printed, and what corrects its times."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import grid
from grid import plan_text
from grid.budget.finished import correction
from grid.errors import StudyError
from grid.identity import plain
from grid.plan import Plan
from grid.publish import write_json
from grid.states import cell_states
from grid.typed import name_of

ROOT = Path(__file__).resolve().parents[2]
STUDY = """
cell:
  corpus: {source: %s, synthetic: {size: 60_000, concepts: 80}}
  tokenizer: {vocab_size: 600, sample_bytes: 100_000}
  encoder: {layers: 1, width: 16, heads: 2, max_positions: 40}
  pretraining: {updates: 100, batch_size: 32, sequence_length: 40, precision: fp32}
axes:
  - {name: a, product: {languages: [[en, de], [en, fr]]}}
replicates: {seed: [1, 2]}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRID_STORE", raising=False)


def planned(*overrides: str, source: str = "synthetic", profile: str | None = None) -> Plan:
    Path("study.yaml").write_text(STUDY % source, encoding="utf-8")
    return Plan(grid.load("study.yaml", *overrides), profile=profile)


def names(plan: Plan) -> list[str]:
    return [plan.states[cell.id].name for cell in plan.studies[0].cells]


def finish(plan: Plan, stage: tuple[str, str]) -> Path:
    folder = plan.studies[0].open_store().path(*stage)
    folder.mkdir(parents=True)
    return folder


def test_everything_of_a_new_study_is_to_run() -> None:
    plan = planned()
    assert names(plan) == ["to run"] * 4
    totals = plan.totals()
    assert totals["to run"] == totals["shared"]
    assert totals["done"].stages == 0
    # Each language pair is a tokenizer and two shards, whatever the seed; en's corpus is one.
    assert totals["shared"].stages == 3 + 2 * (1 + 2) + 4 * 2
    assert totals["alone"].stages == 4 * (2 + 1 + 2 + 2)
    assert totals["alone"].device_hours == pytest.approx(totals["shared"].device_hours)
    assert totals["alone"].cpu_hours > totals["shared"].cpu_hours


def test_a_cell_in_the_store_is_cached_until_this_study_has_collected_it() -> None:
    plan = planned()
    first = plan.studies[0].cells[0].id
    for role in ("pretraining", "evaluation"):
        finish(plan, plan.graph.cells[first][role])
    assert names(planned()) == ["cached", "to run", "to run", "to run"]
    plan.studies[0].folder.mkdir(parents=True)
    pl.DataFrame({"cell": [first]}).write_parquet(plan.studies[0].folder / "results.parquet")
    again = planned()
    assert names(again) == ["done", "to run", "to run", "to run"]
    assert again.totals()["done"].stages == 2


def test_a_failure_fails_its_cell_and_blocks_those_that_share_what_failed() -> None:
    plan = planned()
    store = plan.studies[0].open_store()
    cells = plan.studies[0].cells
    own = plan.graph.cells[cells[0].id]["pretraining"]
    shared = plan.graph.cells[cells[2].id]["tokenizer"]
    for stage in (own, shared):
        attempt = store.new_attempt(*stage, {})
        write_json(attempt / "outcome.json", {"state": "failed", "message": "no space\nat all"})
    plan = planned()
    assert names(plan) == ["failed", "to run", "blocked", "blocked"]
    assert plan.states[cells[0].id].why == "pretraining failed: no space"
    assert plan.states[cells[3].id].why == "tokenizer failed: no space"


def test_a_held_stage_is_running() -> None:
    plan = planned()
    stage = plan.graph.cells[plan.studies[0].cells[1].id]["pretraining"]
    store = plan.studies[0].open_store()
    store.new_attempt(*stage, {})
    held = store.acquire(*stage)
    assert held is not None
    try:
        assert names(planned()) == ["to run", "running", "to run", "to run"]
    finally:
        held.release()
    assert names(planned()) == ["to run"] * 4


def test_text_without_a_location_is_planned_by_its_published_size() -> None:
    plan = planned(source="cc100")
    assert names(plan) == ["blocked"] * 4
    assert plan.states[plan.studies[0].cells[0].id].why == "no location is set for cc100"
    scored = planned("cell.evaluation.text=wikipedia", source="cc100")
    assert set(scored.lacking[scored.studies[0].cells[0].id]) == {"cc100", "wikipedia"}
    assert plan.totals()["shared"].cpu_hours > 5
    told = list(plan_text.lines(plan, plan.frame()))
    assert "cells 1-4: no location is set for cc100" in told


def test_an_unknown_source_without_a_location_is_refused() -> None:
    with pytest.raises(StudyError, match=r"locations\.mine: expected the folder"):
        _ = planned(source="mine").graph


def test_what_does_not_fit_is_told_with_what_to_change() -> None:
    plan = planned("cell.encoder.size=xxl", "execution.tensor_parallel=1", profile="v100")
    frame = plan.frame()
    assert not frame["fits"].any()
    note = frame["note"][0]
    assert "GB more than there are; it fits with execution.tensor_parallel=16" in note


def test_every_column_has_a_value_or_says_why_not() -> None:
    frame = planned(profile="a100").frame()
    for name in frame.columns:
        assert name == "note" or frame[name].null_count() == 0, name
    parts = frame.select(pl.sum_horizontal(pl.col("^memory_.*$")))
    assert parts.to_series().to_list() == pytest.approx(frame["memory"].to_list())
    assert (frame["rank_parameters"] == frame["parameters"]).all()
    assert (frame["embedding_rows"] == 602).all()


def test_finished_runs_correct_the_times() -> None:
    plan = planned("cell.pretraining.updates=20_000")
    wanted = plan.price(plan.studies[0].cells[0]).pretraining_seconds
    for number, cell in enumerate(plan.studies[0].cells[:3]):
        id = plan.graph.cells[cell.id]["pretraining"]
        stage, folder = plan.graph.stages[id], finish(plan, id)
        config = {"config": plain(stage.config), "config_type": name_of(type(stage.config))}
        write_json(folder / "config.json", config)
        write_json(folder / "model.json", {"rows": 602})
        write_json(folder / "exposure.json", {"updates": 20_000})
        execution = {"device": "cpu", "micro_batch": None}
        wall = wanted * (number + 1)
        write_json(folder / "manifest.json", {"execution": execution, "wall_seconds": wall})
    found = correction(plan.studies[0].open_store(), plan.device, plan.calibration)
    assert found.runs == 3
    assert found.factor == pytest.approx(2.0)
    again = planned("cell.pretraining.updates=20_000")
    assert again.price(again.studies[0].cells[3]).pretraining_seconds == pytest.approx(2 * wanted)
    assert any("from 3 finished runs in this store" in line
               for line in plan_text.lines(again, again.frame()))  # fmt: skip
    other = planned("cell.pretraining.updates=20_000", profile="h100")
    assert other.correction.runs == 0


def test_short_runs_correct_nothing() -> None:
    plan = planned()
    id = plan.graph.cells[plan.studies[0].cells[0].id]["pretraining"]
    stage, folder = plan.graph.stages[id], finish(plan, id)
    config = {"config": plain(stage.config), "config_type": name_of(type(stage.config))}
    write_json(folder / "config.json", config)
    write_json(folder / "model.json", {"rows": 602})
    write_json(folder / "exposure.json", {"updates": 100})
    write_json(folder / "manifest.json", {"execution": {"device": "cpu"}, "wall_seconds": 99})
    assert planned().correction.runs == 0


def test_finished_runs_of_other_code_are_passed_over() -> None:
    plan = planned()
    for number, cell in enumerate(plan.studies[0].cells[:2]):
        id = plan.graph.cells[cell.id]["pretraining"]
        stage, folder = plan.graph.stages[id], finish(plan, id)
        config = {**plain(stage.config), **({"tricks": 3} if number else {"seed": "one"})}
        record = {"config": config, "config_type": name_of(type(stage.config))}
        write_json(folder / "config.json", record)
        write_json(folder / "model.json", {"rows": 602})
        write_json(folder / "exposure.json", {"updates": 100})
        write_json(folder / "manifest.json", {"execution": {"device": "cpu"}, "wall_seconds": 99})
    assert planned().correction.runs == 0


def test_a_table_says_once_what_is_the_same_in_every_cell() -> None:
    plan = planned("axes.a.product.encoder.width=[16, 32]")
    above, header, *_ = plan_text.shown(plan, plan.frame(), width=200).splitlines()
    assert above.startswith("in every cell: rows 602, tokens ")
    assert "parameters" in header and "rows" not in header
    lone = plan_text.shown(plan, plan.frame()[:1], width=300).splitlines()
    assert lone[0].startswith("#") and "rows" in lone[0], "one cell has nothing to share"


def test_a_table_that_is_too_wide_loses_the_axes_first() -> None:
    plan = planned("axes.a.product.encoder.width=[16, 32]")
    wide = plan_text.shown(plan, plan.frame(), width=300)
    assert "csv" not in wide and "encoder.width" in wide
    for width in (100, 90, 80):
        lines = plan_text.shown(plan, plan.frame(), width).splitlines()
        assert max(map(len, lines)) <= width
        told = " ".join(" ".join(lines).split())
        assert "too wide to show, but in --format csv: languages, encoder.width" in told
        assert "memory" in told, "what one plans for stays"


def test_runs_of_cells_are_told_as_runs() -> None:
    assert plan_text._runs([3, 1, 2, 7, 9, 10]) == "1-3, 7, 9-10"


def test_a_plan_of_more_gpus_than_there_are_is_printed_and_says_so() -> None:
    Path("study.yaml").write_text(STUDY % "synthetic", encoding="utf-8")
    command = [sys.executable, "-m", "grid", "plan", "study.yaml", "execution.device=cuda:97"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    cases = (
        ([], True),
        (["execution.tensor_parallel=2"], True),
        (["--device-profile", "h100"], False),
    )
    for more, told in cases:
        done = subprocess.run(
            [*command, *more], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert ("it cannot run on this machine: " in done.stderr) == told


def test_json_and_csv_have_all_columns_and_torch_stays_out(tmp_path: Path) -> None:
    Path("study.yaml").write_text(STUDY % "synthetic", encoding="utf-8")
    code = (
        "import sys; from grid.cli import main; status = main(sys.argv[1:]); "
        "assert 'torch' not in sys.modules; sys.exit(status)"
    )
    printed = {}
    for format in ("json", "csv", "table"):
        done = subprocess.run(
            [sys.executable, "-c", code, "plan", "study.yaml", "--format", format,
             "--device-profile", "h200"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
        printed[format] = done.stdout
        assert "priced for h200 (141 GB; NVIDIA H200 SXM" in done.stderr
    rows = json.loads(printed["json"])
    assert len(rows) == 4
    assert rows[0]["device"] == "h200"
    assert list(rows[0]) == printed["csv"].splitlines()[0].split(",")
    lines = printed["table"].splitlines()
    assert lines[0].startswith("in every cell: rows 602, parameters ")
    (header,) = (line for line in lines if line.startswith("#"))
    assert header.split()[:4] == ["#", "cell", "state", "languages"]
    assert max(map(len, lines)) <= 120


def test_states_are_of_the_cells_that_are_asked_for() -> None:
    plan = planned()
    states = cell_states(plan.graph, plan.store, [], {plan.studies[0].cells[1].id: ["wikipedia"]})
    assert [states[cell.id].name for cell in plan.studies[0].cells] == [
        "to run",
        "blocked",
        "to run",
        "to run",
    ]
