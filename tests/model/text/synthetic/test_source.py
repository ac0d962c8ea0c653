"""The corpora: the same everywhere, of the promised size, each in its own writing."""

import dataclasses
import hashlib
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from model.config import SyntheticConfig
from model.errors import InputError
from model.languages import LANGUAGES
from model.text.synthetic import corpus_bytes, require_known, world_of, write_corpus
from model.text.synthetic.lexicon import lexicon_of

UNICODE_NAMES = {
    "Latn": "LATIN", "Cyrl": "CYRILLIC", "Grek": "GREEK", "Geor": "GEORGIAN", "Armn": "ARMENIAN",
    "Arab": "ARABIC", "Hebr": "HEBREW", "Deva": "DEVANAGARI", "Beng": "BENGALI", "Guru": "GURMUKHI",
    "Gujr": "GUJARATI", "Orya": "ORIYA", "Taml": "TAMIL", "Telu": "TELUGU", "Knda": "KANNADA",
    "Mlym": "MALAYALAM", "Sinh": "SINHALA", "Khmr": "KHMER", "Mymr": "MYANMAR", "Thai": "THAI",
    "Laoo": "LAO", "Ethi": "ETHIOPIC", "Hang": "HANGUL", "Hans": "CJK", "Hant": "CJK",
    "Jpan": "HIRAGANA KATAKANA CJK",
}  # fmt: skip


def corpus(config: SyntheticConfig, language: str, folder: Path) -> str:
    path = folder / f"{language}.txt"
    write_corpus(config, language, path)
    return path.read_bytes().decode()


def documents(text: str) -> list[list[str]]:
    return [document.split("\n") for document in text.strip("\n").split("\n\n")]


@pytest.mark.parametrize(
    ("language", "profile", "sha256"),
    [("en", "wikipedia", "74fe99033b681c4e"), ("th", "cc100", "91e975311071bdd1")],
)
def test_text_is_the_same_on_every_machine(
    language: str, profile: str, sha256: str, tmp_path: Path
) -> None:
    """A changed hash changes every synthetic result: the commit says why, and what was rerun."""
    config = SyntheticConfig(profile=profile, size=20_000, smallest=20_000)
    text = corpus(config, language, tmp_path)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == sha256


def test_another_seed_is_another_world_with_the_same_facts(
    config: SyntheticConfig, tmp_path: Path
) -> None:
    other = dataclasses.replace(config, seed=1)
    words = [set(re.findall(r"[a-z]+", corpus(c, "de", tmp_path))) for c in (config, other)]
    assert len(words[0] & words[1]) < 0.15 * len(words[0])
    assert corpus_bytes(config, "de") == corpus_bytes(other, "de")


def test_a_larger_corpus_begins_with_the_smaller_one(
    config: SyntheticConfig, tmp_path: Path
) -> None:
    larger = dataclasses.replace(config, size=5 * config.size)
    assert corpus(larger, "en", tmp_path).startswith(corpus(config, "en", tmp_path))


def test_sizes_follow_the_real_ones() -> None:
    config = SyntheticConfig(size=1_000_000, smallest=20_000, skew=0.5)
    ratio = LANGUAGES["fr"].wikipedia_gib / LANGUAGES["en"].wikipedia_gib
    assert corpus_bytes(config, "en") == 1_000_000
    assert corpus_bytes(config, "fr") == round(1_000_000 * ratio**0.5)
    assert corpus_bytes(config, "xh") == corpus_bytes(config, "hi_rom") == 20_000
    web = dataclasses.replace(config, profile="cc100", skew=1)
    ratio = LANGUAGES["ru"].cc100_gib / LANGUAGES["en"].cc100_gib
    assert corpus_bytes(web, "ru") == round(1_000_000 * ratio)
    level = dataclasses.replace(config, skew=0)
    assert {corpus_bytes(level, language) for language in LANGUAGES} == {1_000_000}


@pytest.mark.parametrize("language", ["en", "sw", "zh"])
def test_file_ends_with_the_document_that_reaches_the_size(
    language: str, config: SyntheticConfig, tmp_path: Path
) -> None:
    text = corpus(config, language, tmp_path)
    longest = max(len("\n".join(lines).encode()) for lines in documents(text))
    wanted = corpus_bytes(config, language)
    assert wanted <= len(text.encode()) <= wanted + longest + 2
    assert text.endswith("\n\n")
    assert all(8 <= len(lines) <= 23 for lines in documents(text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_written_in_its_own_script(
    language: str, config: SyntheticConfig, tmp_path: Path
) -> None:
    facts = LANGUAGES[language]
    text = corpus(config, language, tmp_path)
    assert unicodedata.is_normalized("NFKC", text)
    characters = set(text) - set("\n 0123456789")
    letters = {c for c in characters if unicodedata.category(c)[0] in "LM"}
    names = tuple(UNICODE_NAMES[facts.script].split())
    assert {c for c in letters if not unicodedata.name(c).startswith(names)} == set()
    assert len(characters - letters) <= 1, "no sign but the full stop"
    between_words = {" " in line.strip() for document in documents(text) for line in document}
    assert between_words == {facts.spaces}
    for word in text.split():
        assert unicodedata.category(word[0])[0] != "M", f"{word}: a sign without its letter"


def test_web_text_has_misspellings_and_english_and_the_encyclopaedia_has_not(
    config: SyntheticConfig, tmp_path: Path
) -> None:
    config = dataclasses.replace(config, size=300_000, skew=0)
    known = lexicon_of(config, world_of(config).concepts, "ru")
    plural, past = known.grammar["s:plural"], known.grammar["s:past"]
    right = {w + ending for w in known.words for ending in ("", plural, past)}
    right |= set(known.grammar.values())
    for profile, noisy in (("wikipedia", False), ("cc100", True)):
        text = corpus(dataclasses.replace(config, profile=profile), "ru", tmp_path)
        lines = [line for document in documents(text) for line in document]
        english = [line for line in lines if any("a" <= c <= "z" for c in line)]
        russian = " ".join(set(lines) - set(english)).replace(".", "").split()
        wrong = [word for word in russian if word not in right and not word.isdigit()]
        if noisy:
            assert 0.05 < len(english) / len(lines) < 0.09
            assert Counter(english).most_common(1)[0][1] > 0.005 * len(lines), "boilerplate"
            assert 0.001 < len(wrong) / len(russian) < 0.01
        else:
            assert english == wrong == []


def test_profiles_are_two_domains(config: SyntheticConfig, tmp_path: Path) -> None:
    """The commonest words of one are not those of the other, though the world is the same."""
    common = []
    for profile in ("wikipedia", "cc100"):
        larger = dataclasses.replace(config, profile=profile, size=300_000)
        words = Counter(corpus(larger, "en", tmp_path).replace(".", "").split())
        common.append({word for word, _ in words.most_common(40)})
    assert 5 < len(common[0] & common[1]) < 30


@pytest.mark.parametrize(("typed", "meant"), [("german", "de"), ("zh-hans", "zh"), ("sw2", "sw")])
def test_an_unknown_language_is_told_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(InputError, match=rf"'{typed}'.*docs/synthetic\.md.*did you mean.*{meant}"):
        require_known(typed)
    with pytest.raises(InputError, match="100 languages"):
        corpus_bytes(SyntheticConfig(), typed)
