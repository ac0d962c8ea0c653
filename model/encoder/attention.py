"""Attention as matrix products, for CPUs: softmax(QK' / sqrt(D)) V (Vaswani et al. 2017, 3.2.1).

Tensor names carry their shape: N = sequences x heads, Q queries, K keys, D head size.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

VECTOR = 32
"""Numbers of bf16 in a vector of a CPU with AVX-512."""
HIGHEST = 40.0
"""Where a score is higher, all go through the softmax: long before exp() overflows, at 88.7, its
inverse times a small gradient underflows."""
SMALLEST = math.exp(-HIGHEST)
"""So they do where a query's exponentials sum up to less: far below it all of them underflow."""


def goes_round(dtype: torch.dtype, keys: int) -> bool:
    """Whether attention over so many keys goes round PyTorch's softmax, where that pays.

    In bf16 the softmax falls back to scalar code where a row is no multiple of a vector, and takes
    longer than all matrix products together: rows of 24 take four times as long as rows of 32.
    """
    return dtype == torch.bfloat16 and keys % VECTOR != 0


def centred(qkv_BTE: Tensor, keep_BT: Tensor | None) -> tuple[Tensor, Tensor]:
    """Queries, keys and values [B, T, 3 H], keys and values less their means over the sequence, and
    the values' mean [B, 1, H], to be added to what is gathered.

    Attention is the same without: weights sum up to 1, and gradients of scores to 0. But in bf16
    they do so up to rounding, and what that leaves would be multiplied by the means. As it is the
    same whatever is taken off, no gradient passes through the means.
    """
    with torch.no_grad():
        if keep_BT is None:
            mean_B1E = qkv_BTE.mean(1, keepdim=True)
        else:
            keep_BT1 = keep_BT[:, :, None].to(qkv_BTE.dtype)
            mean_B1E = (qkv_BTE * keep_BT1).sum(1, keepdim=True) / keep_BT1.sum(1, keepdim=True)
        width = qkv_BTE.shape[-1] // 3
        mean_B1E[..., :width] = 0
    return qkv_BTE - mean_B1E, mean_B1E[..., 2 * width :]


def attention_weights(query_NQD: Tensor, key_NKD: Tensor, hide_N1K: Tensor | None) -> Tensor:
    """Softmax over keys [N, Q, K]; `hide_N1K` is True at padding, None if there is none."""
    scores_NQK = _scores(query_NQD, key_NKD)
    if hide_N1K is not None:
        scores_NQK = scores_NQK.masked_fill(hide_N1K, -math.inf)
    return scores_NQK.softmax(-1)


def attend(
    query_NQD: Tensor, key_NKD: Tensor, value_NKD: Tensor, hide_N1K: Tensor | None
) -> Tensor:
    """What each query gathers [N, Q, D], without dropout.

    Where it `goes_round` the softmax it is 1.1 to 2 times as fast, forward and backward
    (benchmarks/small_models.md).
    """
    if goes_round(query_NQD.dtype, key_NKD.shape[1]) and query_NQD.numel():
        exponentials = _exponentials(query_NQD, key_NKD, hide_N1K)
        if exponentials is not None:
            return _Attend.apply(query_NQD, key_NKD, value_NKD, *exponentials)
    return torch.bmm(attention_weights(query_NQD, key_NKD, hide_N1K), value_NKD)


def attend_dropped(
    query_NQD: Tensor,
    key_NKD: Tensor,
    value_NKD: Tensor,
    hide_N1K: Tensor | None,
    kept_NQK: Tensor,
    scale: float,
) -> Tensor:
    """What each query gathers [N, Q, D] with weights times a mask of zeros and ones times a number,
    which is dropout's."""
    return _AttendDropped.apply(query_NQD, key_NKD, value_NKD, hide_N1K, kept_NQK, scale)


def _times(a_NIJ: Tensor, b_NJK: Tensor, factor: float) -> Tensor:
    """a b factor, in one pass."""
    return torch.baddbmm(a_NIJ.new_empty(1), a_NIJ, b_NJK, beta=0, alpha=factor)


def _scores(query_NQD: Tensor, key_NKD: Tensor) -> Tensor:
    return _times(query_NQD, key_NKD.transpose(1, 2), 1 / math.sqrt(query_NQD.shape[-1]))


