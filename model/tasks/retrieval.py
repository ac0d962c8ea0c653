"""Stage `retrieval`: finds each sentence's translation by the cosine of two vectors; no training.

A sentence's vector is the mean of one layer's states over its pieces (neither <s> nor </s>). The
layer is named, or it is the one above the middle as published for XTREME (Hu et al. 2020, Section
3.3): 7 of 12, 13 of 24. Both rules look at no pair, so all pairs are tested. Each sentence is
sought among all of the other side: accuracy at 1, in both directions.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars
import torch
from torch import Tensor
from torch.nn import functional

from model.checks import within
from model.context import Context
from model.encoder.description import read_description, seen
from model.encoder.encoder import Encoder, language_rows
from model.encoder.files import read_encoder
from model.stages import RetrievalStage
from model.tasks import metrics
from model.tasks.catalogue import TASKS
from model.tasks.data import location
from model.tasks.examples import Parallel, read
from model.tasks.task_batches import PREDICTED_TOKENS, by_length, padded
from model.text import tokenizer as tokenizers
from model.text.tokenizer import BOS, EOS, Tokenizer
from model.training.engine import prepare

TO, FROM = "to_pivot", "from_pivot"
"""Directions: a sentence is sought in the pivot language; one of the pivot in the other one."""
_AT_ONCE = 1 << 22
"""Cosines that are held at once, 16 MiB: rows of one side times all of the other."""


def run(config: RetrievalStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes scores.json and predictions.parquet (language, direction, index, gold, predicted)."""
    prepare(context.device, context.threads)
    tokenizer = tokenizers.load(inputs["tokenizer"])
    trained = inputs["pretraining"]
    description = read_description(trained)
    encoder = read_encoder(trained, config.milestone).to(context.device).eval()
    vectors = Vectors(encoder, tokenizer, config.max_length, layer_of(encoder, config.layer))
    exposure = json.loads((trained / "exposure.json").read_text(encoding="utf-8"))
    languages = [config.pivot, *config.languages]
    row = {language: description.language_row(language) for language in languages}
    scores: list[dict[str, Any]] = []
    frames = []
    for done, language in enumerate(config.languages):
        context.progress(done, len(config.languages))
        pairs = _read(config, inputs["task"], language, context)
        first = vectors.of([pair.first for pair in pairs], row[language])
        second = vectors.of([pair.second for pair in pairs], row[config.pivot])
        found = dict(zip((TO, FROM), nearest(first, second), strict=True))
        shared = {"task": config.task, "language": language, "n": len(pairs), "split": "test"}
        shared["seen"] = seen(exposure, language)
        values = _values(config.task, language, pairs, found)
        scores += [{**shared, "metric": name, "value": values[name]} for name in values]
        frames += [_frame(language, direction, found[direction]) for direction in found]
    context.progress(len(config.languages), len(config.languages))
    text = json.dumps(scores, sort_keys=True, indent=1, ensure_ascii=False)
    (output / "scores.json").write_text(text + "\n", encoding="utf-8")
    polars.concat(frames).write_parquet(output / "predictions.parquet")


def layer_of(encoder: Encoder, asked: int | None) -> int:
    """The layer whose states are compared; 0 are the embeddings."""
    layers = encoder.config.layers
    return min(layers, layers // 2 + 1) if asked is None else asked


class Vectors:
    """Sentences as vectors of length 1."""

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, longest: int, layer: int) -> None:
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._longest = longest
        self._layer = layer

    @torch.no_grad()
    def of(self, sentences: list[str], language: int | None) -> Tensor:
        """[N, H] in fp32, on the CPU. language: their row of the model's language table."""
        pieces = self._tokenizer.encode_batch(sentences)
        tokens = [[BOS, *found[: self._longest - 2], EOS] for found in pieces]
        result = torch.empty(len(tokens), self._encoder.config.width)
        device = self._encoder.embeddings.word_embeddings.weight.device
        for chosen in by_length([len(each) for each in tokens], PREDICTED_TOKENS[device.type]):
            tokens_BT, keep_BT = padded([tokens[index] for index in chosen])
            rows = language_rows(language, tokens_BT, device)
            keep = None if keep_BT is None else keep_BT.to(device)
            states_BTH = self._states(tokens_BT.to(device), keep, rows)
            places = torch.tensor([len(tokens[index]) for index in chosen], device=device)
            at = torch.arange(states_BTH.shape[1], device=device)
            inner_BT = (at > 0) & (at < places[:, None] - 1)
            sums_BH = (states_BTH * inner_BT[..., None]).sum(1)
            result[chosen] = functional.normalize(sums_BH, dim=1).cpu()
        return result

    def _states(self, tokens_BT: Tensor, keep_BT: Tensor | None, rows: Tensor | None) -> Tensor:
        encoder = self._encoder
        if self._layer == encoder.config.layers:
            return encoder(tokens_BT, keep_BT, rows)
        hidden_BTH = encoder.embeddings(tokens_BT, keep_BT, rows)
        for layer in encoder.layer[: self._layer]:
            hidden_BTH = layer(hidden_BTH, keep_BT)
        return hidden_BTH


def nearest(first_NH: Tensor, second_MH: Tensor) -> tuple[list[int], list[int]]:
    """For each row of either side, the row of the other with the highest product (the first such).

    All N x M products are looked at, but only a block of them is ever held.
    """
    rows = max(1, _AT_ONCE // len(second_MH))
    there: list[int] = []
    best = torch.full((len(second_MH),), -torch.inf)
    back = torch.zeros(len(second_MH), dtype=torch.long)
    for start in range(0, len(first_NH), rows):
        products = first_NH[start : start + rows] @ second_MH.T
        there += products.argmax(1).tolist()
        highest, row = products.max(0)
        better = highest > best
        best = torch.where(better, highest, best)
        back = torch.where(better, row + start, back)
    return there, back.tolist()


def _values(
    task: str, language: str, pairs: list[Parallel], found: dict[str, list[int]]
) -> dict[str, float]:
    """Accuracy at 1 of both directions, their mean, and what guessing comes to."""
    places = list(map(str, range(len(pairs))))
    values = {
        f"accuracy_{direction}": metrics.accuracy(places, list(map(str, answers)))
        for direction, answers in found.items()
    }
    guessed = metrics.baseline(TASKS[task], language, [], pairs)
    return {
        "accuracy": sum(values.values()) / len(values),
        **values,
        **{f"majority_{name}": value for name, value in guessed.items()},
    }


def _read(config: RetrievalStage, task: Path, language: str, context: Context) -> list[Parallel]:
    parts = json.loads((task / "task.json").read_text(encoding="utf-8"))["parts"]
    root = location(config.source, context)
    aligned = parts.get("aligned", {}).get(language)
    return read(
        config.task,
        within(root, parts["test"][language]),
        language=language,
        most=config.most,
        aligned=None if aligned is None else within(root, aligned),
    )


def _frame(language: str, direction: str, found: Sequence[int]) -> polars.DataFrame:
    places = [str(place) for place in range(len(found))]
    return polars.DataFrame(
        {
            "split": ["test"] * len(found),
            "language": [language] * len(found),
            "direction": [direction] * len(found),
            "index": list(range(len(found))),
            "gold": places,
            "predicted": [str(place) for place in found],
        }
    )
