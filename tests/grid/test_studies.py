"""Several studies in one run share what is equal, and each has its own results."""

import json
from pathlib import Path

import pytest

import grid
from grid.errors import StudyError
from grid.studies import load_studies
from tests.grid.test_cli import run_grid

TINY = """\
title: {title}
cell:
  languages: [en, sw]
  corpus: {{synthetic: {{size: 30_000, smallest: 10_000, concepts: 80}}}}
  tokenizer: {{vocab_size: 190, sample_bytes: 60_000, character_coverage: 0.98}}
  encoder: {{layers: 1, width: 8, heads: 2, norm: pre, max_positions: 32}}
  pretraining: {{updates: 0, batch_size: 2, sequence_length: 16, precision: fp32}}
  evaluation: {{max_bytes: 300, passes: 2}}
axes:
  - name: widths
    product: {{encoder.width: {widths}}}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRID_STORE", raising=False)
    for name, widths in (("a", "[8, 16]"), ("b", "[16, 24]")):
        Path(f"{name}.yaml").write_text(TINY.format(title=name.upper(), widths=widths))


def test_studies_share_cells_and_stages_in_one_graph() -> None:
    both = load_studies(["a.yaml", "b.yaml"])
    assert [cell.config.encoder.width for cell in both.cells] == [8, 16, 24]
    graph = both.graph()
    alone = [study.graph() for study in both.studies]
    assert set(graph.stages) == set(alone[0].stages) | set(alone[1].stages)
    assert len(graph.stages) < sum(len(each.stages) for each in alone)
    assert graph.targets == alone[0].targets | alone[1].targets
    seen = set()
    for stage in graph.stages.values():  # inputs come first
        assert set(stage.inputs.values()) <= seen
        seen.add(stage.id)
    plan = both.plan()
    assert plan["study"].to_list() == ["a", "a", "b", "b"]
    assert plan["cell"].n_unique() == 3


def test_a_run_of_two_studies_is_that_of_each(tmp_path: Path) -> None:
    result = run_grid("run", "a.yaml", "b.yaml", "--workers", "2", "--store", "both", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(b"means over seeds") == 2
    assert b"A + B: 3 cells" in result.stderr
    for name in ("a", "b"):
        study = grid.load(f"{name}.yaml", store="both")
        assert (study.folder / "results.parquet").is_file()
        assert json.loads((study.folder / "study.json").read_text())["title"] == name.upper()
        assert study.results()["cell"].n_unique() == 2
    again = run_grid("run", "b.yaml", "--store", "both", cwd=tmp_path)
    assert b"0 stages run" in again.stderr
    told = run_grid(
        "results", "a.yaml", "b.yaml", "--store", "both", "--format", "csv", cwd=tmp_path
    )
    assert {line.split(b",")[0] for line in told.stdout.splitlines()} == {b"study", b"a", b"b"}
    status = run_grid("status", "b.yaml", "a.yaml", "--store", "both", cwd=tmp_path)
    assert status.returncode == 0 and b"to run" not in status.stderr


def test_studies_that_cannot_run_together_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "sub"
    other.mkdir()
    (other / "a.yaml").write_text(TINY.format(title="A", widths="[8]"))
    with pytest.raises(StudyError, match="2 studies are called a, and would write"):
        load_studies(["a.yaml", other / "a.yaml"])
    for name, folder in (("c", "here"), ("d", "there")):
        text = TINY.format(title=name, widths="[8]") + f"locations: {{cc100: /{folder}}}\n"
        Path(f"{name}.yaml").write_text(text)
    with pytest.raises(StudyError, match=r"d.yaml: locations.cc100: expected /here, as in c.yaml"):
        load_studies(["c.yaml", "d.yaml"])
    Path("e.yaml").write_text(TINY.format(title="e", widths="[8]") + "execution: {threads: 2}\n")
    with pytest.raises(StudyError, match=r"e.yaml: execution: expected the same as in a.yaml"):
        load_studies(["a.yaml", "e.yaml"])
