"""The tokenizer stage and the tokenizer itself: SentencePiece under XLM-R's ids.

Ids as fairseq has them: <s> 0, <pad> 1, </s> 2, <unk> 3, then SentencePiece's id + 1, and <mask>
last. The sample that the model is trained on is drawn with q proportional to p^alpha, p counting
sentences, and never holds more than `sample_bytes`; a language smaller than its share gives all it
has. Its lines are evenly spread over the whole of the language. Normalisation is XLM-R's
(`nmt_nfkc`).
"""

import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from model.config import TokenizerConfig
from model.context import Context
from model.errors import InputError
from model.stages import TokenizerStage
from model.text import pre_tokenize
from model.text.corpus import Corpus, open_corpus
from model.text.sampling import probabilities
from model.text.sentencepiece_model import with_rounded_scores

BOS, PAD, EOS, UNK = 0, 1, 2, 3
SPECIALS = 4
"""The first id of an ordinary piece."""

_END_OF_DOCUMENT = np.array([EOS - 1], np.int32)
_SPACE = "\u2581"
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"
)
"""Thai, Lao, Burmese, Khmer, Chinese and Japanese: written without white space between words."""
_LONGEST_LINE = 4096
"""Characters that SentencePiece is trained on at once: longer lines are cut, not dropped."""
_LARGE_SAMPLE = 1 << 30
"""Bytes from which SentencePiece needs 64-bit indices; with them the same pieces take more memory.
With 32 bits it aborts the process beyond 2^31 characters."""


class Tokenizer:
    """Text to ids and back. Rows are ids: the vocabulary and the two that fairseq adds."""

    def __init__(self, model: bytes, pre_tokenization: str) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._prepare = pre_tokenize.xlm if pre_tokenization == "xlm" else None
        self.rows: int = self._processor.get_piece_size() + 2
        self.mask: int = self.rows - 1

    def encode(self, line: str) -> list[int]:
        """Ids of one line, without <s> and </s>."""
        return self.encode_batch([line])[0]

    def encode_batch(self, lines: list[str]) -> list[list[int]]:
        """Ids of each line, without <s> and </s>. One thread."""
        encoded = self._encode(lines)
        ids = _from_pieces(encoded).tolist()
        bounds = itertools.accumulate(map(len, encoded), initial=0)
        return [ids[start:end] for start, end in itertools.pairwise(bounds)]

    def encode_documents(self, documents: Iterable[list[str]], threads: int = 1) -> np.ndarray:
        """One int32 array: the ids of all lines of each document, </s> after each document.

        They are the same with any number of threads.
        """
        lines: list[str] = []
        ends = []
        for document in documents:
            lines += document
            ends.append(len(lines))
        encoded = self._encode(lines, threads)
        parts = []
        start = 0
        for end in ends:
            parts += encoded[start:end]
            parts.append(_END_OF_DOCUMENT)
            start = end
        return _from_pieces(parts)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; <s>, <pad>, </s> and <mask> are left out, <unk> becomes ' ⁇ '."""
        pieces = [0 if i == UNK else i - 1 for i in ids if i > EOS and i != self.mask]
        return self._processor.decode(pieces)

    def normalize(self, text: str) -> str:
        """The text as the pieces see it, and as `decode` gives it back where nothing is <unk>."""
        prepared = self._prepare(text) if self._prepare else text
        return self._processor.normalize(prepared).replace(_SPACE, " ").removeprefix(" ")

    def word_starts(self) -> np.ndarray:
        """bool [rows]: the ids that begin a word. Without white space every piece is one."""
        starts = np.ones(self.rows, bool)
        for piece in range(SPECIALS - 1, self.rows - 2):
            text = self._processor.id_to_piece(piece)
            starts[piece + 1] = text.startswith(_SPACE) or _UNSPACED.match(text) is not None
        return starts

    def align(self, line: str) -> list[tuple[int, int, int]]:
        """Ids of one line, each with the part [begin, end) of the line that it stands for.

        The parts follow each other. White space between two words stands at the beginning of the
        second one's, and with `xlm` pre-tokenization at the end of the first one's.
        """
        if self._prepare is None:
            return self._align(line)
        places = pre_tokenize.places(line)
        aligned = self._align(self._prepare(line))
        return [(piece, places[begin], places[end]) for piece, begin, end in aligned]

    def cover(self, line: str) -> list[tuple[int, int, int]]:
        """Ids of one line, each with the least part [begin, end) of the line that covers it.

        White space belongs to no part; a piece of nothing else has an empty one. The parts of
        pieces that share a character, as those of a fraction do, overlap.
        """
        prepared = self._prepare(line) if self._prepare else line
        places = pre_tokenize.places(line) if self._prepare else range(len(line) + 1)
        ids, pieces, offsets = self._offsets(prepared)
        ends = _next_larger(offsets)
        covered = []
        first = 0
        for piece, text in zip(ids, pieces, strict=True):
            last = first + len(text) - 1
            first += len(text) - len(text.lstrip(_SPACE))
            if first > last:
                begin = end = places[offsets[last]]
            else:
                begin, end = places[offsets[first]], places[ends[last]]
                end = begin + len(line[begin:end].rstrip())
            covered.append((piece, begin, end))
            first = last + 1
        return covered

    def _align(self, text: str) -> list[tuple[int, int, int]]:
        ids, pieces, offsets = self._offsets(text)
        bounds = [offsets[end] for end in itertools.accumulate(map(len, pieces), initial=0)]
        return list(zip(ids, bounds, bounds[1:], strict=False))

    def _offsets(self, text: str) -> tuple[list[int], list[str], list[int]]:
        """Ids, their pieces, and where in `text` each character of the pieces comes from."""
        ids = _from_pieces([np.array(self._processor.encode(text), np.int32)]).tolist()
        _, offsets = self._processor.normalize(text, with_offsets=True)
        return ids, self._processor.encode(text, out_type=str), offsets

    def _encode(self, lines: list[str], threads: int = 1) -> list[np.ndarray]:
        """SentencePiece's ids of each line, int32."""
        if self._prepare:
            lines = [self._prepare(line) for line in lines]
        return self._processor.encode(lines, num_threads=threads, return_type="numpy")


