"""Events into sentences: word order, marking and spacing of each language.

Facts are a language's dominant word order (WALS 81A), whether words are separated, its
morphological type and its script. What goes with word order follows Greenberg's correlations
without exception: verb-final languages have postpositions and put properties before the noun;
verb-initial ones, and the SVO branches listed below, put them after it. An isolating language says
past with a word and leaves plural to the number; the others have suffixes for both; only
agglutinative ones mark the object.
"""

import numpy as np

from model.config import SyntheticConfig
from model.languages import LANGUAGES, Language
from model.text.synthetic.lexicon import lexicon_of
from model.text.synthetic.randomness import generator
from model.text.synthetic.scripts import full_stop
from model.text.synthetic.world import Events, World

_PROPERTY_AFTER = {
    "Romance", "Bantu", "Semitic", "Celtic", "Khmeric", "Vietic", "Malayic", "Javanese",
    "Sundanese", "Southwestern Tai", "Albanian", "Chadic",
}  # fmt: skip
_ARTICLE = {"Germanic", "Romance", "Greek", "Celtic", "Semitic", "Hungarian", "Esperanto"}
_NUMBERS = 20
_PLURAL, _OBJECT, _TYPO = 1, 2, 4
"""Bits of a variant of a concept's word: plural (of a verb: past), object, misspelt."""
_VARIANTS = 8


class Grammar:
    """Renders events in one language. `table` holds every string that a sentence is made of."""

    def __init__(self, config: SyntheticConfig, world: World, code: str) -> None:
        language = LANGUAGES[code]
        self._language = language
        self._world = world
        self._order = self._slots(language)
        self._isolating = language.morphology == "isolating"
        self._marks_object = language.morphology == "agglutinative"
        words = lexicon_of(config, world.concepts, code)
        gap = " " if language.spaces else ""
        self.table = [""]
        rng = generator(config.seed, "typos", code)
        for concept, word in enumerate(words.words):
            past = concept in world.classes["verb"]
            for variant in range(_VARIANTS):
                text = word
                if variant & _TYPO and len(word) > 2:
                    place = int(rng.integers(1, len(word) - 1))
                    text = word[:place] + word[place + 1 :]
                if variant & _PLURAL and not self._isolating:
                    text += words.grammar["s:past" if past else "s:plural"]
                if variant & _OBJECT:
                    text += words.grammar["s:object"]
                self.table.append(gap + text)
        self._numbers = len(self.table)
        self.table += [gap + str(number) for number in range(_NUMBERS)]
        self._grammar = {}
        for name in ("not", "at", "the", "past"):
            self._grammar[name] = len(self.table)
            self.table.append(gap + words.grammar[name])
        stop = full_stop(language)
        self._ends = len(self.table)
        self.table += [stop + "\n", stop + "\n\n"]

    @staticmethod
    def _slots(language: Language) -> tuple[str, ...]:
        """The order of a sentence's parts; where there is no dominant order, SVO."""
        order = language.word_order if len(language.word_order) == 3 else "SVO"
        postposition = order.endswith("V")
        property_first = postposition or not (
            order.startswith("V") or language.branch in _PROPERTY_AFTER
        )

        def noun_phrase(number: bool, role: str) -> list[str]:
            noun = [f"{role}_property", role] if property_first else [role, f"{role}_property"]
            article = [f"{role}_the"] if language.branch in _ARTICLE else []
            return article + (["number"] if number else []) + noun

        parts = {
            "S": noun_phrase(False, "person"),
            "V": ["not", "past", "verb"],
            "O": noun_phrase(True, "thing"),
        }
        place = ["place", "at"] if postposition else ["at", "place"]
        sentence = [slot for letter in order for slot in parts[letter]]
        return tuple(place + sentence if postposition else sentence + place)

    def rows(self, events: Events, typo: np.ndarray | None = None) -> np.ndarray:
        """[n, slots + 1]: places in the table for each sentence; the last column ends it."""
        n = len(events)
        wrong = np.zeros(n, dtype=np.int64) if typo is None else typo * _TYPO

        def word(concepts: np.ndarray, variant: np.ndarray | int = 0) -> np.ndarray:
            return np.where(concepts >= 0, 1 + concepts * _VARIANTS + variant, 0)

        def grammar(name: str, said: np.ndarray | bool) -> np.ndarray:
            return np.where(said, self._grammar[name], 0) * np.ones(n, dtype=np.int64)

        mark = _OBJECT if self._marks_object else 0
        numbered = events.number >= 0
        slots = {
            "person": word(events.person),
            "person_property": word(events.person_property),
            "person_the": grammar("the", True),
            "thing": word(events.thing, (numbered * _PLURAL) | mark | wrong),
            "thing_property": word(events.thing_property),
            "thing_the": grammar("the", ~numbered),
            "number": np.where(numbered, self._numbers + events.number, 0),
            "verb": word(events.verb, events.past * _PLURAL),
            "not": grammar("not", events.negated),
            "past": grammar("past", events.past & self._isolating),
            "place": word(events.place),
            "at": grammar("at", events.place >= 0),
        }
        last = np.ones(n, dtype=bool)
        last[:-1] = events.document[1:] != events.document[:-1]
        return np.stack([slots[name] for name in self._order] + [self._ends + last], axis=1)

    def text(self, rows: np.ndarray) -> str:
        """The sentences, one a line, a blank line after each document."""
        joined = "".join(map(self.table.__getitem__, rows.ravel().tolist()))
        return joined.replace("\n ", "\n").lstrip(" ") if self._language.spaces else joined

    def sentences(self, events: Events) -> list[str]:
        """Each event as one sentence, on its own."""
        text = self.text(self.rows(events.replace(document=np.zeros(len(events), dtype=np.int64))))
        return [line.strip() for line in text.rstrip("\n").split("\n")]
