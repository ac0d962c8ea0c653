"""Real text of all 101 languages: nothing of it leaks, and tokenizers give it back."""

import lzma
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece

from model.tasks.spans import spans_of_line
from model.text import tokenizer as tokenizers
from model.text.corpus import Corpus
from model.text.held_out import read_held_out
from model.text.tokenizer import Tokenizer
from tests.model.text.conftest import Workshop

pytestmark = pytest.mark.slow
LINES = 400
"""Of each language."""
SPACE = "\u2581"
"""SentencePiece's sign for a space."""


@pytest.fixture
def corpora(workshop: Workshop, real_text: Path) -> dict[str, Path]:
    """A corpus of each language, many of whose lines stand in it again and again."""
    found = {}
    for file in sorted((real_text / "corpus_a").glob("*.txt.xz")):
        code = file.name.removesuffix(".txt.xz")
        with lzma.open(file, "rt", encoding="utf-8") as stream:
            lines = [line.rstrip("\n") for _, line in zip(range(LINES), stream, strict=False)]
        documents = "\n".join(lines).strip("\n").split("\n\n")
        again = [line for line in lines if line][::7]  # one document of them, and the first's copy
        padded = [f"  {line}\t" for line in again[::2]]  # white space at the ends is not text
        text = "\n\n".join([*documents, "\n".join(again), "\n".join(padded), documents[0]])
        (workshop.text / f"{code}.txt").write_text(f"{text}\n", encoding="utf-8")
        found[code] = workshop.corpus(code)
    assert len(found) == 101
    return found


def lines_of(corpus: Corpus) -> Iterator[str]:
    return (line for document in corpus.train() for line in document)


def test_no_held_out_line_is_trained_on_and_none_gives_way(
    workshop: Workshop, corpora: dict[str, Path]
) -> None:
    for code, artifact in corpora.items():
        held = {line for unit in read_held_out(artifact) for line in unit}
        trained = set(lines_of(workshop.open(artifact)))
        whole = {
            line.strip()
            for line in (workshop.text / f"{code}.txt").read_text("utf-8").split("\n")
            if line.strip()
        }
        assert held and trained, code
        assert not held & trained, code
        assert held | trained == whole, code
        assert workshop.open(artifact).info["duplicate_documents"] >= 1, code


def test_every_language_comes_back_from_its_pieces(
    workshop: Workshop, corpora: dict[str, Path]
) -> None:
    """All but what NFKC and the rules of nmt_nfkc change, and what the vocabulary has not."""
    pieces = tokenizers.load(
        workshop.tokenizer(corpora, vocab_size=20_000, alpha=0.3, character_coverage=1.0)
    )
    rule = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc")
    kept, tried = 0, 0
    for code, artifact in corpora.items():
        lines = list(lines_of(workshop.open(artifact)))[:100]
        whole = [line for line in lines if tokenizers.UNK not in pieces.encode(line)]
        assert len(whole) > 0.5 * len(lines), code
        kept, tried = kept + len(whole), tried + len(lines)
        for line in whole:
            expected = rule.normalize(line).replace(SPACE, " ").strip(" ")
            assert pieces.decode(pieces.encode(line)) == expected, code
        assert all(_shared_out(line, pieces) for line in lines), code
        # Most text is in that form already: there the round trip is the identity.
        plain = [x for x in whole if x.isprintable() and unicodedata.is_normalized("NFKC", x)]
        same = [x for x in plain if pieces.decode(pieces.encode(x)) == " ".join(x.split())]
        assert len(same) >= 0.9 * len(plain), code
    assert kept > 0.95 * tried


def _shared_out(line: str, pieces: Tokenizer) -> bool:
    """Whether the spans that are scored hold every byte of the line and every piece of it once."""
    spans = spans_of_line(line, pieces, 8)
    tokens = [token for span in spans for token in span.tokens]
    size = len("".join(line.split()).encode())
    return tokens == pieces.encode(line) and sum(span.bytes for span in spans) == size
