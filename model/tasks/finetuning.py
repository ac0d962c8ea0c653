"""Stage `finetuning`: trains a classifier in one language, tests it in all (zero-shot transfer)."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import PretrainingConfig
from model.context import Context
from model.encoder.description import read_description, seen
from model.encoder.encoder import Encoder, derived_seed, initialise, language_rows
from model.encoder.files import read_encoder
from model.encoder.heads import ClassificationHead
from model.errors import InputError, Stopped
from model.stages import FinetuningStage
from model.tasks.xnli import LABELS, Example, read_test, read_train
from model.text import tokenizer as tokenizers
from model.text.tokenizer import BOS, EOS, PAD, Tokenizer
from model.training import checkpoint
from model.training.divergence import LossWatch
from model.training.engine import Engine, prepare
from model.training.moments import Moments
from model.training.schedule import learning_rate

ADVICE = "Try a lower tasks.*.learning_rate, a longer tasks.*.warmup, or fp32."
_POOL = 50
"""Batches that are sorted by length together: padding costs more time than order gives."""
_TEST_BATCH = 128


class Classifier(nn.Module):
    """The encoder with a classification head on <s>."""

    def __init__(self, encoder: Encoder, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = ClassificationHead(encoder.config.width, classes, encoder.config.dropout)

    def logits(
        self, tokens_BT: Tensor, keep_BT: Tensor, languages_B: Tensor | None = None
    ) -> Tensor:
        """Scores [B, classes]."""
        return self.head(self.encoder(tokens_BT, keep_BT, languages_B))

    def forward(
        self,
        tokens_BT: Tensor,
        keep_BT: Tensor,
        labels_B: Tensor,
        languages_B: Tensor | None = None,
    ) -> Tensor:
        """Mean cross-entropy in nats."""
        scores_BC = self.logits(tokens_BT, keep_BT, languages_B).float()
        return functional.cross_entropy(scores_BC, labels_B)


@dataclass(kw_only=True)
class Encoded:
    """Examples as ids, <s> premise </s></s> hypothesis </s>, with their labels."""

    tokens: list[list[int]]
    labels: list[int]


def run(config: FinetuningStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes scores.json and predictions.parquet (language, index, gold, predicted)."""
    prepare(context.device, context.threads)
    task = config.config
    tokenizer = tokenizers.load(inputs["tokenizer"])
    train_file, test_file = _files(inputs["task"], task.train_language, context)
    train = encode(read_train(train_file, task.train_examples), tokenizer, task.max_length)
    tests = read_test(test_file, sorted(config.languages), task.test_examples)
    if not tests:
        raise InputError(
            f"{test_file}: expected examples in one of {', '.join(sorted(config.languages))}, "
            "found none"
        )
    description = read_description(inputs["pretraining"])
    rows = {code: description.language_row(code) for code in (*tests, task.train_language)}
    model = Classifier(read_encoder(inputs["pretraining"]), len(LABELS))
    initialise(model.head, model.encoder.config, derived_seed("head", config.seed))
    weights = _train(config, model, train, rows[task.train_language], context)
    model = model.float().to(context.device)
    model.load_state_dict(weights)
    model.eval()
    exposure = json.loads((inputs["pretraining"] / "exposure.json").read_text(encoding="utf-8"))
    scores: list[dict[str, Any]] = []
    frames = []
    for language, examples in tests.items():
        encoded = encode(examples, tokenizer, task.max_length)
        predicted = predict(model, encoded.tokens, context.device, rows[language])
        known = seen(exposure, language)
        scores += score(config.task, language, encoded.labels, predicted, known)
        frames.append(_frame(language, encoded.labels, predicted))
    text = json.dumps(scores, sort_keys=True, indent=1, ensure_ascii=False)
    (output / "scores.json").write_text(text + "\n", encoding="utf-8")
    polars.concat(frames).write_parquet(output / "predictions.parquet")


