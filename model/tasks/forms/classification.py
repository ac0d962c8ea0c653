"""Classification of a text or a pair of texts: <s> first </s></s> second </s>, a head on <s>."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import EncoderConfig
from model.encoder.heads import ClassificationHead
from model.tasks.examples import Classified
from model.tasks.forms.form import Sequences
from model.text.tokenizer import BOS, EOS, Tokenizer


class Classification:
    """A label for each example."""

    first_only = True

    def __init__(self, labels: tuple[str, ...], longest: int) -> None:
        self.labels = labels
        self.longest = longest

    def head(self, encoder: EncoderConfig) -> nn.Module:
        return ClassificationHead(encoder.width, len(self.labels), encoder.dropout)

    def encode(self, examples: list[Classified], tokenizer: Tokenizer) -> Sequences:
        """One sequence an example, of `longest` tokens at most: the longer text is cut first."""
        first = tokenizer.encode_batch([example.first for example in examples])
        pairs = [index for index, example in enumerate(examples) if example.second is not None]
        seconds = tokenizer.encode_batch([examples[index].second or "" for index in pairs])
        second = dict(zip(pairs, seconds, strict=True))
        found = Sequences(owners=list(range(len(examples))), parts=[None] * len(examples))
        numbers = {label: number for number, label in enumerate(self.labels)}
        for index, (a, example) in enumerate(zip(first, examples, strict=True)):
            b = second.get(index)
            kept_a, kept_b = cut(a, b, self.longest)
            cut_off = len(a) + len(b or ()) - len(kept_a) - len(kept_b or ())
            found.counts["examples"] += 1
            found.counts["examples cut"] += cut_off > 0
            found.counts["pieces cut off"] += cut_off
            pair = [] if kept_b is None else [EOS, *kept_b, EOS]
            found.tokens.append([BOS, *kept_a, EOS, *pair])
            found.targets.append(numbers[example.label])
        return found

    def stacked(self, targets: list[int], length: int) -> Tensor:
        """Labels [B]."""
        return torch.tensor(targets)

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(scores.float(), targets)

    def read(self, scores: Tensor, parts: list[Any]) -> list[int]:
        """The likeliest label of each."""
        return scores.argmax(-1).tolist()

    def answers(
        self, examples: list[Classified], sequences: Sequences, kept: list[int]
    ) -> list[str]:
        return [self.labels[number] for number in kept]


def cut(a: list[int], b: list[int] | None, longest: int) -> tuple[list[int], list[int] | None]:
    """A text, or a pair, such that with its special ids it has `longest` ids at most."""
    if b is None:
        return a[: max(1, longest - 2)], None
    room = max(2, longest - 4)
    if len(a) + len(b) <= room:
        return a, b
    shorter = min(len(a), len(b), (room + 1) // 2)
    kept = room - shorter
    return (a[:kept], b[:shorter]) if len(a) >= len(b) else (a[:shorter], b[:kept])
