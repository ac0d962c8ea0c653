"""Bits per byte, computed once more by other programs from what a run left on the disk.

Nothing of `model` takes part in it: text is cut by a loop, pieces come from SentencePiece, scores
from transformers, all of one cell of the kept store (tests/golden/store.tar.xz). The store's own
number and that of the stage as it is today have to be equal to it.
"""

import csv
import json
import math
from pathlib import Path

import polars
import pytest
import sentencepiece

from grid.typed import recorded
from model.context import Context
from model.tasks import likelihood
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


@pytest.fixture(scope="module")
def independent(folder: Path) -> dict[str, tuple[float, int]]:
    """Bits per byte and bytes of each language."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder / "model").eval()
    pieces = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "model" / "sentencepiece.bpe.model")
    )
    mask = pieces.get_piece_size() + 1
    found = {}
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
        found[language] = bits / size, size
    return found


def cell_of(folder: Path) -> tuple[list[dict[str, str]], str]:
    rows = list(csv.DictReader((folder / "every.csv").open()))
    return rows, rows[0]["cell"]


def test_what_was_written_then(folder: Path, independent: dict[str, tuple[float, int]]) -> None:
    rows, cell = cell_of(folder)
    for language, (value, size) in independent.items():
        (told,) = (
            row
            for row in rows
            if (row["cell"], row["metric"], row["language"]) == (cell, "bits_per_byte", language)
            and not row["milestone"]
        )
        assert size == int(told["n"])
        assert value == pytest.approx(float(told["value"]), rel=1e-5)


def test_what_is_computed_now(
    folder: Path, independent: dict[str, tuple[float, int]], tmp_path: Path
) -> None:
    """The stage as it is, on the model, the tokenizer and the text of the kept store."""
    _, cell = cell_of(folder)
    artifacts = folder / "runs" / "artifacts"
    (name,) = (folder / "runs" / "studies" / "every").glob("*/artifacts.parquet")
    own = polars.read_parquet(name).filter(cell=cell, role="evaluation")
    (place,) = (artifacts / "evaluation").glob(f"*/{own['key'].item()}")
    written = json.loads((place / "config.json").read_text(encoding="utf-8"))
    config = recorded(written)
    if config is None:
        pytest.skip("this version gives an evaluation other settings")
    inputs = {}
    for role, (stage, key) in written["inputs"].items():
        (inputs[role],) = (artifacts / stage).glob(f"*/{key}")
    likelihood.run(config, inputs, tmp_path, Context(work=tmp_path))
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    found = {
        row["language"]: (row["value"], row["n"])
        for row in scores
        if row["metric"] == "bits_per_byte"
    }
    assert found.keys() == independent.keys()
    for language, (value, size) in independent.items():
        assert found[language] == (pytest.approx(value, rel=1e-5), size)
