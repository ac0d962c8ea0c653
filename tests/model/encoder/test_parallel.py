"""How a model is cut: whole again from its shards, drawn in shards, dropout on every rank."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from model.config import EncoderConfig
from model.context import Context
from model.encoder import encoder as encoders
from model.encoder import layers
from model.encoder.dropout import draw_seed
from model.encoder.encoder import MaskedLanguageModel, build, initialise
from model.encoder.parallel import Split, check_degree, materialise
from model.errors import InputError
from model.training import distributed
from tests.model.training.ranks import together

ROWS = 103
CONFIG = EncoderConfig(layers=2, width=32, heads=4, max_positions=16)


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 5),
    ranks=st.integers(1, 5),
    dim=st.sampled_from([0, 1]),
    stacked=st.sampled_from([1, 3]),
    block=st.integers(1, 17),
)
def test_shards_are_the_whole_and_are_filled_by_blocks(
    rows: int, columns: int, ranks: int, dim: int, stacked: int, block: int
) -> None:
    shape = (rows * stacked, columns) if dim == 0 else (columns, rows * stacked)
    whole = torch.arange(float(shape[0] * shape[1])).view(shape)
    again = torch.full(shape, -1.0)
    for rank in range(ranks):
        split = Split(shape=shape, dim=dim, stacked=stacked, ranks=ranks, rank=rank)
        shard = torch.full(split.shard_shape(rank), -2.0)
        for first in range(0, shape[0], block):
            last = min(shape[0], first + block)
            if split.holds_of_rows(first, last):
                split.take_rows(shard, whole[first:last], first)
        assert (shard >= 0).all(), "every value is filled"
        split.put(again, shard, rank)
    assert torch.equal(again, whole)
    assert sum(split.sizes()) == shape[dim]


@pytest.mark.parametrize(
    ("config", "rows", "degree", "message"),
    [
        (CONFIG, ROWS, 8, r"tensor_parallel: expected a divisor of encoder.heads \(4\), found 8"),
        (
            EncoderConfig(width=32, heads=4, feed_forward=66),
            ROWS,
            4,
            r"divisor of encoder.feed_forward \(66\), found 4",
        ),
        (CONFIG, 3, 4, "at most the vocabulary's 3 rows, found 4"),
    ],
)
def test_degrees_that_do_not_fit_are_refused(
    config: EncoderConfig, rows: int, degree: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_degree(config, rows, degree)
    check_degree(config, ROWS, 2)


class LargestTensor(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), more: Any = None):
        made = function(*arguments, **(more or {}))
        if isinstance(made, torch.Tensor) and not made.is_meta:
            storage = made.untyped_storage().nbytes() // made.element_size()
            self.values = max(self.values, storage)
        return made


def test_weights_are_drawn_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rank of eight holds its shards and one block more, never a whole matrix."""
    monkeypatch.setattr(encoders, "BLOCK_ROWS", 64)
    rows, degree = 1003, 8
    whole = build(CONFIG, rows, seed=3).get_parameter("encoder.embeddings.word_embeddings.weight")
    again = torch.empty(rows, CONFIG.width)
    for rank in range(degree):
        name = "encoder.embeddings.word_embeddings.weight"
        split = Split(shape=(rows, CONFIG.width), ranks=degree, rank=rank)
        with torch.device("meta"):
            model = MaskedLanguageModel(CONFIG, split.sizes()[rank])
        model.splits = {name: split}
        with LargestTensor() as largest:
            materialise(model)
            initialise(model, CONFIG, seed=3)
        shard = model.get_parameter(name).detach()
        assert largest.values < rows * CONFIG.width / 2
        assert largest.values == max(shard.numel(), 64 * CONFIG.width, 4 * CONFIG.width**2)
        split.put(again, shard, rank)
    assert torch.equal(again, whole)


