"""What cells are planned to be, for tables and reports that do not expand the study again."""

from pathlib import Path

import grid
from grid.planned import SCHEMA, planned

STUDY = """\
cell:
  languages: [en, sw]
  tokenizer: {vocab_size: 250_000}
  encoder: {size: base, language_embeddings: true}
  tasks:
    xnli: {regimes: [zero-shot, translate-train-all]}
    ner: {source: conll}
    pos: null
"""
OWN = "  commands: {own: {replaces_pretraining: true}}\n"


def test_a_cell_is_described_as_the_plan_prices_it(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY, encoding="utf-8")
    study = grid.load(file)
    frame = planned(study.cells)
    assert dict(frame.schema) == SCHEMA
    (row,) = frame.iter_rows(named=True)
    assert row["cell"] == study.cells[0].id
    assert row["tasks"] == ["ner/zero-shot", "xnli/zero-shot", "xnli/translate-train-all"]
    assert (row["source"], row["profile"], row["vocab_size"]) == (
        "synthetic", "wikipedia", 250_000,
    )  # fmt: skip
    # The released model's, and a row for each language.
    assert row["parameters"] == 278_295_186 + 2 * 768


def test_a_program_of_ones_own_decides_for_itself(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY + OWN, encoding="utf-8")
    site = tmp_path / "grid.yaml"
    site.write_text("commands: {own: {run: [echo], version: 1}}\n", encoding="utf-8")
    (row,) = planned(grid.load(file, site=site).cells).iter_rows(named=True)
    assert row["parameters"] is None and row["batch_size"] is None
    assert row["source"] == "synthetic" and row["tasks"]
