"""Spans are the same for every tokenizer, every span is masked once, and sums are right."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.config import EncoderConfig, EvaluationConfig
from model.context import Context
from model.encoder.description import milestone_folder
from model.encoder.encoder import MaskedLanguageModel, build
from model.encoder.files import Description, write_model
from model.stages import EvaluationStage
from model.tasks import likelihood
from model.tasks.likelihood import ScoredText, limited_text, model_bits, pseudo_perplexity
from model.tasks.spans import cut, limited, sequences, spans_of_line
from model.tasks.unigram import DELTAS, best_bits, piece_counts
from model.text import tokenizer as tokenizers
from model.text.held_out import read_held_out
from model.text.tokenizer import BOS, EOS, UNK

TRICKY = [
    "Plain words, and a considerablylongwordwithoutspaces.",
    "  double  spaces\tand tabs ",
    "ﬁne ｈalf e\u0301 \ufdfa naïve",
    "漢字かな交じり文 mixed ไม่มีช่องว่าง",
    "zero\u200bwidth \u00a0 nbsp",
    "",
    "\u200b",
]


@given(st.text(max_size=60), st.integers(1, 9))
def test_spans_are_all_characters_but_white_space(line: str, longest: int) -> None:
    spans = cut(line, longest)
    assert "".join(line[a:b] for a, b in spans) == "".join(line.split())
    assert all(0 < b - a <= longest for a, b in spans)


@given(st.text(max_size=80))
def test_pieces_are_shared_out_whole_and_in_order(world, line: str) -> None:
    pieces = tokenizers.load(world.tokenizer)
    spans = spans_of_line(line, pieces, 4)
    if spans:
        assert [token for span in spans for token in span.tokens] == pieces.encode(line)


@pytest.mark.parametrize("line", TRICKY)
def test_scored_bytes_are_equal_for_all_tokenizers(world, line: str) -> None:
    expected = len("".join(line.split()).encode())
    for folder in (world.tokenizer, world.small_tokenizer):
        spans = spans_of_line(line, tokenizers.load(folder), 5)
        assert sum(span.bytes for span in spans) == expected


def test_a_piece_goes_with_the_span_in_which_it_begins(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    line = next(line for doc in read_held_out(world.corpora["en"]) for line in doc)
    spans = spans_of_line(line, pieces, 3)
    bounds = cut(line, 3)
    place = 0
    for span, (begin, end) in zip(spans, bounds, strict=True):
        for token in span.tokens:
            stands_for = pieces.decode([token])
            first = line.index(stands_for, place) if stands_for else place
            assert not stands_for or (first < end and first + len(stands_for) > begin)
            place = first + len(stands_for)


def test_unknown_characters_are_charged_by_their_bytes(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    spans = spans_of_line("a 漢字 b", pieces, 8)
    assert sum(span.unknown_bytes for span in spans) == 6
    assert sum(span.unknown_characters for span in spans) == 2
    text = ScoredText.cut([["a 漢字 b"]], pieces, 8, 14)
    assert text.unknown_bits == 48
    assert text.bytes == 8 and text.characters == 4
    assert UNK not in text.known_tokens


def test_limited_text_does_not_depend_on_the_tokenizer_and_keeps_within_the_limit() -> None:
    lines = ["aa bbbb cc", "dddd ee"]
    assert limited(lines, 2, 100) == (lines, 14)
    assert limited(lines, 2, 9) == (["aa bbbb cc"], 8)
    assert limited(lines, 2, 5) == (["aa bb"], 4)
    assert limited(lines, 2, 1) == ([], 0)


def test_sequences_hold_whole_spans_and_no_more_than_their_length(world) -> None:
    pieces = tokenizers.load(world.small_tokenizer)
    line = " ".join(TRICKY)
    spans = spans_of_line(line, pieces, 4)
    flat = [token for span in spans for token in span.tokens]
    parts = sequences(spans, 6)
    assert all(sum(len(span.tokens) for span in part) <= 6 for part in parts)
    assert [token for part in parts for span in part for token in span.tokens] == flat


def trained(rows: int) -> MaskedLanguageModel:
    config = EncoderConfig(layers=1, width=16, heads=2, max_positions=24, init_std=0.5)
    return build(config, rows, 1).eval()


@torch.no_grad()
def slow_bits(model: MaskedLanguageModel, text: ScoredText, mask: int, passes: int) -> float:
    """One span at a time is looked at, its pass is masked by hand, nothing is batched."""
    bits = 0.0
    for sequence in text.sequences:
        for wanted in range(len(sequence)):
            ids, places = [BOS], []
            for index, span in enumerate(sequence):
                for token in span.tokens:
                    if index == wanted and token != UNK:
                        places.append((len(ids), token))
                    ids.append(mask if index % passes == wanted % passes else token)
            ids.append(EOS)
            scores = model.logits(torch.tensor([ids]), torch.arange(len(ids)))
            log_p = scores.double().log_softmax(-1)
            bits -= sum(float(log_p[place, token]) for place, token in places) / math.log(2)
    return bits


@pytest.mark.parametrize("passes", [1, 3, 100])
def test_every_span_is_masked_whole_and_scored_once(world, passes: int) -> None:
    pieces = tokenizers.load(world.tokenizer)
    documents = [TRICKY, read_held_out(world.corpora["sw"])[0]]
    text = ScoredText.cut(documents, pieces, 6, 22)
    model = trained(pieces.rows)
    found = model_bits(model, text.sequences, pieces.mask, passes)
    assert found == pytest.approx(slow_bits(model, text, pieces.mask, passes), rel=1e-5)


@torch.no_grad()
def test_pseudo_perplexity_masks_each_piece_alone(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    text = ScoredText.cut([TRICKY, read_held_out(world.corpora["sw"])[0]], pieces, 6, 22)
    model = trained(pieces.rows)
    nats = []
    for sequence in text.sequences:
        ids = [BOS, *(token for span in sequence for token in span.tokens), EOS]
        for place, token in enumerate(ids[1:-1], 1):
            if token != UNK:
                masked = torch.tensor([[*ids[:place], pieces.mask, *ids[place + 1 :]]])
                scores = model.logits(masked, torch.tensor([place]))
                nats.append(-float(scores.double().log_softmax(-1)[0, token]))
    found = pseudo_perplexity(model, text.sequences, pieces.mask)
    assert found == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-5)


def test_unigram_is_the_best_smoothing_of_the_shards_counts(world) -> None:
    shards = world.shards["sw"]
    rows = json.loads((shards / "shards.json").read_text())["rows"]
    stream = np.fromfile(shards / "tokens.bin", "<u2").tolist()
    counter = Counter(token for token in stream if token >= 4)
    pieces = tokenizers.load(world.tokenizer)
    text = ScoredText.cut([read_held_out(world.corpora["sw"])[0]], pieces, 8, 62)
    total = sum(counter.values())
    by_hand = {
        delta: -sum(
            math.log2((counter[token] + delta) / (total + delta * (rows - 5)))
            for token in text.known_tokens
        )
        for delta in DELTAS
    }
    bits, delta = best_bits(piece_counts(shards), text.known_tokens)
    assert bits == pytest.approx(min(by_hand.values()))
    assert by_hand[delta] == min(by_hand.values())


def test_held_out_text_is_a_pure_choice_within_its_budget(world) -> None:
    units = read_held_out(world.corpora["en"])
    whole = limited_text(units, 8, 10**9)
    assert sorted(whole) == sorted(units)
    some = limited_text(units, 8, 500)
    size = sum(len("".join(line.split()).encode()) for lines in some for line in lines)
    assert 400 < size <= 500
    assert some[0][0] == whole[0][0]


def test_the_stage_writes_a_row_for_each_metric_and_language(world, tmp_path: Path) -> None:
    rows = tokenizers.load(world.tokenizer).rows
    model = trained(rows)
    pretrained, output = tmp_path / "pretrained", tmp_path / "output"
    pretrained.mkdir()
    output.mkdir()
    description = Description(encoder=model.encoder.config, rows=rows, sequence_length=24)
    write_model(pretrained, model.named_parameters(), description)
    exposure = {"languages": {"en": {"sequences": 5}}}
    (pretrained / "exposure.json").write_text(json.dumps(exposure))
    inputs = {"pretraining": pretrained, "tokenizer": world.tokenizer}
    for code in ("en", "sw"):
        inputs |= {f"corpus/{code}": world.corpora[code], f"shards/{code}": world.shards[code]}
    limits = EvaluationConfig(max_bytes=600, pseudo_perplexity_bytes=100)
    stage = EvaluationStage(languages=["sw", "en"], evaluation=limits)
    likelihood.run(stage, inputs, output, Context(work=tmp_path))
    scores = json.loads((output / "scores.json").read_text())
    perplexities = [row for row in scores if row["metric"] == "pseudo_perplexity"]
    assert all(row["value"] > 1 and row["n"] < 100 for row in perplexities)
    scores = [row for row in scores if row not in perplexities]
    found = {(row["language"], row["metric"]): row for row in scores}
    assert len(found) == len(scores) == 6
    assert all(500 < row["n"] <= 600 for row in scores)
    assert found["en", "coverage"]["seen"] and not found["sw", "coverage"]["seen"]
    for code in ("en", "sw"):
        assert found[code, "bits_per_byte"]["value"] > found[code, "unigram_bits_per_byte"]["value"]
        assert 0.9 < found[code, "coverage"]["value"] <= 1


def test_a_milestone_is_scored_by_its_own_weights(world, tmp_path: Path) -> None:
    rows = tokenizers.load(world.tokenizer).rows
    models = {None: trained(rows), 10: build(trained(rows).encoder.config, rows, 2).eval()}
    pretrained = tmp_path / "pretrained"
    description = Description(encoder=models[10].encoder.config, rows=rows, sequence_length=24)
    for step, model in models.items():
        folder = pretrained if step is None else milestone_folder(pretrained, step)
        folder.mkdir(parents=True)
        write_model(folder, model.named_parameters(), description)
    (pretrained / "exposure.json").write_text(json.dumps({"languages": {}}))
    inputs = {"pretraining": pretrained, "tokenizer": world.tokenizer}
    inputs |= {"corpus/sw": world.corpora["sw"], "shards/sw": world.shards["sw"]}
    limits = EvaluationConfig(max_bytes=300)
    found = {}
    for step in models:
        output = tmp_path / f"output-{step}"
        output.mkdir()
        stage = EvaluationStage(languages=["sw"], evaluation=limits, milestone=step)
        likelihood.run(stage, inputs, output, Context(work=tmp_path))
        scores = json.loads((output / "scores.json").read_text())
        found[step] = next(row["value"] for row in scores if row["metric"] == "bits_per_byte")
    pieces = tokenizers.load(world.tokenizer)
    documents = limited_text(read_held_out(world.corpora["sw"]), limits.span, limits.max_bytes)
    text = ScoredText.cut(documents, pieces, limits.span, 22)
    for step, model in models.items():
        bits = model_bits(model, text.sequences, pieces.mask, limits.passes) + text.unknown_bits
        assert found[step] == pytest.approx(bits / text.bytes)
    assert found[None] != found[10]
