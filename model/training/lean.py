"""DeepSpeed's ZeRO optimizer without the copies of gradients that one process can do without.

With a table of 250,002 words they took longer than the model itself, and in small models their
many calls took a tenth of an update (benchmarks/pretraining.md). What the optimizer's steps are and
the numbers that they come to stay the same, up to the order of additions in a norm.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import torch
from torch import Tensor

BLOCK = {"cpu": 1 << 18, "cuda": 1 << 24}
"""Values of a gradient that are widened to fp64 at once: 2 MiB on a CPU, which its cache holds."""


def spare_copies(optimizer: Any, *, device: str, ranks: int, data_parallel: int) -> None:
    """Changes the steps of one optimizer, whose parameters have been set up.

    device: cpu or cuda.
    data_parallel: how many of the ranks hold the same model, or the same part of it.
    """
    if data_parallel == 1:  # the mean over one rank is what is there
        optimizer.buffered_reduce_fallback = lambda *_, **__: None
    if ranks == 1 and device == "cpu":
        _Widened(optimizer)
    else:
        _norms_in_blocks(optimizer)


def _norms_in_blocks(optimizer: Any) -> None:
    """Norms from blocks of the gradients, where DeepSpeed makes a copy in fp64 of each."""
    norm = optimizer.get_grad_norm_direct

    def of_blocks(gradients: Iterable[Tensor], params: Iterable[Tensor], *rest: Any) -> Tensor:
        blocks: list[Tensor] = []
        owners: list[Tensor] = []
        own = (each for each in gradients if not getattr(each, "_zero_padding", False))
        for gradient, parameter in zip(own, params, strict=False):
            pieces = gradient.detach().flatten().split(BLOCK[gradient.device.type])
            blocks += pieces
            owners += [parameter] * len(pieces)
        return norm(blocks, owners, *rest)

    optimizer.get_grad_norm_direct = of_blocks


class _Widened:
    """The update's gradients in fp32, all of a group in one tensor, of which the norm is taken too.

    The tensor stays: where it is made anew in each update, other tensors come to lie in the gap
    that it leaves, and the heap grows for the next one.
    """

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        self._groups: dict[int, tuple[Tensor, list[Tensor]]] = {}
        """The tensor of a group, and its parts in the shapes of the gradients."""
        self._widened: dict[int, Sequence[Tensor]] = {}
        """The gradients that a group's tensor holds. After an update that DeepSpeed skips, because
        its norm is not finite, the next one has others."""
        self._norm = optimizer.get_grad_norm_direct
        self._flat = optimizer.flatten_dense_tensors_aligned
        optimizer.get_grad_norm_direct = self.norm
        optimizer.flatten_dense_tensors_aligned = self.flat

    def norm(self, gradients: Sequence[Tensor], params: Sequence[Tensor], *rest: Any) -> Tensor:
        """Of one group's gradients."""
        group = self._group(gradients)
        if group is None:
            return self._norm(gradients, params, *rest)
        blocks = self._widen(group, gradients).split(BLOCK["cpu"])
        # A parameter tells which rank counts it; there is one rank.
        return self._norm(blocks, repeat(params[0]), *rest)

    def flat(self, tensors: Sequence[Tensor], alignment: int, *rest: Any, **named: Any) -> Tensor:
        """One group's gradients as one tensor; other tensors as DeepSpeed does it."""
        group = self._group(tensors)
        if group is None:
            return self._flat(tensors, alignment, *rest, **named)
        flat = self._widen(group, tensors)
        self._widened.pop(group, None)
        return flat

    def _group(self, tensors: Sequence[Tensor]) -> int | None:
        """The group whose gradients these are."""
        groups = self._optimizer.averaged_gradients.items()
        return next((number for number, found in groups if found is tensors), None)

    def _widen(self, group: int, gradients: Sequence[Tensor]) -> Tensor:
        """The group's tensor with these gradients."""
        if group not in self._groups:
            flat = torch.zeros(int(self._optimizer.partition_size[group]))
            parts = flat.split([each.numel() for each in gradients] + [_rest(flat, gradients)])
            shaped = [part.view_as(each) for part, each in zip(parts, gradients, strict=False)]
            self._groups[group] = flat, shaped
        flat, shaped = self._groups[group]
        if self._widened.get(group) is not gradients:
            torch._foreach_copy_(shaped, list(gradients))
            self._widened[group] = gradients
        return flat


def _rest(flat: Tensor, gradients: Sequence[Tensor]) -> int:
    """Values at the end of a group that pad it."""
    return flat.numel() - sum(each.numel() for each in gradients)
