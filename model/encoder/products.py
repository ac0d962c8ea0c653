"""Matrix products of bf16 on CPUs that have no instructions for it, which most laptops' have not.

There PyTorch falls back to scalar code, ten to forty times as slow as fp32. Here such products are
made of fp32 ones: operands are widened, which is exact, and the result is rounded to bf16. That is
what the instructions do, too, up to the order of additions (Kalamkar et al. 2019).
"""

import functools

import torch
from torch import Tensor, nn


@functools.cache
def cpu_has_bf16() -> bool:
    """Whether PyTorch has a fast kernel for products of bf16 on this CPU (oneDNN's)."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def widens(x: Tensor) -> bool:
    """Whether products of such tensors are made of fp32 ones."""
    return x.dtype == torch.bfloat16 and x.device.type == "cpu" and not cpu_has_bf16()


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x weight' + bias, in the type of `x`."""
    if not widens(x):
        return nn.functional.linear(x, weight, bias)
    return nn.functional.linear(x.float(), weight.float(), bias.float()).to(x.dtype)


class Linear(nn.Linear):
    """PyTorch's layer with our product."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)
