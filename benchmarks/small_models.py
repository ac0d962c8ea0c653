"""What makes small models fast on a CPU: our dropout masks and our attention beside PyTorch's.

Run: OMP_NUM_THREADS=1 python benchmarks/small_models.py
Both ways take turns; numbers are medians of CPU time, forward and backward for attention.
"""

import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.encoder.dropout import mask

SHAPE = BATCH, HEADS, TOKENS, SIZE = 32, 4, 128, 32
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
    query, key, value = (torch.randn(SHAPE, dtype=dtype, requires_grad=True) for _ in range(3))

    def own() -> None:
        first, second, third = (part.flatten(0, 1) for part in (query, key, value))
        scores = torch.baddbmm(
            first.new_empty(1), first, second.transpose(1, 2), beta=0, alpha=1 / math.sqrt(SIZE)
        )
        weights = scores.softmax(-1)
        torch.bmm(weights * mask(weights, rate) if rate else weights, third).sum().backward()

    def fused() -> None:
        found = functional.scaled_dot_product_attention(query, key, value, dropout_p=rate)
        found.sum().backward()

    compare(f"attention, {str(dtype)[6:]}, dropout {rate:g}", own, fused)


def main() -> None:
    print("| what | ours, ms | PyTorch's, ms | ratio |\n|---|---|---|---|")
    like = torch.randn(BATCH, TOKENS, 512)
    compare("dropout mask", lambda: mask(like, 0.1), lambda: torch.empty_like(like).bernoulli_(0.9))
    for dtype in (torch.float32, torch.bfloat16):
        for rate in (0.1, 0.0):
            attention(dtype, rate)


if __name__ == "__main__":
    main()
