"""Weights are written one by one, and what ranks read in their parts are the whole weights."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from model.config import EncoderConfig
from model.context import Context
from model.encoder import files
from model.encoder.description import Description
from model.encoder.encoder import build
from model.encoder.files import load_weights, write_model, write_weights
from model.training import distributed
from tests.model.training.ranks import together

ROWS = 103
CONFIG = EncoderConfig(layers=2, width=32, heads=4, max_positions=16)
DESCRIPTION = Description(encoder=CONFIG, rows=ROWS, sequence_length=16)


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


def test_weights_that_come_one_by_one_make_the_file_of_safetensors(tmp_path: Path) -> None:
    model = build(CONFIG, ROWS, seed=3)
    held = []

    def one_by_one() -> Iterator[tuple[str, Tensor]]:
        for name, value in reversed(list(model.named_parameters())):
            copy = value.detach().clone()
            held.append(weakref.ref(copy))
            yield name, copy
            del copy
            assert sum(each() is not None for each in held[:-1]) == 0, "none is kept"

    write_weights(tmp_path / "streamed", one_by_one(), DESCRIPTION)
    whole = {name: value.detach() for name, value in model.named_parameters()}
    save_file(whole, tmp_path / "whole")
    assert (tmp_path / "streamed").read_bytes() == (tmp_path / "whole").read_bytes()


def test_weights_of_another_model_are_not_written(tmp_path: Path) -> None:
    weights = list(build(CONFIG, ROWS, seed=3).named_parameters())
    name, value = weights[3]
    with pytest.raises(ValueError, match=f"^{name}: not among the weights"):
        write_weights(tmp_path / "file", weights[:3] + weights[4:], DESCRIPTION)
    with pytest.raises(ValueError, match=f"^{name}: unexpected, or of another shape"):
        write_weights(tmp_path / "file", [(name, value[:1])], DESCRIPTION)
    with pytest.raises(ValueError, match=r"^more: unexpected"):
        write_weights(tmp_path / "file", [("more", value)], DESCRIPTION)


@pytest.mark.slow
@pytest.mark.parametrize("degree", [1, 2, 4])
def test_each_rank_reads_its_part(degree: int, tmp_path: Path) -> None:
    expected = {name: v.detach() for name, v in build(CONFIG, ROWS, seed=3).named_parameters()}
    (folder := tmp_path / "model").mkdir()
    write_model(folder, expected.items(), DESCRIPTION)
    found = together(loaded, tmp_path / "ranks", folder, ranks=degree, tensor_parallel=degree)
    held = [int(each.pop("held")) for each in found]
    whole = sum(value.numel() for value in expected.values())
    assert max(held) < whole / degree + 0.2 * whole
    assert found[0].keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[0][name], value), name
