"""A finished cell as a folder for transformers: weights, tokenizer and a model card.

The folder is written beside its place and renamed, so that it is whole or absent. What is exported
is checked against the checksums of the store first.
"""

import json
import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from grid.artifact import ArtifactError, verify
from grid.cell import Cell
from grid.confine import read_file
from grid.errors import StoreError, StudyError
from grid.graph import StageId
from grid.model_card import Facts, card
from grid.store import Store, explain
from model.encoder.weights import WEIGHTS
from model.errors import InputError
from model.text.tokenizer_files import FILES

if TYPE_CHECKING:
    from grid.study import Study

README = "README.md"
EXPORTED = {README, "config.json", WEIGHTS, *FILES}
"""All that an export writes."""
_NEEDED = ("pretraining", "tokenizer", "evaluation", "finetuning")
"""Roles whose stages must be finished: what is exported, and what the card tells."""


def export(
    study: "Study",
    cell: Cell,
    folder: Path,
    *,
    precision: str = "fp32",
    milestone: int | None = None,
    force: bool = False,
    filled_by: str = "study.run()",
) -> Path:
    """Writes the folder and returns it, absolute.

    milestone: the update whose weights are taken, instead of the last one's.
    filled_by: the call that finishes the cell, for the message that says that it is not finished.
    Raises StudyError for such a cell or a folder that is taken, InputError for a model that
    transformers cannot express, StoreError for a damaged artifact.
    """
    from grid.results import collect
    from model.encoder.export import write_folder

    folder = folder.expanduser().absolute()
    if folder.is_symlink():
        folder = folder.resolve()  # what a link leads to is replaced, not the link
    _require_free(folder, force)
    store = study.open_store()
    graph = study.graph([cell])
    roles = graph.cells[cell.id]
    _require_finished(cell, roles, store, filled_by)
    for role in ("pretraining", "tokenizer"):
        _verify(store, *roles[role])
    text = card(
        study,
        cell,
        _facts(store, roles["pretraining"], precision, milestone),
        collect(study, graph),
    )
    temporary = folder.with_name(f".{folder.name}~{uuid.uuid4().hex[:12]}")
    try:
        temporary.mkdir(parents=True)
        write_folder(
            temporary,
            trained=store.path(*roles["pretraining"]),
            tokenizer=store.path(*roles["tokenizer"]),
            precision=precision,
            milestone=milestone,
        )
        (temporary / README).write_text(text, encoding="utf-8")
        _put(temporary, folder)
    except OSError as error:
        explained = explain(error, folder.parent, f"writing {folder}")
        if explained is None:
            raise
        raise explained from error
    except InputError as error:
        raise InputError(f"cell {cell.id} cannot be exported: {error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _facts(store: Store, trained: StageId, precision: str, milestone: int | None) -> Facts:
    folder = store.path(*trained)
    description = json.loads(read_file(folder / "model.json"))
    return Facts(
        parameters=description["parameters"],
        precision=precision,
        sequence_length=description["sequence_length"],
        exposure=json.loads(read_file(folder / "exposure.json")),
        manifest=store.manifest(*trained),
        milestone=milestone,
    )


def _require_free(folder: Path, force: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StudyError(f"{folder}: expected a folder that is new or empty, found a file")
    if not any(folder.iterdir()):
        return
    if not force:
        raise StudyError(
            f"{folder}: expected a folder that is new or empty. Name another one, or replace the "
            "model that is there with --force"
        )
    names = {path.name for path in folder.iterdir()}
    if not names >= {"config.json", README} or not names <= EXPORTED:
        raise StudyError(
            f"{folder}: expected an exported model and nothing else, which --force would replace, "
            f"found other files ({', '.join(sorted(names - EXPORTED)[:3]) or 'no model'}). Name "
            "another folder"
        )


def _require_finished(cell: Cell, roles: dict[str, StageId], store: Store, filled_by: str) -> None:
    missing = [
        role
        for role, id in roles.items()
        if role.partition("/")[0] in _NEEDED and not store.has(*id)
    ]
    if missing:
        raise StudyError(
            f"cell {cell.id} is not finished in the store {store.root}: no {', '.join(missing)}. "
            f"This fills it: {filled_by}"
        )


def _verify(store: Store, stage: str, key: str) -> None:
    """Raises StoreError if the artifact is not what was published."""
    try:
        verify(store.path(stage, key))
    except ArtifactError as error:
        raise StoreError(
            f"store {store.root}: {stage} {key} is damaged: {error}. Remove the artifact's folder, "
            "and run the study again"
        ) from None


def _put(temporary: Path, folder: Path) -> None:
    """Renames the folder to its place; what was there goes only when the new one is in place."""
    old = None
    if folder.exists() and any(folder.iterdir()):
        old = folder.with_name(f".{folder.name}~{uuid.uuid4().hex[:12]}")
        os.rename(folder, old)
    try:
        os.rename(temporary, folder)
    except BaseException:
        if old is not None:
            os.rename(old, folder)
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
