"""Collects what a study's cells have scored into one tidy polars frame.

One row for each block, cell, task, model of it, metric and language; a cell that stands in several
blocks has rows in each. Every row carries the tokens and epochs that its cell has seen of its
language at the end; at a milestone these are not known.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from grid.cell import Cell, solved_columns
from grid.confine import read_file
from grid.errors import StoreError, StudyError
from grid.made_from import made_from
from grid.planned import FILE as PLANNED
from grid.planned import planned
from grid.provenance import FILE as ARTIFACTS
from grid.provenance import provenance
from grid.scores import COLUMNS, WRONG, Scores
from grid.study_files import DESCRIPTION, MADE_FROM, kept_file, parquet, write_outputs
from grid.task_results import with_selected
from grid.template import Coordinate

if TYPE_CHECKING:
    from grid.graph import Graph
    from grid.study import Study

RESULTS, PLAN = "results.parquet", "plan.parquet"
_BEFORE: dict[str, type[pl.DataType]] = {
    "study": pl.String,
    "scale": pl.String,
    "block": pl.String,
    "cell": pl.String,
    "seed": pl.Int64,
}
_AFTER: dict[str, type[pl.DataType]] = {
    "n_languages": pl.Int64,
    **COLUMNS,
    "source": pl.String,
    "profile": pl.String,
    "synthetic": pl.Boolean,
}


def collect(study: "Study", graph: "Graph") -> pl.DataFrame:
    """The rows of every stage that is finished, in the order of blocks, cells and scores.

    A graph of some of the study's cells gives the rows of these.
    """
    store = study.open_store()
    published = {stage: store.published(stage) for stage in {name for name, _ in graph.stages}}
    scores = Scores(store)
    ends = [0]
    cells = [cell for cell in study.cells if cell.id in graph.cells]
    for cell in cells:
        roles = graph.cells[cell.id].items()
        there = {role: id for role, id in roles if id[1] in published[id[0]]}
        try:
            scores.add(cell, graph, there)
        except WRONG as error:
            raise StoreError(
                f"store {store.root}: an artifact of the cell {cell.id} does not hold what it "
                f"should ({error!r}). This tells which are damaged: python -m grid verify"
            ) from None
        ends.append(scores.height)
    places = {cell.id: place for place, cell in enumerate(cells)}
    members = [
        (block, places[cell.id])
        for block, of_block in study.expansion.members.items()
        for cell in of_block
        if cell.id in places
    ]
    at = [place for _, place in members]
    rows = (
        pl.DataFrame({"block": [block for block, _ in members]}, schema={"block": pl.String})
        .hstack(_of_cells(study, cells)[at])
        .with_columns(
            pl.Series("_first", [ends[place] for place in at], dtype=pl.Int64),
            pl.Series("_end", [ends[place + 1] for place in at], dtype=pl.Int64),
        )
        .filter(pl.col("_end") > pl.col("_first"))
        .with_columns(_row=pl.int_ranges("_first", "_end"))
        .explode("_row")
    )
    frame = pl.concat([rows, scores.frame()[rows["_row"]]], how="horizontal")
    schema = {**_BEFORE, **dict.fromkeys(study.paths), **_AFTER}
    return with_selected(
        frame.with_columns(
            study=pl.lit(study.name),
            scale=pl.lit(study.scale),
            synthetic=pl.coalesce("generated", "synthetic"),
        ).select(name for name in schema if name != "generated")
    )


def _of_cells(study: "Study", cells: Sequence[Cell]) -> pl.DataFrame:
    """The columns that depend on the cell, one row for each."""
    corpora = [cell.config.corpus for cell in cells]
    columns: dict[str, Any] = {
        "cell": [cell.id for cell in cells],
        "seed": [cell.seed for cell in cells],
        "n_languages": [len(cell.config.languages) for cell in cells],
        "source": [corpus.source for corpus in corpora],
        "profile": [
            corpus.synthetic.profile if corpus.source == "synthetic" else None for corpus in corpora
        ],
        "synthetic": [corpus.source == "synthetic" for corpus in corpora],
    }
    types = {**_BEFORE, **_AFTER}
    frame = pl.DataFrame(columns, schema={name: types[name] for name in columns})
    return frame.with_columns(_axis(path, cells, study.cells) for path in study.paths)


def refuse_foreign(study: "Study") -> None:
    """Raises StudyError if the study's folder holds the output of another file of the same name.

    A file that was moved, copied or edited since is not another study.
    """
    try:
        written = json.loads(read_file(study.folder / DESCRIPTION))
        other = Path(written["file"]).resolve()
        foreign = not other.samefile(study.file) and read_file(other) != study.file.read_bytes()
    except (OSError, ValueError, KeyError, TypeError, RecursionError, StoreError):
        return  # no output yet, or of a file that is no longer there, or never was one
    if foreign:
        raise StudyError(
            f"{study.file}: expected a file name that no other study in this store has, but "
            f"{study.folder} holds the output of {other}. Rename one of them, or choose another "
            "store with --store"
        )


def publish(study: "Study", graph: "Graph") -> None:
    """Collects the results and writes them, the plan and study.json into the study's folder.

    Results that are there and were made from the same cells, artifacts and code are kept as they
    are. Each file is written whole or not at all; one that says the same already is left untouched.
    """
    files = {
        PLAN: parquet(plan_frame(study)),
        PLANNED: parquet(planned(study.cells)),
        ARTIFACTS: parquet(provenance(graph)),
    }
    origin = made_from(study, graph, files)
    files[RESULTS] = kept_file(study.folder / RESULTS, origin) or parquet(collect(study, graph))
    facts = {
        "name": study.name,
        "scale": study.scale,
        "title": study.title,
        "source": study.source,
        "path": str(study.file),
        "file": str(study.file.absolute()),
        "figures": list(study.figures),
        "tables": list(study.tables),
        MADE_FROM: origin,
    }
    write_outputs(study.folder, files, facts)


def results_sha256(study: "Study") -> str | None:
    """Checksum of the study's results file; None if there is none."""
    try:
        with (study.folder / RESULTS).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def plan_frame(study: "Study") -> pl.DataFrame:
    """One row for each cell of a study, in order."""
    cells = study.cells
    columns: dict[str, Any] = {
        "number": [cell.number for cell in cells],
        "cell": [cell.id for cell in cells],
        "blocks": [", ".join(cell.blocks) for cell in cells],
        "seed": [cell.seed for cell in cells],
    }
    for path in study.paths:
        columns[path] = _axis(path, cells, cells)
    columns["n_languages"] = [len(cell.config.languages) for cell in cells]
    for name, solved in solved_columns(cells).items():
        columns[name] = pl.Series(name, solved, dtype=pl.Float64)
    return pl.DataFrame(columns)


def _axis(path: str, cells: Sequence[Cell], every: Sequence[Cell]) -> pl.Series:
    """The coordinates of cells on one axis, of a type that holds those of every cell."""
    kind = _column_type(cell.coordinates[path] for cell in every)
    values = [cell.coordinates[path] for cell in cells]
    if kind == pl.String:
        values = [None if value is None else str(value) for value in values]
    return pl.Series(path, values, dtype=kind, strict=False)


def _column_type(values: Iterable[Coordinate]) -> type[pl.DataType]:
    """The type that holds every value of an axis."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Boolean
    if kinds == {int}:
        return pl.Int64
    if kinds and kinds <= {int, float}:
        return pl.Float64
    return pl.String