@torch.no_grad()
def _exponentials(
    query_NQD: Tensor, key_NKD: Tensor, hide_N1K: Tensor | None
) -> tuple[Tensor, Tensor] | None:
    """exp(scores) [N, Q, K] and 1 / their sums [N, Q, 1]; None where these are out of range."""
    scores_NQK = _scores(query_NQD, key_NKD)
    if hide_N1K is not None:
        scores_NQK.masked_fill_(hide_N1K, -math.inf)
    if not float(scores_NQK.max()) < HIGHEST:  # nan too goes the exact way, and shows
        return None
    exp_NQK = scores_NQK.exp_()
    sums_NQ1 = exp_NQK.sum(-1, keepdim=True)
    if not float(sums_NQ1.min()) > SMALLEST:
        return None
    return exp_NQK, sums_NQ1.reciprocal_()


class _Attend(torch.autograd.Function):
    """Attention from the exponentials, normalised after the product with the values.

    All passes over [N, Q, K] are plain ones: no maximum, no division, and the sum that the
    softmax's gradient subtracts is one more column of a matrix product. Keys and values should be
    `centred`.
    """

    @staticmethod
    def forward(
        context: Any,
        query_NQD: Tensor,
        key_NKD: Tensor,
        value_NKD: Tensor,
        exp_NQK: Tensor,
        inverse_NQ1: Tensor,
    ) -> Tensor:
        gathered_NQD = torch.bmm(exp_NQK, value_NKD).mul_(inverse_NQ1)
        context.save_for_backward(query_NQD, key_NKD, value_NKD, exp_NQK, inverse_NQ1, gathered_NQD)
        return gathered_NQD

    @staticmethod
    @once_differentiable
    def backward(context: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        query_NQD, key_NKD, value_NKD, exp_NQK, inverse_NQ1, gathered_NQD = context.saved_tensors
        outer_NQD = outer[0] * inverse_NQ1
        mean_NQ1 = (outer_NQD * gathered_NQD).sum(-1, keepdim=True)
        minus_NK1 = value_NKD.new_full((1, 1, 1), -1.0).expand(*value_NKD.shape[:2], 1)
        left = torch.cat([outer_NQD, mean_NQ1], -1)
        right = torch.cat([value_NKD, minus_NK1], -1)
        scores_NQK = torch.bmm(left, right.transpose(1, 2)).mul_(exp_NQK)  # their gradient
        scale = 1 / math.sqrt(query_NQD.shape[-1])
        return (
            _times(scores_NQK, key_NKD, scale),
            _times(scores_NQK.transpose(1, 2), query_NQD, scale),
            torch.bmm(exp_NQK.transpose(1, 2), outer_NQD),
            None,
            None,
        )


class _AttendDropped(torch.autograd.Function):
    """Attention with dropout, whose two numbers (dropout's and 1 / sqrt(D)) cost no pass: PyTorch's
    gradient of a scaled product scales in a pass of its own, and rounds once more."""

    @staticmethod
    def forward(
        context: Any,
        query_NQD: Tensor,
        key_NKD: Tensor,
        value_NKD: Tensor,
        hide_N1K: Tensor | None,
        kept_NQK: Tensor,
        scale: float,
    ) -> Tensor:
        weights_NQK = attention_weights(query_NQD, key_NKD, hide_N1K)
        dropped_NQK = weights_NQK * kept_NQK
        context.save_for_backward(query_NQD, key_NKD, value_NKD, weights_NQK, kept_NQK, dropped_NQK)
        context.scale = scale
        return _times(dropped_NQK, value_NKD, scale)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        query_NQD, key_NKD, value_NKD, weights_NQK, kept_NQK, dropped_NQK = context.saved_tensors
        inner_NQK = _times(outer[0], value_NKD.transpose(1, 2), context.scale).mul_(kept_NQK)
        scores_NQK = torch._softmax_backward_data(inner_NQK, weights_NQK, -1, weights_NQK.dtype)
        scale = 1 / math.sqrt(query_NQD.shape[-1])
        return (
            _times(scores_NQK, key_NKD, scale),
            _times(scores_NQK.transpose(1, 2), query_NQD, scale),
            _times(dropped_NQK.transpose(1, 2), outer[0], context.scale),
            None,
            None,
            None,
        )
