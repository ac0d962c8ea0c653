"""Collects what a study's cells have scored into one tidy polars frame.

One row for each block, cell, task, model of it, metric and language; a cell that stands in several
blocks has rows in each. Every row carries the tokens and epochs that its cell has seen of its
language at the end; at a milestone these are not known.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from grid.artifact import MANIFEST, content
from grid.cell import Cell, solved_columns
from grid.confine import read_file
from grid.errors import StoreError, StudyError
from grid.planned import FILE as PLANNED
from grid.planned import planned
from grid.provenance import FILE as ARTIFACTS
from grid.provenance import provenance
from grid.score_types import typed
from grid.store import Store
from grid.study_files import (
    CHECKSUMS,
    DESCRIPTION,
    write_bytes,
    write_frame,
)
from grid.task_results import with_selected
from grid.template import Coordinate

if TYPE_CHECKING:
    from grid.graph import Graph, StageId
    from grid.study import Study

RESULTS, PLAN = "results.parquet", "plan.parquet"
ALL = "all"
"""Stands for the languages of training where there are several."""

_BEFORE: dict[str, type[pl.DataType]] = {
    "study": pl.String,
    "scale": pl.String,
    "block": pl.String,
    "cell": pl.String,
    "seed": pl.Int64,
}
_AFTER: dict[str, type[pl.DataType]] = {
    "n_languages": pl.Int64,
    "task": pl.String,
    "regime": pl.String,
    "train_language": pl.String,
    "finetuning_seed": pl.Int64,
    "milestone": pl.Int64,
    "split": pl.String,
    "metric": pl.String,
    "language": pl.String,
    "value": pl.Float64,
    "n": pl.Int64,
    "seen": pl.Boolean,
    "tokens_seen": pl.Int64,
    "epochs_seen": pl.Float64,
    "updates": pl.Int64,
    "source": pl.String,
    "profile": pl.String,
    "synthetic": pl.Boolean,
    "selected": pl.Boolean,
}


def collect(study: "Study", graph: "Graph") -> pl.DataFrame:
    """The rows of every stage that is finished, in the order of blocks, cells and scores.

    A graph of some of the study's cells gives the rows of these.
    """
    store = study.open_store()
    published = {stage: store.published(stage) for stage in {name for name, _ in graph.stages}}
    rows: list[dict[str, Any]] = []
    for block, cells in study.expansion.members.items():
        for cell in (cell for cell in cells if cell.id in graph.cells):
            roles = graph.cells[cell.id].items()
            there = {role: id for role, id in roles if id[1] in published[id[0]]}
            shared = {
                "study": study.name,
                "scale": study.scale,
                "block": block,
                "cell": cell.id,
                **_of_cell(cell),
            }
            try:
                rows += [
                    {**shared, **typed(score, _AFTER)}
                    for score in _scores(store, cell, graph, there)
                ]
            except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise StoreError(
                    f"store {store.root}: an artifact of the cell {cell.id} does not hold what it "
                    f"should ({error!r}). This tells which are damaged: python -m grid verify"
                ) from None
    schema: dict[str, type[pl.DataType]] = {
        **_BEFORE,
        **{path: _column_type(cell.coordinates[path] for cell in study.cells)
           for path in study.paths},
        **_AFTER,
    }  # fmt: skip
    for path in study.paths:
        if schema[path] == pl.String:
            for row in rows:
                row[path] = None if row[path] is None else str(row[path])
    return with_selected(pl.DataFrame(rows, schema=schema).drop("selected"))


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


def publish(study: "Study", graph: "Graph") -> pl.DataFrame:
    """Collects the results and writes them, the plan and study.json into the study's folder.

    Each file is written whole or not at all; one that says the same already is left untouched.
    """
    frame = collect(study, graph)
    frames = {
        PLAN: plan_frame(study),
        PLANNED: planned(study.cells),
        ARTIFACTS: provenance(graph),
        RESULTS: frame,
    }
    checksums = {name: write_frame(each, study.folder / name) for name, each in frames.items()}
    description = {
        "name": study.name,
        "scale": study.scale,
        "title": study.title,
        "source": study.source,
        "path": str(study.file),
        "file": str(study.file.absolute()),
        "figures": list(study.figures),
        "tables": list(study.tables),
        CHECKSUMS: checksums,
    }
    text = json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_bytes(text.encode(), study.folder / DESCRIPTION)
    return frame


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
        values: list[Coordinate] = [cell.coordinates[path] for cell in cells]
        kind = _column_type(values)
        if kind == pl.String:
            values = [None if value is None else str(value) for value in values]
        columns[path] = pl.Series(path, values, dtype=kind, strict=False)
    columns["n_languages"] = [len(cell.config.languages) for cell in cells]
    for name, solved in solved_columns(cells).items():
        columns[name] = pl.Series(name, solved, dtype=pl.Float64)
    return pl.DataFrame(columns)


def _of_cell(cell: Cell) -> dict[str, Any]:
    corpus = cell.config.corpus
    synthetic = corpus.source == "synthetic"
    return {
        "seed": cell.seed,
        **cell.coordinates,
        "n_languages": len(cell.config.languages),
        "source": corpus.source,
        "profile": corpus.synthetic.profile if synthetic else None,
        "synthetic": synthetic,
    }


def _scores(
    store: Store, cell: Cell, graph: "Graph", there: Mapping[str, "StageId"]
) -> Iterable[dict[str, Any]]:
    """What the finished stages of one cell say, as the columns that depend on the score."""
    exposure: dict[str, Any] = {"languages": {}}
    updates: dict[str, Any] = {}
    if "pretraining" in there:
        exposure = _payload(store, there["pretraining"], "exposure.json")
        updates = {"updates": exposure["updates"]}
        total = {**updates, "task": "pretraining", "tokens_seen": exposure["tokens"]}
        yield {**total, "metric": "tokens", "value": float(exposure["tokens"])}
        size = _corpus_tokens(exposure["languages"])
        if size is not None:
            yield {**total, "metric": "corpus_tokens", "value": size}
        loss = _final_loss(_payload(store, there["pretraining"], "curve.json"))
        if loss is not None:
            yield {**total, "metric": "final_loss", "value": loss}
    elif "pretraining" in graph.cells[cell.id]:
        return
    for role, id in there.items():
        if role.split("/")[0] not in ("evaluation", "finetuning", "retrieval", "command"):
            continue
        stage = graph.stages[id].config
        which = _which(stage)
        task = cell.config.tasks.get(getattr(stage, "task", ""))
        generated = {"synthetic": True} if task and task.source == "synthetic" else {}
        for score in _payload(store, id, "scores.json"):
            trained = bool(updates) and which["milestone"] is None
            yield {
                **updates,
                **generated,
                **which,
                **{name: score[name] for name in ("task", "metric", "language", "value", "n")},
                "split": score.get("split", "test"),
                "seen": score["seen"],
                **_exposure(exposure["languages"], score["language"], trained=trained),
            }


def _which(stage: Any) -> dict[str, Any]:
    """Which of a task's models a stage is, as the columns that tell it from the others."""
    trained = getattr(stage, "train_languages", [])
    return {
        "regime": getattr(stage, "regime", None),
        "train_language": ALL if len(trained) > 1 else next(iter(trained), None),
        "finetuning_seed": stage.seed if trained else None,
        "milestone": getattr(stage, "milestone", None),
    }


