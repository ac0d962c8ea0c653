"""Who shares words with whom, and what the controls take away."""

import dataclasses

import numpy as np
import pytest

from model.config import SyntheticConfig
from model.languages import LANGUAGES
from model.text.synthetic import lexicon
from model.text.synthetic.lexicon import Lexicon, lexicon_of

CONFIG = SyntheticConfig(concepts=600)
CHANCE = 0.03
"""More than short words agree by chance."""


def words(language: str, **changes: object) -> Lexicon:
    return lexicon_of(dataclasses.replace(CONFIG, **changes), CONFIG.concepts, language)


def shared(one: str, other: str, **changes: object) -> float:
    """Share of concepts with the same spelling in two languages."""
    pairs = zip(words(one, **changes).words, words(other, **changes).words, strict=True)
    return float(np.mean([a == b for a, b in pairs]))


RELATIVES = [("hi", "mr"), ("ru", "uk"), ("es", "pt"), ("sw", "xh"), ("tr", "az"), ("fi", "et")]


@pytest.mark.parametrize(("one", "other"), RELATIVES)
def test_relatives_in_one_script_share_words(one: str, other: str) -> None:
    assert 0.2 < shared(one, other) < 0.7
    assert shared(one, other, cognates=0, loanwords=0) < CHANCE


def test_nearer_relatives_share_more() -> None:
    es_pt, es_de, es_fi = (shared("es", other, loanwords=0) for other in ("pt", "de", "fi"))
    assert es_pt > es_de + 0.05 > es_fi + 0.1
    assert shared("es", "pt", cognates=0.9) > shared("es", "pt", cognates=0.2) + 0.2


def test_cognates_look_alike_only_within_a_script() -> None:
    assert shared("hr", "sr") == shared("hi", "ur") == 0
    assert shared("hi_rom", "ur_rom") > 0.2


@pytest.mark.parametrize("syllables", [1, 1.6, 2.3, 3])
def test_content_words_have_so_many_syllables_in_the_mean(syllables: float) -> None:
    """One vowel letter a syllable in Latin script; no language inherits longer words."""
    lengths = [
        sum(letter in "aeiou" for letter in word)
        for code in ("en", "sw", "fi")
        for word in words(code, syllables=syllables).words
    ]
    assert np.mean(lengths) == pytest.approx(syllables, abs=0.05)
    assert {1, 3} >= {min(lengths), max(lengths)} if syllables in (1, 3) else max(lengths) == 3


def test_loanwords_are_the_same_everywhere() -> None:
    assert shared("en", "sw", cognates=0, loanwords=0.4) == pytest.approx(0.4, abs=0.08)
    assert shared("en", "sw", cognates=0, loanwords=0) < CHANCE


def test_borrowings_come_from_the_donor_and_go_with_the_cognates() -> None:
    assert shared("eu", "es", loanwords=0) == pytest.approx(0.2, abs=0.06)
    assert shared("eu", "fi", loanwords=0) < CHANCE
    assert shared("eu", "es", loanwords=0, cognates=0) < CHANCE
    assert shared("ja", "zh") > 0.25, "in characters"
    assert shared("ja", "zh", cognates=0) == 0
    known = set(lexicon._DONORS) | {d for donors in lexicon._DONORS.values() for d, _ in donors}
    assert known <= set(LANGUAGES)


def test_grammar_words_are_the_familys_unless_nothing_is_inherited() -> None:
    assert words("en").grammar == words("es").grammar == words("pl").grammar
    assert words("en").grammar != words("fi").grammar
    inherit_nothing = [words(code, cognates=0).grammar for code in ("en", "es", "pl")]
    assert inherit_nothing[0] != inherit_nothing[1] != inherit_nothing[2]


def test_without_shared_meaning_the_same_words_mean_other_things() -> None:
    assert shared("es", "pt", shared_meaning=False) < CHANCE
    scrambled, plain = words("es", shared_meaning=False), words("es")
    assert sorted(scrambled.words) == sorted(plain.words)
    assert scrambled.grammar == plain.grammar


@pytest.mark.parametrize(
    ("variant", "language"), [("hi_rom", "hi"), ("ta_rom", "ta"), ("zh-Hant", "zh")]
)
@pytest.mark.parametrize("shared_meaning", [True, False])
def test_variants_have_the_words_of_their_language(
    variant: str, language: str, shared_meaning: bool
) -> None:
    """They differ in spelling only: each spelling of one has one spelling in the other."""
    one = words(variant, shared_meaning=shared_meaning).words
    other = words(language, shared_meaning=shared_meaning).words
    assert one != other
    assert len(set(one)) == len(set(other)) == len(set(zip(one, other, strict=True)))


def test_zawgyi_burmese_is_spelt_as_burmese() -> None:
    assert words("my_zaw") == words("my")
