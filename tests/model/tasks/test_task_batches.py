"""Batches of like length: an epoch's order, batches of prediction, and how little is padding."""

import torch

from model.tasks.task_batches import batches, by_length, padded, padding
from model.text.tokenizer import PAD

ORDER = [[4, 7], [9, 5, 8, 1], [6, 2, 0, 3]]
"""Of ten examples: a change of it is another order of fine-tuning, so another stage version."""


def test_an_epoch_holds_each_example_once_in_batches_of_like_length() -> None:
    lengths = [(7 * i) % 40 for i in range(103)]
    found = batches(lengths, 10, seed=1, epoch=0)
    assert sorted(index for batch in found for index in batch) == list(range(103))
    assert sorted(map(len, found)) == [3] + [10] * 10
    assert max(max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in found) <= 8
    assert found == batches(lengths, 10, seed=1, epoch=0)
    assert found != batches(lengths, 10, seed=1, epoch=1)
    assert found != batches(lengths, 10, seed=2, epoch=0)


def test_the_order_is_the_same_under_every_numpy() -> None:
    assert batches([1] * 10, 4, seed=3, epoch=2) == ORDER


def test_next_to_nothing_is_padding() -> None:
    lengths = [5 + (37 * i) % 124 for i in range(4000)]
    unsorted = [list(range(first, first + 32)) for first in range(0, 4000, 32)]
    assert padding(lengths, unsorted) > 0.4
    assert padding(lengths, batches(lengths, 32, seed=1, epoch=0)) < 0.03
    assert padding([3, 1, 2, 2], [[0, 1], [2, 3]]) == 1 - 8 / 10


def test_batches_of_prediction_hold_so_many_tokens() -> None:
    lengths = [9, 3, 200, 4, 8, 5]
    found = list(by_length(lengths, 24))
    assert found == [[1, 3, 5], [4, 0], [2]]
    assert all(len(batch) * max(lengths[i] for i in batch) <= 24 for batch in found[:-1])
    assert list(by_length([], 24)) == []


def test_sequences_are_padded_at_their_ends() -> None:
    tokens, keep = padded([[0, 5, 2], [0, 2]])
    assert tokens.tolist() == [[0, 5, 2], [0, 2, PAD]]
    assert keep is not None and keep.tolist() == [[True, True, True], [True, True, False]]
    tokens, keep = padded([[0, 2], [0, 2]])
    assert torch.equal(tokens, torch.tensor([[0, 2], [0, 2]])) and keep is None
