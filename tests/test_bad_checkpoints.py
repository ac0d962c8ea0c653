"""Checkpoints of a training that are whole by their checksums and make no sense."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from model.training import checkpoint
from model.training.engine import Engine
from tests.fuzz_checkpoints import STEP, engine, fuzz, record, restore, seal

MODEL, OPTIMISER = "mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt"


def lacks(*path: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for name in path[:-1]:
            value = value[name]
        del value[path[-1]]

    return change


def states(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """Changes a file of a checkpoint, of tensors or of JSON, and seals it."""
    (file,) = folder.rglob(name)
    if file.suffix == ".json":
        value = json.loads(file.read_text())
        change(value)
        file.write_text(json.dumps(value))
    else:
        value = torch.load(file, weights_only=False)
        change(value)
        torch.save(value, file)
    seal(folder)


@pytest.fixture(scope="module")
def made() -> Any:
    with engine() as found:
        yield found


CHANGES = {
    "no loss": ("state.json", lacks("last_loss")),
    "no watch": ("state.json", lacks("watch", "lowest")),
    "no stretch": ("state.json", lacks("stretch", 0)),
    "no layout": ("layout.json", lacks("tensor_parallel")),
    "no model": (MODEL, lacks("module")),
    "no weight": (MODEL, lambda value: value["module"].popitem()),
    "no optimiser": (OPTIMISER, lacks("optimizer_state_dict")),
}


@pytest.mark.parametrize(("name", "change"), CHANGES.values(), ids=CHANGES)
def test_what_is_missing_is_told(
    name: str, change: Callable[[Any], None], made: Engine, tmp_path: Path
) -> None:
    states(checkpoint.save(tmp_path, STEP, made, record().state()), name, change)
    told = restore(tmp_path, made)
    assert told is not None and str(tmp_path / "checkpoints") in told
    assert "cannot be gone on from" in told and "begin anew" in told


@pytest.mark.parametrize("name", [MODEL, OPTIMISER])
def test_a_file_that_is_cut_off_is_told(name: str, made: Engine, tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, STEP, made, record().state())
    (file,) = folder.rglob(name)
    file.write_bytes(file.read_bytes()[:-100])
    seal(folder)
    assert "cannot be gone on from" in str(restore(tmp_path, made))


def test_mutated_checkpoints_end_in_a_training_or_a_message(tmp_path: Path) -> None:
    findings = list(fuzz(tmp_path, seed=22, seconds=60, most=60))
    assert not findings, findings[0]
