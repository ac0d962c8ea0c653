"""Weights that ranks read in their parts are the whole weights."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.config import EncoderConfig
from model.context import Context
from model.encoder import files
from model.encoder.description import Description
from model.encoder.encoder import build
from model.encoder.files import load_weights, write_model
from model.training import distributed
from tests.model.training.ranks import together

ROWS = 103
CONFIG = EncoderConfig(layers=2, width=32, heads=4, max_positions=16)


def loaded(context: Context, folder: Path) -> dict[str, Tensor]:
    """A rank's part of a model that starts from files; on rank 0 the whole one again."""
    files.BLOCK_ROWS = 10  # several blocks in each matrix
    model = build(CONFIG, ROWS, seed=9, group=distributed.tensor_parallel_group())
    load_weights(model, folder)
    found = {"held": torch.tensor(sum(value.numel() for value in model.parameters()))}
    for name, value in model.named_parameters():
        whole = distributed.whole_on_first(value.detach(), model.splits.get(name))
        if whole is not None:
            found[name] = whole
    return found


@pytest.mark.slow
@pytest.mark.parametrize("degree", [1, 2, 4])
def test_each_rank_reads_its_part(degree: int, tmp_path: Path) -> None:
    expected = {name: v.detach() for name, v in build(CONFIG, ROWS, seed=3).named_parameters()}
    (folder := tmp_path / "model").mkdir()
    write_model(folder, expected, Description(encoder=CONFIG, rows=ROWS, sequence_length=16))
    found = together(loaded, tmp_path / "ranks", folder, ranks=degree, tensor_parallel=degree)
    held = [int(each.pop("held")) for each in found]
    whole = sum(value.numel() for value in expected.values())
    assert max(held) < whole / degree + 0.2 * whole
    assert found[0].keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[0][name], value), name
