"""Dropout whose masks are cheap on a CPU and a pure function of PyTorch's random state.

PyTorch's CPU masks cost five times as much (benchmarks/small_models.md). Here a mask takes 16
random bits a value from a fast counter-free generator (SFC64), which is itself seeded by one draw
from PyTorch's generator: `torch.manual_seed` still decides every mask, and activation
checkpointing, which restores that state, still gets the same mask twice. The rate is a multiple of
2^-16: 0.1 becomes 0.100006, and the rescaling uses the rounded rate, so that means are exact.

On a GPU the same draw seeds the GPU's generator before each mask. So ranks whose CPU generators
are in step, as those of a tensor-parallel group are, drop the same values of what all of them hold;
what each holds a part of (attention weights, by heads) is told apart by the rank in the seed.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

_LEVELS = 1 << 16
_ODD = 0x9E3779B97F4A7C15
"""Spreads the rank over all bits of a seed (the golden ratio, as in Steele et al. 2014)."""


def _level(rate: float) -> int:
    return min(max(round(rate * _LEVELS), 0), _LEVELS - 1)


def scale(rate: float) -> float:
    """What kept values are multiplied by, 1 / (1 - rate)."""
    return _LEVELS / (_LEVELS - _level(rate))


def draw_seed(tensor_rank: int = 0) -> int:
    """The seed of the next mask: one draw from PyTorch's CPU generator, told apart by rank."""
    seed = int(torch.randint(0, 2**63 - 1, ()))
    return seed ^ (tensor_rank * _ODD % 2**63)


def mask(like: Tensor, rate: float, tensor_rank: int = 0) -> Tensor:
    """Zeros (with probability `rate`) and ones, of the shape and type of `like`, on the CPU."""
    values = like.numel()
    words = np.random.SFC64(draw_seed(tensor_rank)).random_raw(-(-values // 4))
    draws = torch.from_numpy(words.view(np.int16))[:values].view(like.shape)
    kept = torch.empty(like.shape, dtype=like.dtype)
    return torch.ge(draws, _level(rate) - _LEVELS // 2, out=kept)


class _Dropped(torch.autograd.Function):
    """x times a mask times a number, in one pass each way."""

    @staticmethod
    def forward(context: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        context.save_for_backward(kept)
        context.scale = scale
        return torch.addcmul(x.new_zeros(()), x, kept, value=scale)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = context.saved_tensors
        x_gradient = torch.addcmul(kept.new_zeros(()), outer[0], kept, value=context.scale)
        return x_gradient, None, None


class _AddDropped(torch.autograd.Function):
    """The same, added to a residual."""

    @staticmethod
    def forward(context: Any, residual: Tensor, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        context.save_for_backward(kept)
        context.scale = scale
        return torch.addcmul(residual, x, kept, value=scale)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        return outer[0], *_Dropped.backward(context, *outer)


def dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Zeroes values with probability `rate` and rescales the others (Srivastava et al. 2014)."""
    if not training or rate == 0.0:
        return x
    if x.is_cuda:
        torch.cuda.manual_seed(draw_seed())
        return functional.dropout(x, rate)
    return _Dropped.apply(x, mask(x, rate), scale(rate))


def add_dropped(residual: Tensor, x: Tensor, rate: float, training: bool) -> Tensor:
    """residual + dropout(x), in one pass where that is faster."""
    if not training or rate == 0.0:
        return residual + x
    if x.is_cuda:
        return residual + dropout(x, rate, training)
    return _AddDropped.apply(residual, x, mask(x, rate), scale(rate))
