"""What the finished stages of cells have scored, as the columns of one frame.

A study may have a hundred thousand cells with a hundred scores each, so no row is ever an object of
its own: the values of a stage are added to the columns, which become a piece of the frame from time
to time. An artifact is data, and may come from somebody else: every value is checked for its type.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from grid.artifact import content
from grid.cell import Cell
from grid.errors import StoreError
from grid.score_types import require_type
from grid.store import Store

if TYPE_CHECKING:
    from grid.graph import Graph, StageId

ALL = "all"
"""Stands for the languages of training where there are several."""
MEASURING = ("evaluation", "finetuning", "retrieval", "command")
"""Roles whose stages leave scores.json."""
READ = ("pretraining", *MEASURING)
"""Roles of whose artifacts anything is read here."""

COLUMNS: dict[str, type[pl.DataType]] = {
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
    "generated": pl.Boolean,
}
"""What depends on the score. generated: whether the task's text is, or null."""

_TOLD = ("task", "metric", "language", "value", "n", "seen")
"""Of what a stage says of each score."""
_told = itemgetter(*_TOLD)
_PIECE = 20_000
"""Rows that are kept as Python's objects at most."""
_PLAIN = (str, int, float, bool, type(None))
_KEPT = 16
"""Files whose content is kept."""


class Scores:
    """The scores of many cells, in the order in which these are added."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._pieces: list[pl.DataFrame] = []
        self._rows = 0
        self._legal: set[tuple[str, type, Any] | None] = set()
        """Values that are the same for all rows of a stage, and right."""
        # Neighbouring cells may share a model. More is not kept: it would be all of the store.
        self._read = lru_cache(maxsize=_KEPT)(_read)
        self._final_loss = lru_cache(maxsize=_KEPT)(_final_loss)

    @property
    def height(self) -> int:
        """Rows so far."""
        return self._rows

    def frame(self) -> pl.DataFrame:
        """All of them. Nothing can be added after it."""
        self._end_piece()
        return pl.concat(self._pieces, rechunk=True)

    def add(self, cell: Cell, graph: "Graph", there: Mapping[str, "StageId"]) -> None:
        """Reads what the finished stages of one cell, `there` by role, say.

        Raises StoreError for a file that cannot be read, and one of `WRONG` for one that does not
        hold what it should.
        """
        seen: Mapping[str, Any] = {}
        updates: int | None = None
        if "pretraining" in there:
            folder = self._store.path(*there["pretraining"])
            exposure = self._read(folder, "exposure.json")
            seen, updates = exposure["languages"], exposure["updates"]
            self._pretrained(exposure, self._final_loss(folder, "curve.json"))
        elif "pretraining" in graph.cells[cell.id]:
            return
        for role, id in there.items():
            if role.partition("/")[0] in MEASURING:
                scores = self._read(self._store.path(*id), "scores.json")
                self._scored(scores, cell, graph.stages[id].config, seen, updates)

    def _pretrained(self, exposure: Mapping[str, Any], loss: float | None) -> None:
        tokens = exposure["tokens"]
        found = {
            "tokens": float(tokens),
            "corpus_tokens": _corpus_tokens(exposure["languages"]),
            "final_loss": loss,
        }
        told = {metric: value for metric, value in found.items() if value is not None}
        self._append(
            len(told),
            {"metric": list(told), "value": list(told.values())},
            {"task": "pretraining", "tokens_seen": tokens, "updates": exposure["updates"]},
        )

    def _scored(
        self,
        scores: Sequence[Mapping[str, Any]],
        cell: Cell,
        stage: Any,
        seen: Mapping[str, Any],
        updates: int | None,
    ) -> None:
        """Adds what one stage has scored.

        The tokens and epochs that the built-in pretraining has seen of a language are known at its
        end only.
        """
        which = _which(stage)
        task = cell.config.tasks.get(getattr(stage, "task", ""))
        if not scores:
            return
        columns = dict(zip(_TOLD, map(list, zip(*map(_told, scores), strict=True)), strict=True))
        columns["split"] = [score.get("split", "test") for score in scores]
        if updates is not None and which["milestone"] is None:
            never = {"tokens": 0, "epochs": 0.0}
            unknown = {"tokens": None, "epochs": None}
            found = [
                unknown if code is None else seen.get(code, never) for code in columns["language"]
            ]
            columns["tokens_seen"] = [each["tokens"] for each in found]
            columns["epochs_seen"] = [each["epochs"] for each in found]
        generated = True if task is not None and task.source == "synthetic" else None
        self._append(len(scores), columns, {**which, "updates": updates, "generated": generated})

    def _append(
        self, rows: int, columns: Mapping[str, list[Any]], constant: Mapping[str, Any]
    ) -> None:
        for name, values in columns.items():
            require_type(name, COLUMNS[name], values)
        for name, value in constant.items():
            told = (name, type(value), value) if type(value) in _PLAIN else None
            if told is None or told not in self._legal:
                require_type(name, COLUMNS[name], (value,))
                self._legal.add(told)
        for name, column in self._columns.items():
            column += columns[name] if name in columns else [constant.get(name)] * rows
        self._rows += rows
        if len(self._columns["task"]) >= _PIECE:
            self._end_piece()

    def _end_piece(self) -> None:
        self._pieces.append(pl.DataFrame(self._columns, schema=COLUMNS))
        self._columns = {name: [] for name in COLUMNS}


WRONG = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading the wrong thing out of JSON ends in."""


def _which(stage: Any) -> dict[str, Any]:
    """Which of a task's models a stage is, as the columns that tell it from the others."""
    trained = getattr(stage, "train_languages", [])
    return {
        "regime": getattr(stage, "regime", None),
        "train_language": ALL if len(trained) > 1 else next(iter(trained), None),
        "finetuning_seed": stage.seed if trained else None,
        "milestone": getattr(stage, "milestone", None),
    }


def _corpus_tokens(languages: Mapping[str, Any]) -> float | None:
    """Tokens of all corpora that were trained on; None if a language was never drawn."""
    seen = languages.values()
    if not all(each["epochs"] for each in seen):
        return None
    return float(round(sum(each["tokens"] / each["epochs"] for each in seen)))


def _final_loss(folder: Path, name: str) -> float | None:
    """The last loss of a curve, in nats a masked token; None if there was no update.

    A curve has a hundred points with a loss of each language: where they are laid out as the store
    does it, only the last is decoded.
    """
    text = _bytes(folder, name)
    last = text.rfind(b"\n [")
    try:
        # Brackets are in balance only if a point, and nothing within one, begins here.
        curve = json.loads(b"[" + text[last:] if last > 0 else text)
    except (ValueError, RecursionError):
        curve = _decoded(folder, name, text)
    return float(curve[-1][1]) if curve else None


def _read(folder: Path, name: str) -> Any:
    """One JSON file of an artifact."""
    return _decoded(folder, name, _bytes(folder, name))


def _bytes(folder: Path, name: str) -> bytes:
    try:
        return content(folder, name)
    except (OSError, StoreError) as error:
        raise _damaged(folder / name, error) from None


def _decoded(folder: Path, name: str, text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(folder / name, error) from None


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path}: the artifact is damaged ({error}): `run` computes it anew")