def _next_larger(offsets: list[int]) -> list[int]:
    """For each offset the next one that is larger, itself at the end; offsets never fall."""
    larger = list(offsets)
    for i in range(len(offsets) - 2, -1, -1):
        larger[i] = larger[i + 1] if offsets[i] == offsets[i + 1] else offsets[i + 1]
    return larger


def _from_pieces(parts: list[np.ndarray]) -> np.ndarray:
    """SentencePiece's ids, put together, as fairseq's."""
    if not parts:
        return np.zeros(0, np.int32)
    ids = np.concatenate(parts) + np.int32(1)
    ids[ids == 1] = UNK
    return ids


def load(artifact: Path) -> Tokenizer:
    """The tokenizer that the stage wrote into `artifact`."""
    info = json.loads((artifact / "tokenizer.json").read_text(encoding="utf-8"))
    model = (artifact / "sentencepiece.model").read_bytes()
    return Tokenizer(model, info["config"]["pre_tokenize"])


def run(config: TokenizerStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes sentencepiece.model and tokenizer.json.

    Raises InputError for a vocabulary that the sample cannot fill, or that cannot hold the
    characters which must be covered.
    """
    corpora = {
        name.removeprefix("corpus/"): open_corpus(path, context.locations)
        for name, path in inputs.items()
        if name.startswith("corpus/")
    }
    sample = _Sample(config.tokenizer, corpora, context)
    model = _train(config.tokenizer, sample)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = [processor.id_to_piece(piece) for piece in range(processor.get_piece_size())]
    characters = "".join(sorted(piece for piece in pieces if len(piece) == 1))
    info = {
        "config": asdict(config.tokenizer),
        "languages": sample.taken,
        "rows": len(pieces) + 2,
        "pieces": len(pieces),
        "covered_characters": characters,
    }
    (output / "sentencepiece.model").write_bytes(model)
    (output / "tokenizer.json").write_text(
        json.dumps(info, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def byte_shares(sizes: dict[str, dict[str, int]], alpha: float, total: int) -> dict[str, float]:
    """Bytes of each language in a sample of `total` bytes whose sentences follow q.

    sizes: {"sentences": …, "bytes": …} by language. A share may be more than there is.
    """
    q = probabilities({code: size["sentences"] for code, size in sizes.items()}, alpha)
    weights = {code: q[code] * sizes[code]["bytes"] / sizes[code]["sentences"] for code in q}
    scale = sum(weights.values())
    return {code: total * weight / scale for code, weight in weights.items()}


class _Sample:
    """The lines to train on, language by language; `taken` tells what was given, once read."""

    def __init__(
        self, config: TokenizerConfig, corpora: dict[str, Corpus], context: Context
    ) -> None:
        self._corpora = corpora
        self._context = context
        self._prepare = pre_tokenize.xlm if config.pre_tokenize == "xlm" else None
        sizes = {code: corpus.info["train"] for code, corpus in corpora.items()}
        self.shares = byte_shares(sizes, config.alpha, config.sample_bytes)
        self.taken: dict[str, dict[str, int]] = {}

    def lines(self) -> Iterator[str]:
        for done, (code, share) in enumerate(self.shares.items()):
            self._context.progress(done, len(self.shares) + 1)
            sentences = size = 0
            for line, length in spread(self._corpora[code], share):
                sentences += 1
                size += length
                text = self._prepare(line) if self._prepare else line
                for start in range(0, len(text), _LONGEST_LINE):
                    yield text[start : start + _LONGEST_LINE]
            self.taken[code] = {
                "available_bytes": self._corpora[code].info["train"]["bytes"],
                "bytes": size,
                "sentences": sentences,
            }
        self._context.progress(len(self.shares), len(self.shares) + 1)


def spread(corpus: Corpus, share: float) -> Iterator[tuple[str, int]]:
    """Training lines and their UTF-8 bytes, `share` bytes at most, evenly over the whole corpus.

    A line is taken when the bytes taken so far lag behind their part of the bytes passed so far:
    whether it is does not depend on the line itself, so short and long ones are treated alike.
    """
    total = corpus.info["train"]["bytes"]
    ratio = share / total
    passed = taken = 0
    for document in corpus.train():
        for line in document:
            length = len(line.encode())
            if taken <= ratio * passed and taken + length <= share:
                taken += length
                yield line, length
            passed += length


def _train(config: TokenizerConfig, sample: _Sample) -> bytes:
    model = io.BytesIO()
    options: dict[str, Any] = {
        "model_type": config.kind,
        "vocab_size": config.vocab_size,
        "hard_vocab_limit": True,
        "character_coverage": config.character_coverage,
        "normalization_rule_name": "nmt_nfkc",
        "num_threads": config.threads,
        "max_sentence_length": 4 * _LONGEST_LINE,
        # SentencePiece's default of a million seeds is too few for the largest vocabularies.
        "seed_sentencepiece_size": max(1_000_000, 4 * config.vocab_size),
        "minloglevel": 4,
    }
    if config.sample_bytes >= _LARGE_SAMPLE:
        options["train_extremely_large_corpus"] = True
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sample.lines(), model_writer=model, **options
        )
    except RuntimeError as error:
        raise InputError(_explain(config, sample, str(error))) from error
    return with_rounded_scores(model.getvalue())


def _explain(config: TokenizerConfig, sample: _Sample, message: str) -> str:
    """SentencePiece's complaint in the words of a study."""
    size = sum(taken["bytes"] for taken in sample.taken.values())
    text = f"{size} bytes of text in {len(sample.taken)} languages"
    if found := re.search(r"too high \(\d+\)\. Please set it to a value <= (\d+)", message):
        return (
            f"tokenizer.vocab_size: {config.vocab_size} pieces are more than the sample can fill "
            f"({text}): the largest possible is {found[1]}. Lower tokenizer.vocab_size, or raise "
            "tokenizer.sample_bytes or the amount of text."
        )
    if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return (
            f"tokenizer.vocab_size: {config.vocab_size} pieces cannot hold the characters that "
            f"tokenizer.character_coverage = {config.character_coverage} requires in the sample "
            f"({text}): the least possible is {found[1]}. Raise tokenizer.vocab_size, or lower "
            "tokenizer.character_coverage."
        )
    if "sentences_.empty()" in message or "all_chars_count" in message:
        return (
            f"tokenizer: nothing is left of the sample ({text}) after normalisation. Raise "
            "tokenizer.sample_bytes, or check the text."
        )
    return f"tokenizer: SentencePiece could not train on the sample ({text}): {message}"
