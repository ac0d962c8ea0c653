"""The world that all synthetic languages talk about: concepts, and what tends to happen to them.

Nothing here knows any language. A topic has its own people, things, places and verbs; a verb has
objects that it is usual with; a thing has properties that it usually has. A document keeps to one
topic, one tense and a small cast. These regularities are what a model can learn beyond the
frequency of words, and they are the same in every language: that is what transfer can use.
"""

from dataclasses import dataclass, fields

import numpy as np

from model.config import SyntheticConfig
from model.text.synthetic.randomness import generator

TOPICS = 8
_SHARES = {"person": 0.25, "thing": 0.30, "place": 0.09, "verb": 0.21, "property": 0.15}
_SENTENCES = (8, 24)
_PROFILE_SKEW = {"wikipedia": 0.4, "cc100": 1.0}
"""How unevenly documents fall on topics: an encyclopaedia covers its topics more evenly."""


@dataclass(frozen=True, kw_only=True)
class Events:
    """What sentences say, one row a sentence: arrays [n] of concept ids, -1 where not said."""

    document: np.ndarray
    person: np.ndarray
    person_property: np.ndarray
    verb: np.ndarray
    thing: np.ndarray
    thing_property: np.ndarray
    place: np.ndarray
    number: np.ndarray
    negated: np.ndarray
    past: np.ndarray

    def __len__(self) -> int:
        return len(self.verb)

    def replace(self, **columns: np.ndarray) -> "Events":
        return Events(**({f.name: getattr(self, f.name) for f in fields(self)} | columns))

    def take(self, rows: np.ndarray) -> "Events":
        return Events(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def _zipf(size: int, exponent: float = 1.0) -> np.ndarray:
    """Cumulative probabilities of ranks 1 to `size` under Zipf's law."""
    weights = 1 / np.arange(1, size + 1) ** exponent
    return np.cumsum(weights / weights.sum())


def _draw(rng: np.random.Generator, cumulative: np.ndarray, size: int) -> np.ndarray:
    return np.minimum(np.searchsorted(cumulative, rng.random(size)), len(cumulative) - 1)


class World:
    """Concepts (integers, grouped by class) and the tables of what goes with what."""

    def __init__(self, config: SyntheticConfig) -> None:
        rng = generator(config.seed, "world", config.concepts)
        self.classes: dict[str, range] = {}
        start = 0
        for name, share in _SHARES.items():
            count = max(8, round(config.concepts * share)) // 2 * 2
            self.classes[name] = range(start, start + count)
            start += count
        self.concepts = start
        self._by_topic = {name: self._topical(rng, name) for name in _SHARES}
        self._things_of_verb = self._preferences(rng, "verb", "thing", 4)
        self._people_of_verb = self._preferences(rng, "verb", "person", 3)
        self._properties_of_person = self._preferences(rng, "person", "property", 2)
        self._properties_of_thing = self._preferences(rng, "thing", "property", 2)
        weights = 1 / np.arange(1, TOPICS + 1) ** _PROFILE_SKEW[config.profile]
        if config.profile == "cc100":
            weights = weights[::-1]
        self._topic_cumulative = np.cumsum(weights / weights.sum())

    def _topical(self, rng: np.random.Generator, name: str) -> np.ndarray:
        """[topics, n]: a class's concepts in each topic; neighbouring topics share a third."""
        concepts = rng.permutation(np.array(self.classes[name]))
        count = min(len(concepts), -(-3 * len(concepts) // (2 * TOPICS)))
        return np.stack(
            [np.roll(concepts, -(len(concepts) * k // TOPICS))[:count] for k in range(TOPICS)]
        )

    def _preferences(self, rng: np.random.Generator, of: str, what: str, count: int) -> np.ndarray:
        """[concepts of class `of`, count]: what each goes with, commonest first.

        All of its topic; of two topics, the later one.
        """
        topics, choices = self._by_topic[of], self._by_topic[what]
        first = self.classes[of].start
        count = min(count, choices.shape[1])
        table = np.empty((len(self.classes[of]), count), dtype=np.int64)
        for topic in range(TOPICS):
            for concept in topics[topic]:
                table[concept - first] = rng.permutation(choices[topic])[:count]
        return table

    def opposite(self, concepts: np.ndarray) -> np.ndarray:
        """The opposite of each property: properties come in pairs."""
        first = self.classes["property"].start
        return np.where(concepts < 0, concepts, ((concepts - first) ^ 1) + first)

    def _pick(
        self, rng: np.random.Generator, table: np.ndarray, of: str, concepts: np.ndarray
    ) -> np.ndarray:
        """For each of `concepts`, of class `of`, one of those that `table` says it goes with."""
        rows = concepts - self.classes[of].start
        return table[rows, _draw(rng, _zipf(table.shape[1]), len(concepts))]

    def sample(self, rng: np.random.Generator, documents: int) -> Events:
        """Draws the sentences of `documents` documents, in order."""
        lengths = rng.integers(*_SENTENCES, size=documents)
        document = np.repeat(np.arange(documents), lengths)
        n = len(document)
        topic_of = np.searchsorted(self._topic_cumulative, rng.random(documents))
        topic_of = np.minimum(topic_of, TOPICS - 1)
        topic = topic_of[document]
        people, verbs = self._by_topic["person"], self._by_topic["verb"]
        places = self._by_topic["place"]
        members = _draw(rng, _zipf(people.shape[1]), 2 * documents).reshape(-1, 2)
        cast = people[topic_of[:, None], members]
        verb = verbs[topic, _draw(rng, _zipf(verbs.shape[1]), n)]
        from_cast = cast[document, (rng.random(n) < 0.4).astype(int)]
        from_verb = self._pick(rng, self._people_of_verb, "verb", verb)
        person = np.where(rng.random(n) < 0.7, from_cast, from_verb)
        thing = self._pick(rng, self._things_of_verb, "verb", verb)
        person_property = self._pick(rng, self._properties_of_person, "person", person)
        thing_property = self._pick(rng, self._properties_of_thing, "thing", thing)
        place = places[topic, _draw(rng, _zipf(places.shape[1]), n)]
        number = 2 + _draw(rng, _zipf(18), n)

        def said(values: np.ndarray, probability: float) -> np.ndarray:
            return np.where(rng.random(n) < probability, values, -1)

        return Events(
            document=document,
            person=person,
            person_property=said(person_property, 0.2),
            verb=verb,
            thing=thing,
            thing_property=said(thing_property, 0.4),
            place=said(place, 0.35),
            number=said(number, 0.2),
            negated=rng.random(n) < 0.08,
            past=(rng.random(documents) < 0.5)[document],
        )