def encode(examples: list[Example], tokenizer: Tokenizer, longest: int) -> Encoded:
    """Pairs as ids, at most `longest` of them: the longer sentence is cut first."""
    first = tokenizer.encode_batch([example.premise for example in examples])
    second = tokenizer.encode_batch([example.hypothesis for example in examples])
    tokens = []
    for a, b in zip(first, second, strict=True):
        room = max(2, longest - 4)
        if len(a) + len(b) > room:
            shorter = min(len(a), len(b), (room + 1) // 2)
            kept = room - shorter
            a, b = (a[:kept], b[:shorter]) if len(a) >= len(b) else (a[:shorter], b[:kept])
        tokens.append([BOS, *a, EOS, EOS, *b, EOS])
    return Encoded(tokens=tokens, labels=[example.label for example in examples])


def score(
    task: str, language: str, gold: Sequence[int], predicted: Sequence[int], seen: bool | None
) -> list[dict[str, Any]]:
    """Accuracy, and that of always answering the commonest label of this very test."""
    right = sum(a == b for a, b in zip(gold, predicted, strict=True))
    majority = max(Counter(gold).values())
    shared = {"task": task, "language": language, "n": len(gold), "seen": seen}
    return [
        {**shared, "metric": "accuracy", "value": right / len(gold)},
        {**shared, "metric": "majority_accuracy", "value": majority / len(gold)},
    ]


@torch.no_grad()
def predict(
    model: Classifier, tokens: list[list[int]], device: str, language: int | None = None
) -> list[int]:
    """The likeliest label of each pair; `language` is a row of the model's language table."""
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    predicted = [0] * len(tokens)
    for start in range(0, len(order), _TEST_BATCH):
        chosen = order[start : start + _TEST_BATCH]
        padded, keep = _padded([tokens[index] for index in chosen])
        languages = language_rows(language, padded, device)
        scores = model.logits(padded.to(device), keep.to(device), languages)
        for index, answer in zip(chosen, scores.argmax(-1).tolist(), strict=True):
            predicted[index] = answer
    return predicted


def batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of one epoch's batches: shuffled, sorted by length within pools, shuffled again."""
    generator = np.random.Philox(key=derived_seed("order", seed, epoch))
    order = _shuffled(len(lengths), generator)
    found: list[list[int]] = []
    for start in range(0, len(order), size * _POOL):
        pool = sorted(order[start : start + size * _POOL], key=lambda i: lengths[i])
        found += [pool[first : first + size] for first in range(0, len(pool), size)]
    return [found[index] for index in _shuffled(len(found), generator)]


def _shuffled(count: int, generator: np.random.Philox) -> list[int]:
    """0 to count - 1 in the order of raw words, which NumPy never changes; its shuffles it may."""
    return np.argsort(generator.random_raw(count), kind="stable").tolist()


def _train(
    config: FinetuningStage,
    model: Classifier,
    train: Encoded,
    language: int | None,
    context: Context,
) -> dict[str, Tensor]:
    """The fp32 weights after all epochs; goes on from a checkpoint where there is one.

    Raises DivergenceError, and Stopped if the context asks for it; both leave a checkpoint.
    """
    task = config.config
    recipe = PretrainingConfig(
        learning_rate=task.learning_rate,
        weight_decay=task.weight_decay,
        precision=task.precision,
    )
    each = -(-len(train.tokens) // task.batch_size)
    total = each * task.epochs
    watch = LossWatch(
        spike=context.spike, targets=task.batch_size, name="fine-tuning", advice=ADVICE
    )
    with Engine(model, recipe, context=context) as engine:
        state = checkpoint.restore(context.work, engine)
        start = 0
        if state is not None:
            start = state["step"]
            watch.load(state["watch"])
        moments = Moments(context)
        losses: list[Tensor] = []
        for step, chosen in _steps(config, train, start, each):
            torch.manual_seed(derived_seed("dropout", config.seed, step))
            rate = learning_rate(step, peak=task.learning_rate, warmup=task.warmup, total=total)
            padded, keep = _padded([train.tokens[index] for index in chosen])
            labels = torch.tensor([train.labels[index] for index in chosen])
            languages = language_rows(language, padded, "cpu")
            losses.append(engine.step([(padded, keep, labels, languages)], rate))
            done = step + 1
            due = moments.after_update(report=done == total)
            if not due.report:
                continue
            found = torch.stack(losses).tolist()
            for number, loss in enumerate(found, done - len(losses) + 1):
                watch.add(number, loss)
            losses.clear()
            context.progress(done, total, loss=found[-1])
            moments.reported()
            if done == total or not (due.save or due.stop):
                continue
            began = time.monotonic()
            if watch.sound:
                checkpoint.save(context.work, done, engine, {"watch": watch.state()})
                moments.saved(began)
            if due.stop:
                raise Stopped(f"stopped after update {done} of {total}")
        return dict(engine.weights())


def _steps(
    config: FinetuningStage, train: Encoded, start: int, each: int
) -> Iterator[tuple[int, list[int]]]:
    """Update numbers from `start` on, with the examples of each."""
    lengths = [len(tokens) for tokens in train.tokens]
    task = config.config
    for epoch in range(start // each, task.epochs):
        for number, chosen in enumerate(batches(lengths, task.batch_size, config.seed, epoch)):
            if epoch * each + number >= start:
                yield epoch * each + number, chosen


def _padded(sequences: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Tokens [B, T], padded at the end, and True at real ones."""
    tokens = torch.full((len(sequences), max(map(len, sequences))), PAD)
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence)] = torch.tensor(sequence)
    return tokens, tokens != PAD


def _files(task: Path, language: str, context: Context) -> tuple[Path, Path]:
    """The training and test file that the task artifact names."""
    facts = json.loads((task / "task.json").read_text(encoding="utf-8"))
    if facts["synthetic"]:
        root = task
    elif facts["source"] in context.locations:
        root = Path(context.locations[facts["source"]])
    else:
        raise InputError(
            f"locations.{facts['source']}: expected the folder of this task's files, found no "
            f"such location among {', '.join(sorted(context.locations)) or 'none'}"
        )
    return root / facts["train"].format(language=language), root / facts["test"]


def _frame(language: str, gold: Sequence[int], predicted: Sequence[int]) -> polars.DataFrame:
    return polars.DataFrame(
        {
            "language": [language] * len(gold),
            "index": list(range(len(gold))),
            "gold": [LABELS[label] for label in gold],
            "predicted": [LABELS[label] for label in predicted],
        },
        schema={
            "language": polars.String,
            "index": polars.Int64,
            "gold": polars.String,
            "predicted": polars.String,
        },
    )
