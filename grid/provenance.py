"""Which artifacts each cell of a study is made from: `studies/<study>/<scale>/artifacts.parquet`.

With it a reader of the study's folder finds what lies behind a number, such as a learning curve or
a corpus, and names its key, without expanding the study again.
"""

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from grid.graph import Graph

FILE = "artifacts.parquet"


def provenance(graph: "Graph") -> pl.DataFrame:
    """One row for each cell and role (`pretraining`, `corpus/sw`): its stage and key."""
    rows = [
        (cell, role, stage, key)
        for cell, roles in graph.cells.items()
        for role, (stage, key) in roles.items()
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(("cell", "role", "stage", "key"), pl.String),
                        orient="row")  # fmt: skip
