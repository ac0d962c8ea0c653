"""The masked language model's loss: cross-entropy in nats, computed in fp32."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from model.encoder.products import linear

SCORES_AT_ONCE = {"cpu": 1 << 26, "cuda": 1 << 28}
"""Scores (fp32) of the output layer that are held at once; more are computed in chunks."""

SCORES_IN_CACHE = 1 << 19
"""Scores that our loss turns into probabilities at once: 2 MiB in fp32."""


@dataclass(frozen=True, kw_only=True)
class VocabularyShard:
    """The rows of the output layer that this rank holds."""

    group: Any
    """The tensor-parallel group."""
    rows: int
    """Of the whole vocabulary."""
    start: int
    end: int
    """This rank's first row and its last + 1."""


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy whose gradient is made in the forward pass, a few places at a time.

    PyTorch's own keeps all probabilities in fp32 and a full-size one-hot gradient, and passes over
    them three more times: at a small width these passes over [N, V] cost as much as the output
    layer's matrix products. Here what is in fp32 never leaves the cache.
    """

    @staticmethod
    def forward(context: Any, logits_NV: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
        places, rows = logits_NV.shape
        gradient_NV = torch.empty_like(logits_NV)
        log_p_N1 = logits_NV.new_empty(places, 1, dtype=torch.float32)
        # exp() underflows at 87 nats: a loss beyond that reads 87, its gradient stays right.
        smallest = torch.finfo(torch.float32).tiny
        # A place for each thread at least: the softmax shares out rows.
        step = max(torch.get_num_threads(), SCORES_IN_CACHE // rows)
        for some in (slice(first, first + step) for first in range(0, places, step)):
            part_MV = logits_NV[some].softmax(-1, dtype=torch.float32)
            index_M1 = targets_N[some, None]
            log_p_N1[some] = part_MV.gather(1, index_M1).clamp_min_(smallest).log_()
            ones = part_MV.new_full((1, 1), -1.0).expand(index_M1.shape)
            gradient_NV[some] = part_MV.scatter_add_(1, index_M1, ones).div_(places)
        context.save_for_backward(gradient_NV)
        losses_N = log_p_N1.neg_()[:, 0]
        context.mark_non_differentiable(losses_N)
        return losses_N.mean(), losses_N

    @staticmethod
    def backward(context: Any, *outer: Tensor) -> tuple[Tensor, None]:
        (gradient_NV,) = context.saved_tensors
        if float(outer[0]) != 1.0:  # a part of a batch; the whole needs no further copy
            gradient_NV = gradient_NV * outer[0].to(gradient_NV.dtype)
        return gradient_NV, None


def cross_entropy(logits_NV: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of -ln p(target) over N places (0 over none), and each of them [N], detached.

    Scores may be bf16, the softmax is fp32.
    """
    if len(targets_N) == 0:
        return logits_NV.float().sum(), logits_NV.new_empty(0, dtype=torch.float32)
    if logits_NV.requires_grad and not logits_NV.is_cuda:
        return _CrossEntropy.apply(logits_NV, targets_N)
    losses_N = functional.cross_entropy(logits_NV.float(), targets_N, reduction="none")
    return losses_N.mean(), losses_N.detach()


def linear_cross_entropy(
    hidden_NH: Tensor,
    weight_VH: Tensor,
    bias_V: Tensor,
    targets_N: Tensor,
    shard: VocabularyShard | None,
) -> tuple[Tensor, Tensor]:
    """The output layer and its loss: the mean over N places, and each of them [N], detached.

    Where all scores fit, a CPU takes our own loss: DeepSpeed's computes the scores a second time
    for the gradient (benchmarks/engine_cost.md).
    """
    kind = "cuda" if hidden_NH.is_cuda else "cpu"
    most = SCORES_AT_ONCE[kind]
    if shard is None and kind == "cpu" and len(targets_N) * len(weight_VH) <= most:
        return cross_entropy(linear(hidden_NH, weight_VH, bias_V), targets_N)
    from deepspeed.sequence.linear_cross_entropy import vocab_parallel_linear_cross_entropy

    degree = 1
    if shard is not None:
        from deepspeed import comm

        degree = comm.get_world_size(shard.group)
    # Of the largest shard: chunks end in sums over the ranks, which must all cut them alike.
    rows = len(weight_VH) if shard is None else -(-shard.rows // degree)
    losses_N = vocab_parallel_linear_cross_entropy(
        hidden_NH,
        weight_VH,
        targets_N,
        bias=bias_V,
        tp_group=None if shard is None else shard.group,
        vocab_start_index=0 if shard is None else shard.start,
        vocab_end_index=len(weight_VH) if shard is None else shard.end,
        reduction="none",
        chunk_size=max(1, most // rows),
    )
    return losses_N.sum() / max(1, len(targets_N)), losses_N.detach()