def drawn(context: Context) -> dict[str, torch.Tensor]:
    """The whole weights as these ranks draw them, and how much a rank holds."""
    model = build(CONFIG, ROWS, seed=3, group=distributed.tensor_parallel_group())
    found = {"held": torch.tensor(sum(value.numel() for value in model.parameters()))}
    for name, value in model.named_parameters():
        whole = distributed.whole_on_first(value.detach(), model.splits.get(name))
        if whole is not None:
            found[name] = whole
    return found


@pytest.mark.slow
def test_weights_do_not_depend_on_the_degree(tmp_path: Path) -> None:
    degree = 4
    expected = dict(build(CONFIG, ROWS, seed=3).named_parameters())
    found = together(drawn, tmp_path, ranks=degree, tensor_parallel=degree)
    held = [int(each.pop("held")) for each in found]
    assert found[0].keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[0][name], value), name
    whole = sum(value.numel() for value in expected.values())
    assert max(held) < whole / degree + 0.2 * whole


def test_attention_masks_of_ranks_differ_and_others_do_not() -> None:
    seeds = []
    for rank in range(4):
        torch.manual_seed(5)
        seeds.append([draw_seed(), draw_seed(rank), draw_seed()])
    assert len({tuple(each[::2]) for each in seeds}) == 1, "ranks stay in step"
    assert len({each[1] for each in seeds}) == 4
    assert all(0 <= seed < 2**63 for each in seeds for seed in each)


DRAWS = 60


def dropped(context: Context) -> dict[str, Any]:
    """Losses under many masks, and of the first: what is replicated, and what attention keeps."""
    model = build(CONFIG, ROWS, seed=3, group=distributed.tensor_parallel_group()).train()
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(4, ROWS, (4, 16), generator=generator)
    targets = torch.randint(4, ROWS, (64,), generator=generator)
    replicated: list[torch.Tensor] = []
    attention: list[torch.Tensor] = []
    drawn_mask = layers.mask

    def noted(like: torch.Tensor, rate: float, rank: int = 0) -> torch.Tensor:
        attention.append(drawn_mask(like, rate, rank))
        return attention[-1]

    layers.mask = noted
    for layer in model.encoder.layer:
        layer.register_forward_hook(lambda _, __, output: replicated.append(output.detach()))
    losses = []
    for draw in range(DRAWS):
        torch.manual_seed(draw)
        loss, _ = model(tokens, torch.arange(64), targets)
        losses.append(float(loss.detach()))
    return {"losses": losses, "replicated": replicated[:2], "attention": attention[:2]}


@pytest.mark.slow
def test_dropout_is_right_on_every_rank(tmp_path: Path) -> None:
    one, two = together(dropped, tmp_path / "two", ranks=2, tensor_parallel=2)
    (alone,) = together(dropped, tmp_path / "alone")
    assert one["losses"] == two["losses"]
    for ours, theirs in zip(one["replicated"], two["replicated"], strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(one["attention"], two["attention"], strict=True):
        share = float((ours == theirs).float().mean())
        assert share == pytest.approx(0.82, abs=0.03), "masks of other heads are independent"
    means = [torch.tensor(each["losses"]).mean() for each in (alone, one)]
    spreads = [torch.tensor(each["losses"]).std() for each in (alone, one)]
    error = float((spreads[0] ** 2 + spreads[1] ** 2) ** 0.5) / DRAWS**0.5
    assert abs(float(means[0] - means[1])) < 3.5 * error
    assert float(spreads[0] / spreads[1]) == pytest.approx(1, abs=0.45)


def test_activation_checkpointing_repeats_every_mask() -> None:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(4, ROWS, (4, 16), generator=generator)
    targets = torch.randint(4, ROWS, (20,), generator=generator)
    found = []
    for remember in (True, False):
        model = build(CONFIG, ROWS, seed=3).train()
        model.encoder.activation_checkpointing = not remember
        torch.manual_seed(9)
        loss, _ = model(tokens, torch.arange(20), targets)
        loss.backward()
        found.append({name: value.grad for name, value in model.named_parameters()})
    for name, gradient in found[0].items():
        assert torch.equal(gradient, found[1][name]), name
