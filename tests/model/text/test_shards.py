"""The shards stage: the stream on disk is the training text, all of it and nothing else."""

import json

import numpy as np
import pytest

from model.errors import InputError
from model.text import shards, tokenizer
from model.text.shards import dtype_for


@pytest.fixture
def made(workshop, documents):
    """Corpus, tokenizer and shards of English."""
    text = documents("en", 300)
    for lines in text[::10]:
        lines[0] += " 日"
    workshop.write("en", text)
    corpus = workshop.corpus("en")
    pieces = workshop.tokenizer({"en": corpus}, vocab_size=400, character_coverage=0.99)
    return corpus, pieces, workshop.shards("en", corpus, pieces)


def test_stream_is_the_training_text(workshop, made, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, tokenizer_artifact, artifact = made
    pieces = tokenizer.load(tokenizer_artifact)
    found = workshop.open(corpus)
    expected: list[int] = []
    for document in found.train():
        for line in document:
            expected += pieces.encode(line)
        expected.append(tokenizer.EOS)
    stream = np.fromfile(artifact / "tokens.bin", "<u2").tolist()
    assert stream == expected
    info = json.loads((artifact / "shards.json").read_text("utf-8"))
    assert info == {
        "language": "en",
        "dtype": "uint16",
        "tokens": len(expected),
        "documents": found.info["train"]["documents"],
        "sentences": found.info["train"]["sentences"],
        "bytes": found.info["train"]["bytes"],
        "rows": 402,
        "unknown": expected.count(tokenizer.UNK),
    }
    assert info["unknown"] > 0, "the test must have unknown characters"
    monkeypatch.setattr(shards, "_BATCH_CHARACTERS", 500)
    again = workshop.shards("en", corpus, tokenizer_artifact)
    for name in ("tokens.bin", "shards.json"):
        assert (again / name).read_bytes() == (artifact / name).read_bytes()


def test_threads_do_not_change_the_stream(workshop, made, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, tokenizer_artifact, artifact = made
    monkeypatch.setattr(shards, "_BATCH_CHARACTERS", 500)
    workshop.context.threads = 3
    again = workshop.shards("en", corpus, tokenizer_artifact)
    for name in ("tokens.bin", "shards.json"):
        assert (again / name).read_bytes() == (artifact / name).read_bytes()


@pytest.mark.parametrize("threads", [1, 3])
def test_text_that_cannot_be_read_ends_the_stage(workshop, made, threads: int) -> None:
    corpus, tokenizer_artifact, _ = made
    path = workshop.text / "en.txt"
    content = path.read_bytes()
    path.write_bytes(content[:-5] + b"\xff" + content[-4:])
    workshop.context.threads = threads
    with pytest.raises(InputError, match="found the byte 0xff"):
        workshop.shards("en", corpus, tokenizer_artifact)


def test_no_held_out_line_is_in_the_stream(workshop, made) -> None:
    corpus, tokenizer_artifact, artifact = made
    pieces = tokenizer.load(tokenizer_artifact)
    stream = np.fromfile(artifact / "tokens.bin", "<u2")
    text = "\n".join(
        pieces.decode(part.tolist()) for part in np.split(stream, np.flatnonzero(stream == 2) + 1)
    )
    held = [line for unit in workshop.open(corpus).held_out for line in unit]
    clean = [line for line in held if tokenizer.UNK not in pieces.encode(line)]
    assert clean
    assert not any(pieces.normalize(line) in text for line in clean)


@pytest.mark.parametrize(
    ("rows", "name"), [(402, "uint16"), (65_536, "uint16"), (65_537, "uint32"), (250_002, "uint32")]
)
def test_smallest_type_that_holds_the_ids(rows: int, name: str) -> None:
    assert dtype_for(rows) == np.dtype(name).newbyteorder("<")
    assert np.iinfo(dtype_for(rows)).max >= rows - 1


def test_text_that_changed_without_changing_its_size(workshop, made) -> None:
    corpus, tokenizer_artifact, _ = made
    path = workshop.text / "en.txt"
    path.write_text(path.read_text("utf-8").replace(". ", "\n\n").replace(".\n", "\n\n"), "utf-8")
    with pytest.raises(InputError, match="changed after it was described"):
        workshop.shards("en", corpus, tokenizer_artifact)
