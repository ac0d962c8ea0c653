"""A study in which one tokenizer cannot be made: the rest is finished, and the next run adds it."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

import grid
from tests.test_errors import grid as run_grid

STUDY = """\
title: A vocabulary for few and for many languages
cell:
  corpus: {synthetic: {size: 12_000, smallest: 10_000, concepts: 60}}
  tokenizer: {sample_bytes: 200_000, character_coverage: 0.98}
  encoder: {layers: 1, width: 8, heads: 2, norm: pre, max_positions: 32}
  pretraining: {updates: 0, batch_size: 2, sequence_length: 16, precision: fp32}
  evaluation: {languages: [en, sw], max_bytes: 300, passes: 2}
axes:
  - name: count
    zip: {languages: [xlm-7, xlm-15], tokenizer.vocab_size: [700, 700]}
replicates: {seed: [1, 2]}
"""
FIXED = "axes.count.zip.tokenizer.vocab_size=[350, 700]"


def test_only_its_dependants_are_blocked_and_a_fix_finishes_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("count.yaml").write_text(STUDY)
    study = grid.load("count.yaml")
    graph = study.graph()
    few = [cell.id for cell in study.cells if cell.coordinates["languages"] == "xlm-7"]
    many = [cell.id for cell in study.cells if cell.coordinates["languages"] == "xlm-15"]
    (bad,) = {graph.cells[cell]["tokenizer"] for cell in few}
    dependants = {id for id, stage in graph.stages.items() if bad in stage.inputs.values()}
    while (
        more := {
            id for id, stage in graph.stages.items() if dependants & set(stage.inputs.values())
        }
        - dependants
    ):
        dependants |= more
    assert len(dependants) == 7 + 2 * 2, "shards, and pretraining and evaluation of two seeds"

    first = run_grid(tmp_path, "run", "count.yaml", "--workers", "2")
    assert first.returncode == 1
    lines = first.stderr.splitlines()
    (told,) = (n for n, line in enumerate(lines) if line.startswith("failed: "))
    assert lines[told].startswith(
        f"failed: tokenizer {bad[1]}: tokenizer.vocab_size: 700 pieces are more than the sample "
        "can fill ("
    )
    log = Path(lines[told + 1].removeprefix("  log: "))
    assert lines[told].partition("700 pieces")[2] in log.read_text()
    kinds = Counter(stage for stage, _ in dependants)
    head, _, counts = lines[told + 2].removesuffix(" (see status)").partition(": ")
    assert head == f"blocked by tokenizer {bad[1]}"
    assert set(counts.split(", ")) == {f"{count} {kind}" for kind, count in kinds.items()}
    store = study.open_store()
    missing = {id for id in graph.stages if not store.has(*id)}
    assert missing == dependants | {bad}, "everything else is finished"
    scored = pl.read_parquet(study.folder / "results.parquet")["cell"].unique().to_list()
    assert sorted(scored) == sorted(many)

    second = run_grid(tmp_path, "run", "count.yaml", FIXED)
    assert second.returncode == 0, second.stderr
    assert f"{len(dependants) + 1} stages run" in second.stderr, "only what was missing"
    fixed = grid.load("count.yaml", FIXED)
    frame = fixed.results()
    assert sorted(frame["cell"].unique().to_list()) == sorted(cell.id for cell in fixed.cells)
    assert set(many) < set(frame["cell"].to_list()), "the finished cells are the same ones"
