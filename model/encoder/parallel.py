"""Tensor parallelism: DeepSpeed's layers in place of our plain ones (Shoeybi et al. 2019).

A sublayer's first matrix (query, key and value; the first of the feed-forward) is cut by columns,
its second by rows, so that each rank computes whole heads, and one sum over the ranks ends each
sublayer. Word embeddings, which are also the output layer, are cut over the vocabulary.

At degree 1 our plain modules stay (benchmarks/engine_cost.md says what DeepSpeed's would cost).
What a checkpoint must say of them, so that it can be read at another degree, is then taken from a
copy without storage, whose layers are DeepSpeed's (`describe`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from model.config import EncoderConfig
from model.encoder.loss import VocabularyShard
from model.errors import InputError

if TYPE_CHECKING:
    from model.encoder.encoder import MaskedLanguageModel


@dataclass(frozen=True, kw_only=True)
class Split:
    """How a whole parameter is dealt to the ranks of a tensor-parallel group."""

    shape: tuple[int, ...]
    """Of the whole parameter."""
    dim: int = 0
    """The dimension that is cut."""
    stacked: int = 1
    """Matrices that stand one above the other in it (3 in query, key, value), each cut alike."""
    ranks: int = 1
    rank: int = 0
    """This process among `ranks`."""

    def pieces(self, rank: int) -> list[tuple[int, int]]:
        """First and last + 1 of each stretch along `dim` that a rank holds, in its order.

        What cannot be dealt evenly goes to the first ranks, one each, as DeepSpeed does it.
        """
        size = self.shape[self.dim] // self.stacked
        each, more = divmod(size, self.ranks)
        start = rank * each + min(rank, more)
        end = start + each + (rank < more)
        return [(block * size + start, block * size + end) for block in range(self.stacked)]

    def sizes(self) -> list[int]:
        """What each rank holds along `dim`."""
        return [sum(b - a for a, b in self.pieces(rank)) for rank in range(self.ranks)]

    def shard_shape(self, rank: int) -> tuple[int, ...]:
        return (*self.shape[: self.dim], self.sizes()[rank], *self.shape[self.dim + 1 :])

    def put(self, whole: Tensor, shard: Tensor, rank: int) -> None:
        """Copies a rank's shard to its places in the whole tensor."""
        offset = 0
        for start, end in self.pieces(rank):
            part = shard.narrow(self.dim, offset, end - start)
            whole.narrow(self.dim, start, end - start).copy_(part)
            offset += end - start

    def holds_of_rows(self, first: int, last: int) -> bool:
        """Whether this rank holds anything of rows `first` to `last` - 1 of the whole matrix."""
        stretches = self.pieces(self.rank)
        return self.dim > 0 or any(start < last and first < end for start, end in stretches)

    def take_rows(self, shard: Tensor, rows: Tensor, first: int) -> None:
        """Copies into this rank's shard what it holds of some whole rows, the first being `first`.

        A stretch of the shard's own is filled from as many calls as its rows come in.
        """
        offset = 0
        for start, end in self.pieces(self.rank):
            if self.dim == 0:
                low, high = max(start, first), min(end, first + len(rows))
                if low < high:
                    at = offset + low - start
                    shard[at : at + high - low].copy_(rows[low - first : high - first])
            else:
                held = shard.narrow(self.dim, offset, end - start)
                part = rows.narrow(self.dim, start, end - start)
                held[first : first + len(rows)].copy_(part)
            offset += end - start


def check_degree(config: EncoderConfig, rows: int, degree: int) -> None:
    """Raises InputError if the model cannot be cut into `degree` parts. Costs nothing."""
    for key, value in (("heads", config.heads), ("feed_forward", config.feed_forward_size)):
        if value % degree:
            raise InputError(
                f"execution.tensor_parallel: expected a divisor of encoder.{key} ({value}), found "
                f"{degree}: every rank takes as many heads and columns"
            )
    if rows < degree:
        raise InputError(
            f"execution.tensor_parallel: expected at most the vocabulary's {rows} rows, found "
            f"{degree}"
        )


