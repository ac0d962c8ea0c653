"""Tags of words: each word is tokenized alone, and its first piece carries its tag.

As in BERT (Devlin et al. 2019, Section 5.3) and XTREME. Nothing is left out: a word that vanishes
in tokenization (a lone control character) is <unk>, as in XTREME, and a sentence of more pieces
than a sequence holds becomes several sequences, cut between words, so that each word has a tag.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import EncoderConfig
from model.encoder.heads import TokenClassificationHead
from model.tasks.examples import Tagged
from model.tasks.forms.form import Sequences
from model.text.tokenizer import BOS, EOS, UNK, Tokenizer

NO_TAG = -100
"""The target of every piece that is not the first of its word (PyTorch's `ignore_index`)."""


@dataclass(kw_only=True)
class Words:
    """Where in a sequence the first pieces of its words stand."""

    places: list[int]


class Tagging:
    """A tag for each word."""

    first_only = False

    def __init__(self, labels: tuple[str, ...], longest: int) -> None:
        self.labels = labels
        self.longest = longest

    def head(self, encoder: EncoderConfig) -> nn.Module:
        return TokenClassificationHead(encoder.width, len(self.labels), encoder.dropout)

    def encode(self, examples: list[Tagged], tokenizer: Tokenizer) -> Sequences:
        """Sequences of whole words, `longest` tokens at most; a longer word loses its end."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        encoded = iter(tokenizer.encode_batch([word for each in examples for word in each.words]))
        room = max(1, self.longest - 2)
        found = Sequences()
        for owner, example in enumerate(examples):
            ids: list[int] = []
            places: list[int] = []
            tags: list[int] = []
            for tag in example.tags:
                pieces = next(encoded)
                found.counts["words"] += 1
                if not pieces:
                    found.counts["words that vanish"] += 1
                    pieces = [UNK]
                elif len(pieces) > room:
                    found.counts["words cut"] += 1
                    pieces = pieces[:room]
                if len(ids) + len(pieces) > room:
                    _add(found, owner, ids, places, tags)
                    found.counts["sentences divided"] += 1
                    ids, places, tags = [], [], []
                places.append(1 + len(ids))
                tags.append(numbers[tag])
                ids += pieces
            _add(found, owner, ids, places, tags)
        return found

    def stacked(self, targets: list[list[int]], length: int) -> Tensor:
        """Tags [B, T], NO_TAG where none is."""
        stacked = torch.full((len(targets), length), NO_TAG)
        for row, tags in enumerate(targets):
            stacked[row, : len(tags)] = torch.tensor(tags)
        return stacked

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The mean over all words of the batch."""
        return functional.cross_entropy(
            scores.float().flatten(0, 1), targets.flatten(), ignore_index=NO_TAG
        )

    def read(self, scores: Tensor, parts: list[Words]) -> list[list[int]]:
        """The likeliest tag of each word."""
        tags = scores.argmax(-1).tolist()
        return [
            [row[place] for place in words.places] for row, words in zip(tags, parts, strict=True)
        ]

    def answers(
        self, examples: list[Tagged], sequences: Sequences, kept: list[list[int]]
    ) -> list[list[str]]:
        """The tags of each sentence's words."""
        tags: list[list[str]] = [[] for _ in examples]
        for owner, numbers in zip(sequences.owners, kept, strict=True):
            tags[owner] += [self.labels[number] for number in numbers]
        return tags


def _add(found: Sequences, owner: int, ids: list[int], places: list[int], tags: list[int]) -> None:
    targets: list[Any] = [NO_TAG] * (len(ids) + 2)
    for place, tag in zip(places, tags, strict=True):
        targets[place] = tag
    found.tokens.append([BOS, *ids, EOS])
    found.targets.append(targets)
    found.owners.append(owner)
    found.parts.append(Words(places=places))
