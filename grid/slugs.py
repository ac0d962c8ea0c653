"""The readable part of keys: for people only, nothing is ever read back out of it."""

from collections.abc import Sequence

from grid.checkpoints import scored_as_it_is
from model.config import CellConfig, TokenizerConfig


def _languages_slug(languages: Sequence[str]) -> str:
    return languages[0] if len(languages) == 1 else f"{len(languages)}-languages"


def tokenizer_slug(tokenizer: TokenizerConfig) -> str:
    """`15-languages-150000-unigram`; its languages are written out."""
    languages = _languages_slug(tokenizer.languages or [])
    return f"{languages}-{tokenizer.vocab_size}-{tokenizer.kind}"


def model_slug(config: CellConfig) -> str:
    """`15-languages-w768-l12-s1`; a published model that is scored as it is has no seed."""
    encoder = config.encoder
    languages = _languages_slug(config.languages)
    origin = "published" if scored_as_it_is(config) else f"s{config.seed}"
    return f"{languages}-w{encoder.width}-l{encoder.layers}-{origin}"
