"""A small study with claims, and results for it that were made up. No number was measured."""

from collections.abc import Callable
from pathlib import Path

import polars

import grid
from grid.study import Study

CELLS = """\
cell:
  languages: xlm-7
  evaluation: {languages: xlm-7}
  encoder: {layers: 1, width: 16, heads: 2, max_positions: 32}
  pretraining: {updates: 40, batch_size: 2, sequence_length: 16, milestones: [10, 20]}
  tasks: {xnli: {max_length: 32}}
axes:
  - name: sizes
    product: {encoder.width: [16, 32, 64]}
  - name: grown
    product: {languages: [xlm-7, xlm-15], encoder.width: [16, 32]}
  - name: alone
    product: {languages: [[en], [sw]]}
    cell: {evaluation: {languages: null}}
replicates: {seed: [1, 2, 3]}
"""
WIDE, NARROW = "{block: sizes, encoder.width: 64}", "{block: sizes, encoder.width: 16}"


def study(folder: Path, *expects: str, more: str = "", cells: str = CELLS, **options: str) -> Study:
    """A study in which each of these expectations is a claim."""
    claims = "".join(
        f"  - {{says: 'claim {number}', expect: {expect}}}\n"
        for number, expect in enumerate(expects, 1)
    )
    file = folder / "made.yaml"
    file.write_text(f"{cells}claims:\n{claims}{more}", encoding="utf-8")
    return grid.load(file, store=folder / "runs", **options)  # type: ignore[arg-type]


def results(
    made: Study,
    accuracy: Callable[[int, int, str], float],
    *,
    metric: str = "accuracy",
    task: str = "xnli",
    milestones: tuple[int | None, ...] = (None,),
    finetunings: tuple[int | None, ...] = (None,),
    skip: tuple[str, ...] = (),
) -> polars.DataFrame:
    """A results frame: a score by the width of a cell, its seed and the language."""
    rows = [
        {
            "cell": cell.id,
            "task": task,
            "metric": metric,
            "regime": "zero-shot" if task == "xnli" else None,
            "milestone": milestone,
            "finetuning_seed": finetuning,
            "split": "test",
            "language": language,
            "value": accuracy(cell.config.encoder.width, cell.seed, language),
        }
        for cell in made.cells
        if cell.id not in skip
        for language in cell.config.evaluation.languages or cell.config.languages
        for milestone in milestones
        for finetuning in finetunings
    ]
    schema = {
        "regime": polars.String,
        "milestone": polars.Int64,
        "finetuning_seed": polars.Int64,
    }
    return polars.DataFrame(rows, schema_overrides=schema)