def shard(model: MaskedLanguageModel, group: Any) -> None:
    """Replaces the model's layers, in place, by this rank's part of DeepSpeed's.

    The model is one without storage (on the meta device). `group` is the tensor-parallel group, or
    None for DeepSpeed's layers at degree 1.
    """
    from deepspeed import comm
    from deepspeed.module_inject import layers, set_autotp_mode

    set_autotp_mode(training=True)  # before any layer is made: otherwise they freeze their weights
    degree = 1 if group is None else comm.get_world_size(group)
    rank = 0 if group is None else comm.get_rank(group)
    embeddings = model.encoder.embeddings
    rows = embeddings.word_embeddings.num_embeddings
    check_degree(model.encoder.config, rows, degree)
    model.splits = _splits(model, degree, rank)
    for layer in model.encoder.layer:
        attention: Any = layer.attention
        attention.heads //= degree
        attention.tensor_rank = rank
        attention.query_key_value = layers.SubParamLinearLayer(
            attention.query_key_value, group, shape=(3, -1), partition_dim=0
        )
        attention.dense = layers.LinearAllreduce(attention.dense, group)
        layer.intermediate = layers.LinearLayer(layer.intermediate, group)
        layer.output = layers.LinearAllreduce(layer.output, group)
    words = layers.VocabParallelEmbedding(embeddings.word_embeddings, group)
    embeddings.word_embeddings = words
    _shard_bias(model.lm_head.bias, words, model.splits["lm_head.bias"])
    if group is not None:
        model.lm_head.shard = VocabularyShard(
            group=group, rows=rows, start=words.vocab_start_index, end=words.vocab_end_index
        )
    _check_shapes(model)


def _splits(model: MaskedLanguageModel, degree: int, rank: int) -> dict[str, Split]:
    """The cut of each parameter that is cut, by its name."""
    columns = {"attention.query_key_value": 3, "intermediate": 1}
    cut = {"encoder.embeddings.word_embeddings.weight": (0, 1), "lm_head.bias": (0, 1)}
    for index in range(len(model.encoder.layer)):
        prefix = f"encoder.layer.{index}"
        for name, stacked in columns.items():
            cut[f"{prefix}.{name}.weight"] = cut[f"{prefix}.{name}.bias"] = (0, stacked)
        cut[f"{prefix}.attention.dense.weight"] = cut[f"{prefix}.output.weight"] = (1, 1)
    return {
        name: Split(
            shape=tuple(model.get_parameter(name).shape),
            dim=dim,
            stacked=stacked,
            ranks=degree,
            rank=rank,
        )
        for name, (dim, stacked) in cut.items()
    }


def _shard_bias(bias: nn.Parameter, words: Any, split: Split) -> None:
    """The decoder's bias, cut as the embeddings that it belongs to."""
    ((start, end),) = split.pieces(split.rank)
    bias.data = bias.data[start:end]
    bias.tensor_model_parallel = True  # type: ignore[attr-defined]  # or clipping counts it wrongly
    words._set_param_uc_meta(
        bias,
        partition_type="column",
        partition_dim=0,
        logical_shape=split.shape,
        output_shape=split.shape,
        partition_sizes=split.sizes(),
        target_partition_shape=tuple(bias.shape),
        original_shape=split.shape,
        is_bias=True,
    )


def _check_shapes(model: MaskedLanguageModel) -> None:
    for name, split in model.splits.items():
        found = tuple(model.get_parameter(name).shape)
        expected = split.shard_shape(split.rank)
        if found != expected:
            raise RuntimeError(
                f"{name}: DeepSpeed cut a shard of {found}, expected {expected}: this version of "
                "DeepSpeed deals rows in another way"
            )


def describe(model: MaskedLanguageModel) -> dict[str, Any]:
    """What DeepSpeed's universal checkpoints must know of the parameters (without storage)."""
    from deepspeed.module_inject.layers import collect_autotp_universal_checkpoint_info

    if model.lm_head.shard is None:
        copy = model.without_storage()
        shard(copy, None)
        return collect_autotp_universal_checkpoint_info(copy)
    return collect_autotp_universal_checkpoint_info(model)


def materialise(model: nn.Module) -> None:
    """Gives parameters of the meta device storage on the CPU, and keeps what is noted on them."""
    for module in model.modules():
        for name, old in module.named_parameters(recurse=False):
            new = nn.Parameter(torch.empty_like(old, device="cpu"))
            new.__dict__.update(old.__dict__)
            setattr(module, name, new)
