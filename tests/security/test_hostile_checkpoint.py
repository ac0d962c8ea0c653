"""A checkpoint of a training that somebody else put into a store runs nothing when it is read."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from model.encoder.encoder import build
from model.errors import InputError
from model.training import checkpoint
from model.training.engine import Engine
from model.training.unpickling import ONLY_WEIGHTS
from tests.model.training.test_parallel import RECIPE, ROWS, encoder


class Runs:
    """Pickled, it is a call of `mkdir`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def poison(folder: Path, flag: Path, name: str) -> None:
    """Puts a call into a checkpoint's file, and gives it the right checksum."""
    (file,) = folder.rglob(name)
    content = torch.load(file, weights_only=False)
    content["client_state"] = Runs(flag)
    torch.save(content, file)
    checksums = json.loads((folder / "checksums.json").read_text())
    checksums[file.relative_to(folder).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "checksums.json").write_text(json.dumps(checksums))


@pytest.mark.parametrize("name", ["mp_rank_00_model_states.pt", "*_optim_states.pt"])
@pytest.mark.parametrize("variable", [None, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"])
def test_a_checkpoint_that_would_run_something(
    tmp_path: Path, name: str, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = tmp_path / "it ran"
    with Engine(build(encoder("pre"), ROWS, seed=5), RECIPE) as engine:
        poison(checkpoint.save(tmp_path, 3, engine, {}), flag, name)
    if variable is not None:
        monkeypatch.setenv(variable, "1")
    with (
        Engine(build(encoder("pre"), ROWS, seed=5), RECIPE) as engine,
        pytest.raises(InputError, match="run a program when it is read"),
    ):
        checkpoint.restore(tmp_path, engine)
    assert not flag.exists()
    assert ONLY_WEIGHTS not in os.environ
    assert variable is None or os.environ[variable] == "1"


def test_nor_when_it_is_converted_for_other_ranks(tmp_path: Path) -> None:
    flag = tmp_path / "it ran"
    with Engine(build(encoder("pre"), ROWS, seed=5), RECIPE) as engine:
        saved = checkpoint.save(tmp_path, 3, engine, {})
    poison(saved, flag, "mp_rank_00_model_states.pt")
    told = checkpoint._convert(saved / "engine", tmp_path / "universal")
    assert "Weights only load failed" in told
    assert not flag.exists()


ODD = [
    "[" * 20_000,
    "[]",
    "{}",
    "7",
    '"x"',
    "null",
    '{"step": "3"}',
    '{"model": []}',
    "\ud800",
    "{",
]


@pytest.mark.parametrize("name", ["state.json", "layout.json", "checksums.json"])
@pytest.mark.parametrize("text", ODD, ids=[text[:12] for text in ODD])
def test_a_checkpoint_that_makes_no_sense_is_left_aside(
    tmp_path: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where its checksums are right."""
    folder = tmp_path / "checkpoints" / "00000003"
    folder.mkdir(parents=True)
    contents = {"state.json": '{"step": 3}', "layout.json": '{"model": {}}'} | {name: text}
    sums = {}
    for each in ("state.json", "layout.json"):
        content = contents[each].encode("utf-8", "surrogatepass")
        (folder / each).write_bytes(content)
        sums[each] = hashlib.sha256(content).hexdigest()
    wrong = text.encode("utf-8", "surrogatepass")
    right = json.dumps(sums).encode()
    (folder / "checksums.json").write_bytes(wrong if name == "checksums.json" else right)
    assert checkpoint._newest(tmp_path) is None
    assert "is broken (" in capsys.readouterr().err
