"""Batches of like length: the order of an epoch, batches of prediction, and their padding.

Sequences are sorted by length within pools, so that next to nothing is padding and the order is
still random; the same for every length of training, device and version of NumPy.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from model.encoder.encoder import derived_seed
from model.text.tokenizer import PAD

_POOL = 50
"""Batches that are sorted by length together: padding costs more time than order gives."""
PREDICTED_TOKENS = {"cpu": 1024, "cuda": 32_768}
"""Tokens, padding included, of a batch of prediction. A CPU's cache holds a thousand or two: with
sixteen times as many, a small encoder takes three times as long."""


def batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of one epoch's batches: shuffled, sorted by length within pools, shuffled again."""
    generator = np.random.Philox(key=derived_seed("order", seed, epoch))
    order = _shuffled(len(lengths), generator)
    found: list[list[int]] = []
    for start in range(0, len(order), size * _POOL):
        pool = sorted(order[start : start + size * _POOL], key=lambda i: lengths[i])
        found += [pool[first : first + size] for first in range(0, len(pool), size)]
    return [found[index] for index in _shuffled(len(found), generator)]


def by_length(lengths: Sequence[int], most: int = PREDICTED_TOKENS["cpu"]) -> Iterator[list[int]]:
    """Indices in batches of at most `most` tokens, padding included, from short to long."""
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * lengths[order[end]] <= most:
            end += 1
        yield order[start:end]
        start = end


def padded(sequences: list[list[int]]) -> tuple[Tensor, Tensor | None]:
    """Tokens [B, T], padded at the end, and True at real ones: None if all are."""
    width = max(map(len, sequences))
    rows = [sequence + [PAD] * (width - len(sequence)) for sequence in sequences]
    tokens = torch.tensor(rows)
    whole = all(len(sequence) == width for sequence in sequences)
    return tokens, None if whole else tokens != PAD


def padding(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """The share of an epoch's places that are padding."""
    places = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    return 1 - sum(lengths) / places


def _shuffled(count: int, generator: np.random.Philox) -> list[int]:
    """0 to count - 1 in the order of raw words, which NumPy never changes; its shuffles it may."""
    return np.argsort(generator.random_raw(count), kind="stable").tolist()
