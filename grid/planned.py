"""What each cell of a study is planned to be: `studies/<study>/<scale>/planned.parquet`.

A table or a report can so tell what has not run from what is not part of a study's scale, and
state a model's size before it is trained, without expanding the study again.
"""

from collections.abc import Sequence

import polars as pl

from grid import sizes
from grid.cell import Cell
from model.config import CellConfig

FILE = "planned.parquet"
SCHEMA: dict[str, pl.DataType] = {
    "cell": pl.String(),
    "source": pl.String(),
    "profile": pl.String(),
    "vocab_size": pl.Int64(),
    "parameters": pl.Int64(),
    "batch_size": pl.Int64(),
    "sequence_length": pl.Int64(),
    "tasks": pl.List(pl.String()),
}


def planned(cells: Sequence[Cell]) -> pl.DataFrame:
    """One row for each cell, in order.

    source and profile are those of the results. parameters: with embeddings and language model
    head, for a tokenizer that fills its vocabulary. What a program of the user's own decides, as it
    replaces the pretraining, is null. tasks: each as `xnli/zero-shot`, the task and its regime.
    """
    return pl.DataFrame([{"cell": cell.id, **_row(cell.config)} for cell in cells], schema=SCHEMA)


def _row(config: CellConfig) -> dict[str, object]:
    corpus = config.corpus
    row: dict[str, object] = {
        "source": corpus.source,
        "profile": corpus.synthetic.profile if corpus.source == "synthetic" else None,
        "tasks": [
            f"{name}/{regime}"
            for name, task in sorted(config.tasks.items())
            if task is not None
            for regime in task.regimes
        ],
    }
    if not any(own and own.replaces_pretraining for own in config.commands.values()):
        row |= {
            "vocab_size": config.tokenizer.vocab_size,
            "parameters": _parameters(config),
            "batch_size": config.pretraining.batch_size,
            "sequence_length": config.pretraining.sequence_length,
        }
    return row


def _parameters(config: CellConfig) -> int:
    encoder = config.encoder
    rows = sizes.embedding_rows(config.tokenizer.vocab_size, encoder)
    told_apart = len(config.languages) * encoder.width if encoder.language_embeddings else 0
    return sizes.parameters(encoder, rows) + told_apart
