"""The pretraining stage on two ranks: one curve, one decision, and one set of files."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from model.context import Context
from model.errors import Stopped
from model.stages import PretrainingStage
from model.training import pretraining
from tests.model.training.ranks import together
from tests.model.training.runs import checkpoints, run, stage

CONFIG = stage(dropout=0.0, batch_size=16, milestones=[10])
MILESTONE = "milestones/00000010/model.safetensors"


def pretrain(
    context: Context, config: PretrainingStage, inputs: dict[str, Path], output: Path, stop: bool
) -> str:
    """Runs the stage; where asked, only rank 0 is told to stop. Returns what ended it."""
    if stop and context.rank == 0:
        context.stop.set()
    try:
        pretraining.run(config, inputs, output, context)
    except Stopped as stopped:
        return str(stopped)
    return "done"


def on_two(world: Any, folder: Path, degree: int, *, stop: bool, **more: Any) -> list[str]:
    output = folder / "output"
    output.mkdir(parents=True, exist_ok=True)
    given = (CONFIG, world.pretraining_inputs, output, stop)
    return together(pretrain, folder, *given, ranks=2, tensor_parallel=degree, **more)


@pytest.fixture(scope="module")
def alone(world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(CONFIG, world, tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("degree", [1, 2])
def test_two_ranks_stop_together_and_end_as_one_would(
    world, alone: Path, tmp_path: Path, degree: int
) -> None:
    said = on_two(world, tmp_path, degree, stop=True)
    assert said == ["stopped after update 1 of 30; the next attempt goes on from there"] * 2
    assert checkpoints(tmp_path) == [1]
    assert on_two(world, tmp_path, degree, stop=False, monitors={"csv_monitor": {}}) == ["done"] * 2
    output = tmp_path / "output"
    assert sorted(path.name for path in output.iterdir()) == sorted(
        path.name for path in alone.iterdir()
    )
    curves = [json.loads((folder / "curve.json").read_text()) for folder in (output, alone)]
    for found, expected in zip(*curves, strict=True):
        assert found[:3] == pytest.approx(expected[:3], rel=1e-5)
        assert found[3] == pytest.approx(expected[3], rel=1e-5)
    exposures = [(folder / "exposure.json").read_bytes() for folder in (output, alone)]
    assert exposures[0] == exposures[1]
    for name in (MILESTONE, "model.safetensors"):
        weights, expected = load_file(output / name), load_file(alone / name)
        assert weights.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-4)
    assert (tmp_path / "work" / "csv_monitor" / "loss_sw.csv").exists(), "rank 0 writes"