def _exposure(
    languages: Mapping[str, Any], language: str | None, *, trained: bool
) -> dict[str, Any]:
    """Tokens and epochs that the built-in pretraining has seen of a language."""
    if not trained or language is None:
        return {}
    seen = languages.get(language, {"tokens": 0, "epochs": 0.0})
    return {"tokens_seen": seen["tokens"], "epochs_seen": seen["epochs"]}


def _corpus_tokens(languages: Mapping[str, Any]) -> float | None:
    """Tokens of all corpora that were trained on; None if a language was never drawn."""
    seen = languages.values()
    if not all(each["epochs"] for each in seen):
        return None
    return float(round(sum(each["tokens"] / each["epochs"] for each in seen)))


def _final_loss(curve: Any) -> float | None:
    """The last loss, in nats a masked token; None if there was no update."""
    return float(curve[-1][1]) if curve else None


def _payload(store: Store, id: "StageId", name: str) -> Any:
    """What one JSON file of an artifact says."""
    place = store.path(*id)
    try:
        return _read(place / name, (place / MANIFEST).stat().st_mtime_ns)
    except (OSError, ValueError, RecursionError, StoreError) as error:
        raise StoreError(
            f"{place / name}: the artifact is damaged ({error}): `run` computes it anew"
        ) from None


@cache
def _read(path: Path, changed: int) -> Any:
    """Read once, for several blocks may have the cell. changed: the time of its manifest."""
    return json.loads(content(path.parent, path.name))


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
