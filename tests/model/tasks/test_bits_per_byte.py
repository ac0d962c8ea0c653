"""Bits per byte, computed once more by other programs from what a run left on the disk.

Nothing of `model` is imported: text is cut by a loop, pieces come from SentencePiece, scores from
transformers, all of one cell of the kept store (tests/golden/store.tar.xz).
"""

import csv
import json
import math
from pathlib import Path

import pytest
import sentencepiece

from tests.grid.golden_store import unpack

SPAN, MOST_BYTES, PASSES, ROOM = 8, 300, 2, 14
"""The cell's evaluation, and the tokens of its sequences without <s> and </s>."""
BOS, EOS, MASK = 0, 2, -1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("golden")
    unpack(place)
    return place


def held_out(folder: Path, language: str) -> list[list[str]]:
    """The first 300 bytes that are no white space, in units of lines of words."""
    (file,) = (folder / "runs" / "artifacts" / "corpus").glob(f"*/{language}-*/held_out.jsonl")
    left, units = MOST_BYTES, []
    for unit in file.read_text(encoding="utf-8").splitlines():
        lines = []
        for line in json.loads(unit):
            words = []
            for word in line.split():
                parts = [word[at : at + SPAN] for at in range(0, len(word), SPAN)]
                kept = [part for part in parts if (left := left - len(part.encode())) >= 0]
                words += ["".join(kept)] if kept else []
                if len(kept) < len(parts):
                    return [*units, [*lines, " ".join(words)]]
            lines.append(" ".join(words))
        units.append(lines)
    return units


def spans(line: str, pieces: sentencepiece.SentencePieceProcessor) -> list[list[int]]:
    """The ids of each span of a line; all of it is ASCII, one character a place."""
    ends, groups = [], []
    place = 0
    for word in line.split():
        place = line.index(word, place)
        ends += [place + min(at + SPAN, len(word)) for at in range(0, len(word), SPAN)]
        place += len(word)
    groups = [[] for _ in ends]
    for piece in pieces.encode(line, return_type="proto").pieces:
        begin = piece.begin + len(piece.surface) - len(piece.surface.lstrip())
        span = next((i for i, end in enumerate(ends) if begin < end), len(ends) - 1)
        groups[span].append(piece.id + 1)
    return groups


def test_two_programs_agree(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder / "model").eval()
    pieces = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "model" / "sentencepiece.bpe.model")
    )
    mask = pieces.get_piece_size() + 1
    rows = list(csv.DictReader((folder / "every.csv").open()))
    cell = rows[0]["cell"]
    for language in ("en", "sw"):
        bits, size = 0.0, 0
        for unit in held_out(folder, language):
            assert all(line.isascii() for line in unit)
            size += sum(len(line.replace(" ", "")) for line in unit)
            sequences: list[list[list[int]]] = [[]]
            for span in (span for line in unit for span in spans(line, pieces)):
                if sum(map(len, sequences[-1])) + len(span) > ROOM:
                    sequences.append([])
                sequences[-1].append(span)
            for sequence in sequences:
                for turn in range(min(PASSES, len(sequence))):
                    ids, wanted = [BOS], {}
                    for index, span in enumerate(sequence):
                        for id in span:
                            if index % PASSES == turn:
                                wanted[len(ids)] = id
                            ids.append(mask if index % PASSES == turn else id)
                    with torch.no_grad():
                        scores = model(torch.tensor([[*ids, EOS]])).logits[0].double()
                    log_p = scores.log_softmax(-1)
                    bits -= sum(float(log_p[at, id]) for at, id in wanted.items()) / math.log(2)
        (told,) = (
            row
            for row in rows
            if (row["cell"], row["metric"], row["language"]) == (cell, "bits_per_byte", language)
            and not row["milestone"]
        )
        assert size == int(told["n"])
        assert bits / size == pytest.approx(float(told["value"]), rel=1e-5)
