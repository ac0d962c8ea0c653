"""artifacts.parquet: every stage of every cell, found again in the store by its key."""

from pathlib import Path

import polars

import grid
from grid.provenance import FILE, provenance
from grid.results import publish
from grid.store import Store

STUDY = Path(__file__).parents[2] / "studies" / "sampling_alpha.yaml"


def test_every_cell_names_the_stages_that_it_is_made_from(tmp_path: Path) -> None:
    study = grid.load(STUDY, scale="smoke", store=tmp_path)
    graph = study.graph()
    frame = provenance(graph)
    assert set(frame["cell"]) == {cell.id for cell in study.cells}
    assert {(row["stage"], row["key"]) for row in frame.iter_rows(named=True)} == set(graph.stages)
    one = frame.filter(polars.col("cell") == study.cells[0].id)
    assert {"pretraining", "tokenizer", "corpus/sw", "evaluation"} <= set(one["role"])


def test_it_is_written_beside_the_results_and_leads_to_the_artifacts(tmp_path: Path) -> None:
    study = grid.load(STUDY, scale="smoke", store=tmp_path)
    graph = study.graph()
    publish(study, graph)
    row = polars.read_parquet(study.folder / FILE).row(0, named=True)
    assert (row["stage"], row["key"]) in graph.stages
    assert Store(tmp_path).path(row["stage"], row["key"]).is_relative_to(tmp_path)
