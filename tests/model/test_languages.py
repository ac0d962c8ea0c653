"""The facts about languages are complete, and the sets are what the docstring says they are."""

import dataclasses
import itertools

import pytest

from model.languages import LANGUAGES, SETS, file_codes, nearest

XNLI = {"en", "fr", "es", "de", "el", "bg", "ru", "tr", "ar", "vi", "th", "zh", "hi", "sw", "ur"}


def test_hundred_languages_with_complete_facts() -> None:
    assert len(LANGUAGES) == 100
    for code, language in LANGUAGES.items():
        assert language.code == code
        assert all(value not in ("", None) for value in dataclasses.astuple(language)), code
        assert len(language.script) == 4 and language.script.istitle()
        assert language.word_order in {"SVO", "SOV", "VSO", "VOS", "none"}
        assert language.morphology in {"isolating", "fusional", "agglutinative"}
        assert 0 < language.cc100_gib <= 300.8
        assert 0 <= language.wikipedia_gib < 14


def test_sizes_are_the_published_ones_with_misprints_corrected() -> None:
    assert LANGUAGES["en"].cc100_gib == 300.8
    assert LANGUAGES["sv"].cc100_gib == 85.0
    assert LANGUAGES["zh"].cc100_gib == 46.9
    assert LANGUAGES["en"].wikipedia_gib == pytest.approx(13.23, abs=0.01)


def test_languages_written_without_spaces() -> None:
    without = {code for code, language in LANGUAGES.items() if not language.spaces}
    assert without == {"zh", "zh-Hant", "ja", "th", "km", "lo", "my", "my_zaw"}


def test_low_resource_languages_of_the_study_have_the_relatives_that_they_have() -> None:
    bantu = {code for code, language in LANGUAGES.items() if language.branch == "Bantu"}
    assert bantu == {"sw", "xh"}
    assert LANGUAGES["hi"].branch == LANGUAGES["ur"].branch == "Indo-Aryan"


def test_sets_are_nested_and_have_their_published_members() -> None:
    names = ["xlm-7", "xlm-15", "xlm-30", "xlm-60", "xlm-100"]
    assert list(SETS) == names
    for smaller, larger in itertools.pairwise(names):
        assert set(SETS[smaller]) < set(SETS[larger])
    for name in names:
        assert len(set(SETS[name])) == int(name.removeprefix("xlm-"))
    assert set(SETS["xlm-7"]) == {"en", "fr", "de", "ru", "zh", "sw", "ur"}
    assert set(SETS["xlm-15"]) == XNLI
    assert set(SETS["xlm-100"]) == set(LANGUAGES)


def test_sets_of_30_and_60_follow_the_stated_rule() -> None:
    size = {code: language.wikipedia_gib for code, language in LANGUAGES.items()}
    for smaller, larger in (("xlm-15", "xlm-30"), ("xlm-30", "xlm-60")):
        joined = set(SETS[larger]) - set(SETS[smaller])
        outside = set(LANGUAGES) - set(SETS[larger])
        assert min(size[code] for code in joined) >= max(size[code] for code in outside)


def test_file_codes_look_for_the_code_itself_first() -> None:
    assert file_codes("zh")[:3] == ("zh", "zh-Hans", "zh_Hans")
    assert "zh_hant" in file_codes("zh-Hant")
    assert file_codes("en") == ("en",)
    assert file_codes("bn_rom") == ("bn_rom", "bn-rom")
    assert file_codes("zu") == ("zu",), "a code of the user's own is its own name"


def test_no_two_languages_claim_the_same_file() -> None:
    claimed = [code for language in LANGUAGES for code in file_codes(language)]
    assert len(claimed) == len(set(claimed))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("german", "de"), ("zh-hans", "zh"), ("xlm-10", "xlm-100"), ("de_DE", "de"), ("FR", "fr")],
)
def test_nearest_understands_names_and_spellings(typed: str, meant: str) -> None:
    assert meant in nearest(typed)


def test_nearest_of_nonsense_is_empty() -> None:
    assert nearest("qqqq") == []
