"""Spelling, seen by a reader of the script."""

import pytest

from model.languages import LANGUAGES
from model.text.synthetic.scripts import CODAS, CONSONANTS, SCRIPTS, VOWELS, full_stop, spell

SYLLABLES = [(c, v, k) for c in CONSONANTS for v in VOWELS for k in ("", *CODAS)]


def test_every_script_of_the_hundred_languages_can_be_written() -> None:
    assert {facts.script for facts in LANGUAGES.values()} == set(SCRIPTS)


@pytest.mark.parametrize("script", sorted({*SCRIPTS} - {"Arab", "Hebr", "Hans", "Hant", "Jpan"}))
def test_alphabets_tell_all_syllables_apart(script: str) -> None:
    assert len({spell((syllable,), script) for syllable in SYLLABLES}) == len(SYLLABLES)


@pytest.mark.parametrize(
    ("script", "spelt"),
    [
        ("Latn", "botim"), ("Cyrl", "ботим"), ("Grek", "βοτιμ"), ("Hebr", "בתימ"),
        ("Arab", "بتیم"), ("Deva", "बोतिम्"), ("Thai", "โบติม"), ("Hang", "보팀"),
        ("Ethi", "ቦቲም"), ("Jpan", "ぼちん"), ("Geor", "ბოტიმ"), ("Armn", "բոտիմ"),
    ],
)  # fmt: skip
def test_values_of_letters_are_roughly_the_usual_ones(script: str, spelt: str) -> None:
    assert spell((("b", "o", ""), ("t", "i", "m")), script) == spelt


def test_traditional_characters_are_the_simplified_ones_one_by_one() -> None:
    pairs = {(spell((s,), "Hans"), spell((s,), "Hant")) for s in SYLLABLES}
    assert len({simplified for simplified, _ in pairs}) == len(pairs)
    assert ("国", "國") in pairs and ("人", "人") in pairs


@pytest.mark.parametrize(
    ("language", "mark"),
    [
        ("en", "."), ("ru", "."), ("he", "."), ("ka", "."), ("ta", "."), ("gu", "."), ("ko", "."),
        ("hi", "\u0964"), ("bn", "\u0964"), ("pa", "\u0964"), ("or", "\u0964"), ("mr", "."),
        ("ur", "\u06d4"), ("sd", "\u06d4"), ("ar", "."), ("fa", "."), ("ur_rom", "."),
        ("am", "\u1362"), ("hy", "\u0589"), ("km", "\u17d4"), ("my", "\u104b"),
        ("my_zaw", "\u104b"), ("zh", "\u3002"), ("zh-Hant", "\u3002"), ("ja", "\u3002"),
        ("th", " "), ("lo", " "),
    ],
)  # fmt: skip
def test_sentences_end_as_the_language_ends_them(language: str, mark: str) -> None:
    assert full_stop(LANGUAGES[language]) == mark
