"""Runs DeepSpeed's converter of checkpoints: `python -m model.training.universal OPTIONS`.

In a process of its own, for it takes the process's ranks and accelerator for its own.
"""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from deepspeed.checkpoint import affine, ds_to_universal
from torch import Tensor

from model.training.unpickling import allow_deepspeed

_ROUNDING = 1e-5
"""Of the largest value: what ranks that round differently come to (`parameter_groups`). That files
are as they were written, checksums have told before."""


def take_the_first_of_alike() -> None:
    """Of a parameter that all ranks hold, takes the first rank's where others differ by rounding.

    DeepSpeed refuses them then. Larger differences are damage, and still refused.
    """
    rebuild = affine.ParamAffineMap.rebuild

    def rebuilt(self: Any, shards: Mapping[int, Tensor], *rest: Any) -> Tensor:
        first = shards[min(shards)]
        alike = all(each.numel() == self.numel for each in shards.values())
        equal = all(torch.equal(each, first) for each in shards.values() if alike)
        if not equal and all(_near(each, first) for each in shards.values()):
            print("ranks hold a parameter alike but for roundings: the first rank's is taken")
            shards = dict.fromkeys(shards, first)
        return rebuild(self, shards, *rest)

    affine.ParamAffineMap.rebuild = rebuilt


def _near(one: Tensor, other: Tensor) -> bool:
    most = float(other.abs().max()) if other.numel() else 0.0
    return torch.allclose(one, other, rtol=0.0, atol=_ROUNDING * most)


if __name__ == "__main__":
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    allow_deepspeed()
    take_the_first_of_alike()
    ds_to_universal.main(ds_to_universal.parse_arguments())
