"""Stage `evaluation`: held-out bits per byte of each language, beside its unigram's.

Bits per byte are pseudo-log-likelihoods (Salazar et al. 2020) of spans: all tokens of a span are
masked together, the spans of a sequence are spread over `passes` passes, every span is masked
once, and -log2 p of its tokens is summed and divided by the UTF-8 bytes of all spans. White space
is not counted. <unk> is not predicted; it costs 8 bits for each byte that it stands for.

Pseudo-perplexity, where it is asked for, is the same paper's own number: e to the mean of -ln p of
all pieces, each masked alone. It depends on how a tokenizer cuts text; bits per byte do not.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.context import Context
from model.encoder.description import read_description, seen
from model.encoder.encoder import MaskedLanguageModel, language_rows
from model.encoder.files import read_language_model
from model.errors import InputError
from model.stages import EvaluationStage
from model.tasks.spans import BITS_PER_BYTE, Span, limited, sequences, spans_of_line
from model.tasks.unigram import best_bits, piece_counts
from model.text import tokenizer as tokenizers
from model.text.held_out import read_held_out
from model.text.tokenizer import BOS, EOS, PAD, UNK, Tokenizer
from model.training.engine import prepare

_BATCH_TOKENS = 8192
_LOGITS_AT_ONCE = 1 << 24
"""Scores that are held at once: rows of the vocabulary times masked places."""


def run(config: EvaluationStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes scores.json. Raises InputError for a language without held-out text."""
    prepare(context.device, context.threads)
    tokenizer = tokenizers.load(inputs["tokenizer"])
    trained = inputs["pretraining"]
    model = read_language_model(trained, config.milestone).to(context.device).eval()
    exposure = json.loads((trained / "exposure.json").read_text(encoding="utf-8"))
    description = read_description(trained)
    longest = description.sequence_length - 2
    rows: list[dict[str, Any]] = []
    languages = sorted(config.languages)
    table = {language: description.language_row(language) for language in languages}
    for done, language in enumerate(languages):
        context.progress(done, len(languages))
        limits = config.evaluation
        units = read_held_out(inputs[f"corpus/{language}"])
        documents = limited_text(units, limits.span, limits.max_bytes)
        text = ScoredText.cut(documents, tokenizer, limits.span, longest)
        if text.bytes == 0:
            raise InputError(
                f"evaluation: expected held-out text of {language!r} within evaluation.max_bytes "
                f"({limits.max_bytes}), found none. Raise it or corpus.held_out.max_bytes."
            )
        bits = model_bits(model, text.sequences, tokenizer.mask, limits.passes, table[language])
        unigram, _ = best_bits(piece_counts(inputs[f"shards/{language}"]), text.known_tokens)
        values = {
            "bits_per_byte": (bits + text.unknown_bits) / text.bytes,
            "unigram_bits_per_byte": (unigram + text.unknown_bits) / text.bytes,
            "coverage": 1 - text.unknown_characters / text.characters,
        }
        shared = {"task": "likelihood", "language": language, "n": text.bytes}
        shared["seen"] = seen(exposure, language)
        rows += [{**shared, "metric": name, "value": value} for name, value in values.items()]
        if limits.pseudo_perplexity_bytes:
            part = limited_text(units, limits.span, limits.pseudo_perplexity_bytes)
            cut = ScoredText.cut(part, tokenizer, limits.span, longest)
            value = pseudo_perplexity(model, cut.sequences, tokenizer.mask, table[language])
            shared["n"] = len(cut.known_tokens)
            rows.append({**shared, "metric": "pseudo_perplexity", "value": value})
    context.progress(len(languages), len(languages))
    scores = json.dumps(rows, sort_keys=True, indent=1, ensure_ascii=False)
    (output / "scores.json").write_text(scores + "\n", encoding="utf-8")


def limited_text(units: list[list[str]], span: int, most_bytes: int) -> list[list[str]]:
    """The first held-out units up to `most_bytes` bytes of spans, the same for every tokenizer.

    They come in the order of their hashes, so that a small part still covers the whole source.
    """
    taken: list[list[str]] = []
    left = most_bytes
    for lines in units:
        part, used = limited(lines, span, left)
        left -= used
        if used:
            taken.append(part)
        if part != lines:
            break
    return taken


