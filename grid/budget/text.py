"""What text costs: sizes of languages, and the disk, time and memory of tokenizers and shards.

Where the text lies here, its size is known. Where it does not, a plan takes what is published:
CC-100's sizes from the paper's Table 6, Wikipedia's from the dumps of 2020 (model/languages.py).
Rates were measured on the CPU of benchmarks/predictions.md, one thread; what goes beyond the sizes
that were measured there is an estimate.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from grid.sizes import EXTRA_ROWS
from model.config import CorpusConfig, SyntheticConfig, TokenizerConfig
from model.languages import LANGUAGES

GIB = 1 << 30
PUBLISHED = ("cc100", "wikipedia")
"""Sources whose sizes are known without their files."""

_TEXT_BYTES_A_TOKEN = {"Latn": 4.4, "Hans": 4.2, "Hant": 4.2, "Jpan": 4.2, "Hang": 5.2}
_TWO_BYTE_SCRIPTS = ("Cyrl", "Grek", "Arab", "Hebr", "Armn")
_CORPUS_RATE = 8e6
"""Bytes/s of the corpus stage: read, hashed, and read again."""
_SHARD_RATE = 9e6
"""Bytes/s of the shards stage: the text read and deduplicated again, and cut into pieces."""
_TRAINING_SECONDS_A_BYTE = 2.5e-6
_TRAINING_MEMORY_A_BYTE = 20.0
_TRAINING_START_BYTES = 5e7
_WIDE_INDICES = 1.9
_MODEL_BYTES_A_PIECE = 20.0


@dataclass(frozen=True, kw_only=True)
class TextCost:
    """What a stage of text takes."""

    cpu_seconds: float
    sample: float = 0.0
    """Bytes of text that are looked at, where not all of it is."""
    disk: float = 0.0
    """Bytes that it leaves."""
    memory: float = 0.0
    """Bytes at its peak."""


def published_bytes(source: str, language: str) -> int | None:
    """Text of a language in a published source; None if neither is known."""
    facts = LANGUAGES.get(language)
    if facts is None or source not in PUBLISHED:
        return None
    gib = facts.cc100_gib if source == "cc100" else facts.wikipedia_gib
    return max(1, round(gib * GIB))


def synthetic_bytes(config: SyntheticConfig, language: str) -> int:
    """Text that the synthetic source will make."""
    from model.text.synthetic import corpus_bytes

    return corpus_bytes(config, language)


def estimated_bytes(corpus: CorpusConfig, language: str) -> int | None:
    """Text of a language without a look at any file; None where it is not known."""
    if corpus.source == "synthetic":
        return synthetic_bytes(corpus.synthetic, language)
    return published_bytes(corpus.source, language)


def bytes_a_token(language: str) -> float:
    """UTF-8 bytes of text a token, with a vocabulary of 250,000: an estimate by script.

    4.2 characters a token in alphabets, 1.5 in Chinese and Japanese, 2 in Korean.
    """
    facts = LANGUAGES.get(language)
    script = "Latn" if facts is None else facts.script
    if script in _TEXT_BYTES_A_TOKEN:
        return _TEXT_BYTES_A_TOKEN[script]
    return 7.6 if script in _TWO_BYTE_SCRIPTS else 11.0


def corpus_cost(size: int) -> TextCost:
    """Describing `size` bytes of a language: it is read, never copied."""
    return TextCost(cpu_seconds=0.1 + size / _CORPUS_RATE)


def shard_cost(size: int, language: str, vocab_size: int) -> TextCost:
    """The shards of a language with `size` bytes of text: 2 or 4 bytes a token."""
    width = 2 if vocab_size + EXTRA_ROWS <= 1 << 16 else 4
    tokens = size / bytes_a_token(language)
    return TextCost(cpu_seconds=0.1 + size / _SHARD_RATE, disk=tokens * width)


def tokenizer_cost(config: TokenizerConfig, sizes: Iterable[int]) -> TextCost:
    """Training SentencePiece on the sample that is drawn from languages of these sizes.

    Time and memory were measured up to samples of 50 MB and go up in proportion from there; from
    1 GiB on SentencePiece takes indices of 64 bits, which is nearly twice the memory.
    """
    sample = min(config.sample_bytes, sum(sizes))
    wide = _WIDE_INDICES if sample >= GIB else 1.0
    return TextCost(
        cpu_seconds=0.5 + sample * _TRAINING_SECONDS_A_BYTE,
        sample=sample,
        disk=config.vocab_size * _MODEL_BYTES_A_PIECE,
        memory=_TRAINING_START_BYTES + sample * _TRAINING_MEMORY_A_BYTE * wide,
    )
