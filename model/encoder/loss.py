"""The masked language model's loss: mean cross-entropy in nats, computed in fp32."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy whose gradient is made in the forward pass, in the memory of the scores.

    PyTorch's own keeps a full-size one-hot gradient and passes over it three more times: at a small
    width these passes over [N, V] cost as much as the output layer's matrix products.
    """

    @staticmethod
    def forward(context: Any, logits_NV: Tensor, targets_N: Tensor) -> Tensor:
        gradient_NV = logits_NV.softmax(-1, dtype=torch.float32)
        index_N1 = targets_N[:, None]
        # exp() underflows at 87 nats: a loss beyond that reads 87, its gradient stays right.
        smallest = torch.finfo(torch.float32).tiny
        loss = -gradient_NV.gather(1, index_N1).clamp_min_(smallest).log_().mean()
        ones = gradient_NV.new_full((1, 1), -1.0).expand(index_N1.shape)
        gradient_NV.scatter_add_(1, index_N1, ones)
        context.save_for_backward(gradient_NV.div_(targets_N.shape[0]).to(logits_NV.dtype))
        return loss

    @staticmethod
    def backward(context: Any, *outer: Tensor) -> tuple[Tensor, None]:
        (gradient_NV,) = context.saved_tensors
        return gradient_NV * outer[0].to(gradient_NV.dtype), None


def cross_entropy(logits_NV: Tensor, targets_N: Tensor) -> Tensor:
    """Mean of -ln p(target) over N places, 0 over none; scores may be bf16, the softmax is fp32."""
    if len(targets_N) == 0:
        return logits_NV.float().sum()
    if logits_NV.requires_grad and not logits_NV.is_cuda:
        return _CrossEntropy.apply(logits_NV, targets_N)
    return functional.cross_entropy(logits_NV.float(), targets_N)
