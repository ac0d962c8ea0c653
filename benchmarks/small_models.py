"""What makes small models fast on a CPU: our dropout masks and our attention beside PyTorch's.

Run: OMP_NUM_THREADS=1 python benchmarks/small_models.py
Both ways take turns; numbers are medians of CPU time, forward and backward for attention.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.config import EncoderConfig
from model.encoder.attention import attend, attend_dropped, attention_weights
from model.encoder.dropout import mask, scale
from model.encoder.layers import Attention

BATCH, HEADS, TOKENS, SIZE = 32, 4, 128, 32
SHAPES = {
    "laptop": (80, 16, 24, 4),
    "laptop's task": (32, 16, 40, 4),
    "tiny": (32, 4, 128, 32),
    "tiny, other lengths": (32, 4, 120, 32),
}
"""Sequences, heads, tokens, head size; rows of 128 are whole vectors and take the softmax."""
ROUNDS = 25


def compare(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for function, found in zip((ours, theirs), times, strict=True):
            began = time.process_time()
            function()
            found.append(time.process_time() - began)
    own, other = (statistics.median(found[3:]) * 1e3 for found in times)
    print(f"| {name} | {own:.2f} | {other:.2f} | {other / own:.2f} |", flush=True)


def attention(dtype: torch.dtype, rate: float) -> None:
    """Products, softmax and our dropout, against PyTorch's fused attention."""
    shape = BATCH, HEADS, TOKENS, SIZE
    query, key, value = (torch.randn(shape, dtype=dtype, requires_grad=True) for _ in range(3))

    def own() -> None:
        first, second, third = (part.flatten(0, 1) for part in (query, key, value))
        if rate:
            kept = mask(query.new_empty(1).expand(BATCH * HEADS, TOKENS, TOKENS), rate)
            found = attend_dropped(first, second, third, None, kept, scale(rate))
        else:
            found = attend(first, second, third, None)
        found.sum().backward()

    def fused() -> None:
        found = functional.scaled_dot_product_attention(query, key, value, dropout_p=rate)
        found.sum().backward()

    compare(f"attention, {str(dtype)[6:]}, dropout {rate:g}", own, fused)


def softmax(name: str, shape: tuple[int, int, int, int], padded: bool) -> None:
    """The encoder's attention of bf16 without dropout, against products with PyTorch's softmax."""
    batch, heads, tokens, size = shape
    config = EncoderConfig(width=heads * size, heads=heads, attention_dropout=0.0)
    module = Attention(config)
    qkv = torch.randn(batch, tokens, 3 * config.width).bfloat16().requires_grad_()
    keep = (torch.arange(tokens) < tokens - 3).expand(batch, tokens) if padded else None

    def own() -> None:
        module.by_products(qkv, keep, first_only=False).sum().backward()

    def theirs() -> None:
        query, key, value = module.by_head(qkv).reshape(3, -1, tokens, size).unbind(0)
        hide = None if keep is None else ~keep.repeat_interleave(heads, 0)[:, None]
        found = torch.bmm(attention_weights(query, key, hide), value)
        found.view(batch, heads, tokens, size).transpose(1, 2).flatten(2).sum().backward()

    text = " x ".join(map(str, shape))
    compare(f"{name}, {text}{', padded' if padded else ''}", own, theirs)


def main() -> None:
    print("| what | ours, ms | PyTorch's, ms | ratio |\n|---|---|---|---|")
    like = torch.randn(BATCH, TOKENS, 512)
    compare("dropout mask", lambda: mask(like, 0.1), lambda: torch.empty_like(like).bernoulli_(0.9))
    for dtype in (torch.float32, torch.bfloat16):
        for rate in (0.1, 0.0):
            attention(dtype, rate)
    print("\n| bf16, no dropout | ours, ms | softmax, ms | ratio |\n|---|---|---|---|")
    for name, shape in SHAPES.items():
        for padded in (False, True):
            softmax(name, shape, padded)


if __name__ == "__main__":
    main()
