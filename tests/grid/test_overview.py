"""What `status` and `wait` tell of a study, from files alone."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import grid
from grid.errors import StudyError
from grid.overview import Overview
from grid.overview_text import report
from grid.select import fulfilling
from grid.studies import Studies, load_studies
from grid.wanted import record
from grid.watching import Lines, screen, watch
from tests.grid.slurm.written import submission

STUDY = """\
title: Sizes
cell:
  languages: [en]
  corpus: {synthetic: {size: 12_000, smallest: 10_000, concepts: 60}}
  tokenizer: {vocab_size: 120, sample_bytes: 20_000}
  encoder: {layers: 1, width: 8, heads: 2, norm: pre, max_positions: 32}
  pretraining: {updates: 100, batch_size: 2, sequence_length: 16, precision: fp32}
axes:
  - name: width
    product: {encoder.width: [8, 16]}
replicates: {seed: [1, 2]}
"""


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studies:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sizes.yaml").write_text(STUDY)
    return load_studies(["sizes.yaml"], store=tmp_path / "runs")


@pytest.fixture
def running(studies: Studies) -> Iterator[Overview]:
    """A pretraining that this process holds, at step 30 of 100; another one that failed."""
    store, graph = studies.open_store(), studies.graph()
    first, second, third, _ = (id for id in graph.stages if id[0] == "pretraining")
    held = store.acquire(*first)
    assert held is not None
    folder = store.new_attempt(*first, {})
    steps = [{"time": 1e9 + step, "step": step, "total": 100, "loss": 5.0} for step in (10, 30)]
    lines = [json.dumps({**each, "tokens_per_s": 2000.0}) for each in steps]
    (folder / "progress.jsonl").write_text("\n".join([*lines, '{"cut']))
    for number, id in enumerate((second, third)):
        folder = store.new_attempt(*id, {})
        (folder / "log").write_text("Traceback (most recent call last):\n  lots\nValueError: 7\n")
        outcome = {"state": "failed", "kind": "crash", "message": f"ValueError: {number}",
                   "host": "node7", "wall_seconds": 1800.0}  # fmt: skip
        (folder / "outcome.json").write_text(json.dumps(outcome))
    yield Overview(studies)
    held.release()


def test_the_report_tells_counts_progress_and_failures_by_cause(running: Overview) -> None:
    look = running.look()
    lines = list(report(running, look, lambda id: f"logs {'/'.join(id)}", 100))

    first = lines.index("cells:  1 running, 1 to run, 2 failed")  # below the store, which may fold
    assert lines[first + 1] == "stages: 1 running, 6 to run, 2 failed, 2 blocked"
    assert lines[first + 2].startswith("core hours: 60.0 min used here of ")
    heading = lines.index(next(line for line in lines if line.startswith("running")))
    assert lines[heading].split() == ["running", "step", "loss", "speed", "left", "node"]
    assert "30/100  5.000  2.0k tokens/s" in lines[heading + 1]
    told = next(line for line in lines if line.startswith("failed, crash: pretraining "))
    assert told.count("pretraining") == 2, "both in one group, for they differ in numbers only"
    assert "  ValueError: 0 (attempt 1, on node7)" in lines
    assert "    ValueError: 7" in lines
    assert any(line.startswith("  logs pretraining/") for line in lines)
    assert all(len(line) <= 100 for line in lines if "/" not in line), "paths stay whole"


def test_a_narrow_terminal_loses_columns_and_not_lines(running: Overview) -> None:
    lines = list(report(running, running.look(), lambda id: "", 45))
    heading = next(line for line in lines if line.startswith("running"))
    assert "step" in heading and "speed" not in heading


def test_the_table_for_programs_has_a_row_for_each_stage(running: Overview) -> None:
    look = running.look()
    frame = running.frame(look)
    assert frame.height == len(running.graph.stages) == 11
    (row,) = frame.filter(frame["state"] == "running").to_dicts()
    assert (row["stage"], row["step"], row["total"], row["cells"]) == ("pretraining", 30, 100, 1)
    assert row["node"] and row["seconds_left"] == 0.0
    failed = frame.filter(frame["state"] == "failed").to_dicts()
    assert [each["cause"] for each in failed] == ["crash", "crash"]
    assert [each["device_hours"] for each in failed] == [0.5, 0.5]
    assert frame["planned_device_hours"].sum() > 0


def test_a_live_screen_shows_the_report_and_a_plain_one_what_changes(running: Overview) -> None:
    live, plain = io.StringIO(), io.StringIO()
    look = running.look()
    with screen(running, live, lambda id: "logs", live=True) as shown:
        shown.show(look)
    with Lines(running, plain) as shown:
        shown.show(look)
        shown.show(look)
    assert "1 running, 6 to run, 2 failed, 2 blocked" in live.getvalue()
    lines = [line.split(" ", 1)[1] for line in plain.getvalue().splitlines()]
    assert len(lines) == 3 and [line.startswith("failed: ") for line in lines] == [
        True,
        True,
        False,
    ]


def test_cells_are_chosen_by_a_condition_on_axes_and_seed(studies: Studies) -> None:
    (study,) = studies.studies
    chosen = fulfilling(study, "encoder.width > 8 and seed == 2")
    assert [(cell.coordinates["encoder.width"], cell.seed) for cell in chosen] == [(16, 2)]
    assert len(fulfilling(study, "seed < 3")) == 4
    for condition, told in (
        ("encoder.widht > 8", r"command line: --where: .*did you mean encoder\.width"),
        ("seed > 9", "drops every point"),
    ):
        with pytest.raises(StudyError, match=told):
            fulfilling(study, condition)


def test_watching_ends_when_nothing_is_left_to_happen(studies: Studies) -> None:
    overview = Overview(studies)
    look = watch(overview, Lines(overview, io.StringIO()))
    assert not look.moving and not look.done


def test_a_study_whose_text_is_elsewhere_is_known_as_it_was_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "en.txt").write_text("Some text.\nAnd more of it.\n" * 300)
    (tmp_path / "sizes.yaml").write_text(STUDY.replace("corpus: {", "corpus: {source: mine, "))
    here = grid.load("sizes.yaml", "locations.mine=text", store="runs")
    graph = here.graph()
    shutil.rmtree(tmp_path / "text")
    with pytest.raises(StudyError, match=r"locations\.mine"):
        Overview(load_studies(["sizes.yaml"], store="runs"))

    record(here, graph)
    submission(tmp_path / "runs", graph, {"a1": [list(graph.stages)]}, study="sizes")
    overview = Overview(load_studies(["sizes.yaml"], store="runs"))
    assert overview.graph.stages.keys() == graph.stages.keys()
    assert overview.note is not None and "as they were submitted" in overview.note