@dataclass(kw_only=True)
class ScoredText:
    """Held-out text of one language, cut into sequences of spans."""

    sequences: list[list[Span]]
    bytes: int
    characters: int
    unknown_bits: float
    unknown_characters: int
    known_tokens: list[int]

    @classmethod
    def cut(
        cls, documents: list[list[str]], tokenizer: Tokenizer, span: int, longest: int
    ) -> "ScoredText":
        cut: list[list[Span]] = []
        for lines in documents:
            spans = [part for line in lines for part in spans_of_line(line, tokenizer, span)]
            cut += sequences(spans, longest)
        spans = [part for sequence in cut for part in sequence]
        return cls(
            sequences=cut,
            bytes=sum(part.bytes for part in spans),
            characters=sum(len(part.text) for part in spans),
            unknown_bits=float(BITS_PER_BYTE * sum(part.unknown_bytes for part in spans)),
            unknown_characters=sum(part.unknown_characters for part in spans),
            known_tokens=[i for part in spans for i in part.tokens if i != UNK],
        )


@torch.no_grad()
def model_bits(
    model: MaskedLanguageModel,
    text: list[list[Span]],
    mask: int,
    passes: int,
    language: int | None = None,
) -> float:
    """Summed -log2 p of all tokens but <unk>; each span is masked once, whole, over the passes.

    language: the text's row of the language table, for a model that has one.
    """
    bits = 0.0
    device = model.lm_head.bias.device
    for tokens, keep, positions, targets in _masked_batches(text, mask, passes):
        keep = None if keep is None else keep.to(device)
        hidden = model.encoder(tokens.to(device), keep, language_rows(language, tokens, device))
        hidden = hidden.flatten(0, 1)[positions.to(device)]
        table = model.encoder.embeddings.word_embeddings.weight
        places = max(1, _LOGITS_AT_ONCE // len(table))
        for part, wanted in zip(hidden.split(places), targets.split(places), strict=True):
            scores = model.lm_head(part, table).float()
            chosen = scores.gather(1, wanted.to(device)[:, None])[:, 0]
            nats = torch.logsumexp(scores, 1) - chosen
            bits += float(nats.double().sum()) / math.log(2)
    return bits


def pseudo_perplexity(
    model: MaskedLanguageModel, text: list[list[Span]], mask: int, language: int | None = None
) -> float:
    """e to the mean of -ln p of all pieces but <unk>, each masked alone (Salazar et al. 2020)."""
    alone = [
        [replace(span, tokens=[token]) for span in sequence for token in span.tokens]
        for sequence in text
    ]
    known = sum(token != UNK for sequence in text for span in sequence for token in span.tokens)
    if not known:
        raise InputError(
            "evaluation.pseudo_perplexity_bytes: expected held-out text with known pieces within "
            "it, found none. Raise it"
        )
    passes = max(map(len, alone))  # in each pass one piece of a sequence is masked
    return 2 ** (model_bits(model, alone, mask, passes, language) / known)


Masked = tuple[Tensor, Tensor | None, Tensor, Tensor]
"""Tokens [B, T]; True at real ones (None without padding); flat places [N]; targets [N]."""


def _masked_batches(text: list[list[Span]], mask: int, passes: int) -> Iterator[Masked]:
    """Batches of sequences of like length, in each of which a share of the spans is masked."""
    masked = [
        (turn, sequence)
        for sequence in text
        for turn in range(min(passes, len(sequence)))
        if any(token != UNK for span in sequence[turn::passes] for token in span.tokens)
    ]
    masked.sort(key=lambda pair: sum(len(span.tokens) for span in pair[1]))
    start = 0
    while start < len(masked):
        end = start + 1
        while end < len(masked) and (end + 1 - start) * _length(masked[end][1]) <= _BATCH_TOKENS:
            end += 1
        yield _masked_batch(masked[start:end], mask, passes)
        start = end


def _length(sequence: list[Span]) -> int:
    return 2 + sum(len(span.tokens) for span in sequence)


def _masked_batch(batch: list[tuple[int, list[Span]]], mask: int, passes: int) -> Masked:
    width = max(_length(sequence) for _, sequence in batch)
    tokens = torch.full((len(batch), width), PAD)
    positions: list[int] = []
    targets: list[int] = []
    for row, (turn, sequence) in enumerate(batch):
        ids = [BOS]
        for index, span in enumerate(sequence):
            if index % passes != turn:
                ids += span.tokens
                continue
            for token in span.tokens:
                if token != UNK:
                    positions.append(row * width + len(ids))
                    targets.append(token)
                ids.append(mask)
        ids.append(EOS)
        tokens[row, : len(ids)] = torch.tensor(ids)
    keep = tokens != PAD
    return (
        tokens,
        None if bool(keep.all()) else keep,
        torch.tensor(positions),
        torch.tensor(targets),
    )
