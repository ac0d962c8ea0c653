"""Sentences follow the facts about their language."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from model.config import SyntheticConfig
from model.languages import LANGUAGES
from model.text.synthetic.grammar import Grammar
from model.text.synthetic.lexicon import Lexicon, lexicon_of
from model.text.synthetic.world import Events, World

Say = Callable[..., Events]


class Speaker:
    """One language, with its words at hand."""

    def __init__(self, config: SyntheticConfig, world: World, language: str) -> None:
        self.grammar = Grammar(config, world, language)
        self.words: Lexicon = lexicon_of(config, world.concepts, language)
        self._world = world

    def sentence(self, event: Events) -> str:
        return self.grammar.sentences(event)[0]

    def unmistakable(self, say: Say, *roles: str) -> tuple[str, list[int]]:
        """A sentence with `roles` in which each of their words occurs once, and where they do."""
        for concepts in self._concepts(roles):
            sentence = self.sentence(say(**concepts))
            words = [self.words.words[concept] for concept in concepts.values()]
            if all(sentence.count(word) == 1 for word in words):
                return sentence, [sentence.index(word) for word in words]
        raise AssertionError("every sentence is ambiguous")

    def _concepts(self, roles: tuple[str, ...]) -> Iterator[dict[str, int]]:
        classes = [self._world.classes[role.removeprefix("thing_")][:12] for role in roles]
        for combination in itertools.product(*classes):
            yield dict(zip(roles, combination, strict=True))


@pytest.fixture
def speaker(config: SyntheticConfig, world: World) -> Callable[[str], Speaker]:
    return lambda language: Speaker(config, world, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_subject_verb_and_object_stand_in_the_dominant_order(
    language: str, speaker: Callable[[str], Speaker], say: Say
) -> None:
    _, places = speaker(language).unmistakable(say, "person", "verb", "thing")
    order = LANGUAGES[language].word_order
    expected = order if order != "none" else "SVO"
    assert "".join(letter for _, letter in sorted(zip(places, "SVO", strict=True))) == expected


@pytest.mark.parametrize(
    ("language", "first"),
    [("en", True), ("ru", True), ("tr", True), ("hi", True), ("ja", True), ("zh", True)]
    + [("fr", False), ("sw", False), ("ar", False), ("cy", False), ("th", False), ("vi", False)],
)
def test_properties_stand_before_or_after_their_noun(
    language: str, first: bool, speaker: Callable[[str], Speaker], say: Say
) -> None:
    _, (noun, thing_property) = speaker(language).unmistakable(say, "thing", "thing_property")
    assert (thing_property < noun) == first


@pytest.mark.parametrize(
    ("language", "before"), [("en", True), ("sw", True), ("ar", True), ("tr", False), ("hi", False)]
)
def test_prepositions_and_postpositions(
    language: str, before: bool, speaker: Callable[[str], Speaker], say: Say, world: World
) -> None:
    one = speaker(language)
    place = world.classes["place"][3]
    sentence = one.sentence(say(place=place)).rstrip(".।")
    at, where = one.words.grammar["at"], one.words.words[place]
    if before:
        assert sentence.endswith(f"{at} {where}")
    else:
        assert sentence.startswith(f"{where} {at}")


def test_suffixes_of_an_agglutinative_language(speaker: Callable[[str], Speaker], say: Say) -> None:
    sw = speaker("sw")
    event = say(number=7, past=True)
    person, verb, thing = (
        sw.words.words[int(c[0])] for c in (event.person, event.verb, event.thing)
    )
    endings = sw.words.grammar
    assert sw.sentence(event) == (
        f"{person} {verb}{endings['s:past']} 7 {thing}{endings['s:plural']}{endings['s:object']}."
    )


def test_an_isolating_language_has_words_in_place_of_suffixes(
    speaker: Callable[[str], Speaker], say: Say
) -> None:
    zh = speaker("zh")
    event = say(number=7, past=True, negated=True)
    person, verb, thing = (
        zh.words.words[int(c[0])] for c in (event.person, event.verb, event.thing)
    )
    no, past = zh.words.grammar["not"], zh.words.grammar["past"]
    assert zh.sentence(event) == f"{person}{no}{past}{verb}7{thing}。"


def test_articles_only_where_the_branch_has_them(
    speaker: Callable[[str], Speaker], say: Say
) -> None:
    assert len(speaker("en").sentence(say()).split()) == 5, "the P V the T"
    assert len(speaker("en").sentence(say(number=3)).split()) == 5, "the P V 3 T-s"
    assert len(speaker("ru").sentence(say()).split()) == 3


def test_the_same_events_have_as_many_sentences_in_every_language(
    config: SyntheticConfig, world: World
) -> None:
    from model.text.synthetic.randomness import generator

    events = world.sample(generator("parallel"), 5)
    for language in LANGUAGES:
        sentences = Grammar(config, world, language).sentences(events)
        assert len(sentences) == len(events) and all(sentences), language
