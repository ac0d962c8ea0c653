"""The embedded default source: a world of concepts, told in a hundred pseudo-languages.

`docs/synthetic.md` describes it for a linguist. Everything is a function of the configuration:
the same text on every machine.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from model.config import SyntheticConfig
from model.errors import InputError
from model.languages import LANGUAGES, nearest
from model.text.synthetic.grammar import Grammar
from model.text.synthetic.randomness import generator
from model.text.synthetic.world import World

_CHUNK = 400
"""Documents made at once: a few hundred kilobytes."""
_NOISE = {"wikipedia": (0.0, 0.0, 0.0), "cc100": (0.02, 0.03, 0.04)}
"""Probabilities that a sentence has a misspelt word, is English, or is one of a few English lines
that keep coming back. Web corpora have all three (Kreutzer et al. 2022, arXiv 2103.12028)."""


@lru_cache(maxsize=8)
def _world(seed: int, concepts: int, profile: str) -> World:
    return World(SyntheticConfig(seed=seed, concepts=concepts, profile=profile))


def world_of(config: SyntheticConfig) -> World:
    """The world of `config`; languages and sizes play no part in it."""
    return _world(config.seed, config.concepts, config.profile)


def require_known(language: str) -> None:
    """Raises InputError unless there are facts to make the language from."""
    if language not in LANGUAGES:
        close = nearest(language)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise InputError(
            f"language {language!r}: the synthetic source knows the 100 languages of XLM-R "
            f"(docs/synthetic.md){hint}"
        )


def corpus_bytes(config: SyntheticConfig, language: str) -> int:
    """UTF-8 bytes to make: size x (real size / largest real size)^skew, at least `smallest`."""
    require_known(language)
    facts = LANGUAGES[language]
    if config.profile == "cc100":
        share = facts.cc100_gib / max(f.cc100_gib for f in LANGUAGES.values())
    else:
        share = facts.wikipedia_gib / max(f.wikipedia_gib for f in LANGUAGES.values())
    return max(config.smallest, round(config.size * share**config.skew))


def write_corpus(config: SyntheticConfig, language: str, path: Path) -> None:
    """Writes the language's text: one sentence a line, a blank line between documents."""
    wanted = corpus_bytes(config, language)
    world = world_of(config)
    grammar = Grammar(config, world, language)
    english = Grammar(config, world, "en")
    typos, code_mixed, boilerplate = _NOISE[config.profile]
    rng = generator(config.seed, "corpus", config.profile, language)
    written = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        while written < wanted:
            events = world.sample(rng, _CHUNK)
            n = len(events)
            rows = grammar.rows(events, rng.random(n) < typos)
            text = grammar.text(rows)
            if code_mixed or boilerplate:
                others = english.sentences(events.take(np.arange(40)))
                text = _with_noise(text, rng, others, code_mixed, boilerplate)
            encoded = text.encode()
            if written + len(encoded) > wanted:
                end = encoded.find(b"\n\n", wanted - written)
                text = text if end < 0 else encoded[: end + 2].decode()
            stream.write(text)
            written += len(encoded)


def _with_noise(
    text: str, rng: np.random.Generator, english: list[str], code_mixed: float, boilerplate: float
) -> str:
    """Some lines become one of `english`, others one of its first four, as menus and notices."""
    lines = text.split("\n")
    draw = rng.random(len(lines))
    choice = rng.integers(0, len(english), size=len(lines))
    for i in np.flatnonzero(draw < code_mixed + boilerplate):
        if lines[i]:
            lines[i] = english[choice[i]] if draw[i] < code_mixed else english[choice[i] % 4]
    return "\n".join(lines)
