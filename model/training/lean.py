"""DeepSpeed's ZeRO optimizer without the copies of gradients that one process can do without.

With a table of 250,002 words they took longer than the model itself (benchmarks/pretraining.md).
All that is changed is how three of its steps come by the same numbers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

BLOCK = {"cpu": 1 << 18, "cuda": 1 << 24}
"""Values of a gradient that are widened to fp64 at once: 2 MiB on a CPU, which its cache holds."""


def spare_copies(optimizer: Any, *, copies: int, device: str) -> None:
    """Changes these steps of one optimizer.

    copies: data-parallel ranks, each with a copy of the model or of its part.
    """
    _norms_in_blocks(optimizer)
    if copies > 1:
        return
    # The mean over one rank is what is there.
    optimizer.buffered_reduce_fallback = lambda *_, **__: None
    if device == "cpu":
        _widened_in_place(optimizer)


def _norms_in_blocks(optimizer: Any) -> None:
    """Norms from blocks of gradients, not from a copy in fp64 of each.

    The norm of the blocks' norms is the same, up to the order of additions in fp64.
    """
    whole = optimizer.get_grad_norm_direct

    def of_blocks(gradients: Iterable[Tensor], params: Iterable[Tensor], *rest: Any) -> Tensor:
        blocks: list[Tensor] = []
        owners: list[Tensor] = []
        own = (each for each in gradients if not getattr(each, "_zero_padding", False))
        for gradient, parameter in zip(own, params, strict=False):
            pieces = gradient.detach().flatten().split(BLOCK[gradient.device.type])
            blocks += pieces
            owners += [parameter] * len(pieces)
        return whole(blocks, owners, *rest)

    optimizer.get_grad_norm_direct = of_blocks


def _widened_in_place(optimizer: Any) -> None:
    """The update's fp32 gradients in memory that stays, and straight from those of bf16.

    Made anew in each update, as one block after another, they leave gaps in the heap that the next
    ones do not fit in.
    """
    whole = optimizer.flatten_dense_tensors_aligned
    kept: dict[int, Tensor] = {}

    def widened(tensors: Sequence[Tensor], alignment: int, *rest: Any, **named: Any) -> Tensor:
        groups = optimizer.averaged_gradients.items()
        group = next((number for number, found in groups if found is tensors), None)
        if group is None:
            return whole(tensors, alignment, *rest, **named)
        if group not in kept:
            kept[group] = torch.zeros(alignment)
        first = 0
        for tensor in tensors:
            kept[group][first : first + tensor.numel()].copy_(tensor.flatten())
            first += tensor.numel()
        return kept[group]

    optimizer.flatten_dense_tensors_aligned = widened
