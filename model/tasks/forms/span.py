"""Answers as spans of a context: windows of <s> question </s></s> context </s>, SQuAD v1.1.

A context that is too long is cut into windows that are `stride` pieces apart and overlap (Devlin et
al. 2019; run_squad.py's doc_stride). A window that does not hold the whole answer learns <s>. At
test the best span of at most `max_answer` pieces over all windows is the answer: with SQuAD v1.1
there always is one, so <s> never is. Answers are parts of the context itself, not of what the
tokenizer made of it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import EncoderConfig
from model.encoder.heads import SpanHead
from model.tasks.examples import Question
from model.tasks.forms.form import Sequences
from model.text.tokenizer import BOS, EOS, Tokenizer

MAX_QUESTION = 64
"""Pieces of a question at most, as in run_squad.py; and never more than half a sequence."""
_SPECIALS = 4


@dataclass(kw_only=True)
class Window:
    """Pieces [first, first + n) of a context in a sequence: the first stands at `place`."""

    place: int
    begins: np.ndarray
    """int64 [n]: where in the context each piece's part begins."""
    ends: np.ndarray
    """int64 [n]: and where it ends. An empty part (white space alone) is nobody's answer."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The best span of a window: its score, and [begin, end) in the context."""

    score: float
    begin: int
    end: int


Scores = tuple[Tensor, Tensor]
"""Of being the answer's first and its last piece, each [B, T]."""


class Span:
    """An answer to each question, as a part of its context."""

    first_only = False

    def __init__(self, longest: int, stride: int, max_answer: int) -> None:
        self.longest = longest
        self.stride = stride
        self.max_answer = max_answer

    def head(self, encoder: EncoderConfig) -> nn.Module:
        return SpanHead(encoder.width)

    def encode(self, examples: list[Question], tokenizer: Tokenizer) -> Sequences:
        """The windows of each question's context; their target is its first answer."""
        questions = tokenizer.encode_batch([example.question for example in examples])
        most = max(1, min(MAX_QUESTION, (self.longest - _SPECIALS) // 2))
        contexts: dict[str, _Context] = {}
        found = Sequences()
        for owner, (example, question) in enumerate(zip(examples, questions, strict=True)):
            context = contexts.get(example.context)
            if context is None:
                context = contexts[example.context] = _Context.of(example.context, tokenizer)
            answer = context.answer(*example.answers[0]) if example.answers else None
            found.counts["questions"] += 1
            found.counts["questions cut"] += len(question) > most
            self._add_windows(found, owner, question[:most], context, answer)
            if answer is not None:
                self._count(found, example, context, answer)
        return found

    def stacked(self, targets: list[tuple[int, int]], length: int) -> Tensor:
        """First and last place [B, 2]."""
        return torch.tensor(targets)

    def loss(self, scores: Scores, targets: Tensor) -> Tensor:
        """The mean of the first piece's and the last piece's cross-entropy over all places."""
        starts_BT, ends_BT = scores
        start = functional.cross_entropy(starts_BT.float(), targets[:, 0])
        return (start + functional.cross_entropy(ends_BT.float(), targets[:, 1])) / 2

    def read(self, scores: Scores, parts: list[Window]) -> list[Found]:
        """The best span of each window."""
        starts_BT, ends_BT = (each.float().cpu().numpy() for each in scores)
        return [
            self._best(starts_BT[row], ends_BT[row], window) for row, window in enumerate(parts)
        ]

    def answers(
        self, examples: list[Question], sequences: Sequences, kept: list[Found]
    ) -> list[str]:
        """The best over all windows of a question; the first of equal ones."""
        best: list[Found | None] = [None] * len(examples)
        for owner, found in zip(sequences.owners, kept, strict=True):
            so_far = best[owner]
            if so_far is None or found.score > so_far.score:
                best[owner] = found
        return [
            "" if found is None else example.context[found.begin : found.end]
            for example, found in zip(examples, best, strict=True)
        ]

    def _add_windows(
        self,
        found: Sequences,
        owner: int,
        question: list[int],
        context: "_Context",
        answer: tuple[int, int] | None,
    ) -> None:
        place = len(question) + 3
        room = max(1, self.longest - place - 1)
        count = len(context.ids)
        held = False
        for first in _firsts(count, room, min(self.stride, room)):
            last = min(first + room, count)
            found.tokens.append([BOS, *question, EOS, EOS, *context.ids[first:last], EOS])
            target = (0, 0)
            if answer is not None and first <= answer[0] and answer[1] < last:
                target = (place + answer[0] - first, place + answer[1] - first)
                held = True
            found.targets.append(target)
            found.owners.append(owner)
            begins, ends = context.begins[first:last], context.ends[first:last]
            found.parts.append(Window(place=place, begins=begins, ends=ends))
        found.counts["answers in no window"] += answer is not None and not held

    def _count(
        self, found: Sequences, example: Question, context: "_Context", answer: tuple[int, int]
    ) -> None:
        first, last = answer
        text = example.context[context.begins[first] : context.ends[last]]
        inexact = text != example.answers[0][0].strip()
        found.counts["answers that end within a piece"] += inexact
        found.counts["answers beyond max_answer"] += last - first >= self.max_answer

    def _best(self, starts_T: np.ndarray, ends_T: np.ndarray, window: Window) -> Found:
        count = len(window.begins)
        inside = slice(window.place, window.place + count)
        solid = window.ends > window.begins
        starts = np.where(solid, starts_T[inside], -np.inf)
        ends = np.where(solid, ends_T[inside], -np.inf)
        best = (-np.inf, 0, 0)
        for length in range(min(self.max_answer, count)):
            sums = starts[: count - length] + ends[length:]
            first = int(sums.argmax())
            if sums[first] > best[0]:
                best = (float(sums[first]), first, first + length)
        score, first, last = best
        if score == -np.inf:
            return Found(score=score, begin=0, end=0)
        return Found(score=score, begin=int(window.begins[first]), end=int(window.ends[last]))


def _firsts(count: int, room: int, step: int) -> list[int]:
    """Where windows of `room` pieces begin, the last one being the first that reaches the end."""
    beyond = max(0, count - room)
    return [index * step for index in range(-(-beyond // step) + 1)]


@dataclass(kw_only=True)
class _Context:
    """A context's ids, and the part of its text that each of them covers."""

    ids: list[int]
    begins: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, text: str, tokenizer: Tokenizer) -> "_Context":
        covered = np.array(tokenizer.cover(text), np.int64).reshape(-1, 3)
        return cls(ids=covered[:, 0].tolist(), begins=covered[:, 1], ends=covered[:, 2])

    def answer(self, text: str, start: int) -> tuple[int, int] | None:
        """The first and the last piece of an answer; None if no piece covers any of it.

        So it is where `start` is negative: the text does not stand in the context.
        """
        if start < 0:
            return None
        lead = len(text) - len(text.lstrip())
        begin, end = start + lead, start + len(text.rstrip())
        touched = (self.begins < end) & (self.ends > begin) & (self.ends > self.begins)
        (places,) = np.nonzero(touched)
        return (int(places[0]), int(places[-1])) if len(places) else None
