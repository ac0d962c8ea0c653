"""What happens in the world is regular, so that there is something to learn."""

from collections import Counter

import numpy as np
import pytest

from model.config import SyntheticConfig
from model.text.synthetic import world_of
from model.text.synthetic.randomness import generator
from model.text.synthetic.world import Events, World


@pytest.fixture(scope="module")
def events(world: World) -> Events:
    return world.sample(generator("test"), 2_000)


def test_every_concept_belongs_to_its_class(world: World, events: Events) -> None:
    for column, name in [("person", "person"), ("verb", "verb"), ("thing", "thing")] + [
        ("place", "place"), ("person_property", "property"), ("thing_property", "property"),
    ]:  # fmt: skip
        values = set(getattr(events, column).tolist()) - {-1}
        assert values <= set(world.classes[name])
    said = events.number[events.number >= 0]
    assert said.min() == 2 and said.max() == 19


def test_a_verb_tells_its_object(events: Events) -> None:
    """The commonest object of each verb is right far more often than the commonest object."""
    best = {}
    for verb, thing in zip(events.verb.tolist(), events.thing.tolist(), strict=True):
        best.setdefault(verb, Counter())[thing] += 1
    given_verb = sum(things.most_common(1)[0][1] for things in best.values()) / len(events)
    overall = Counter(events.thing.tolist()).most_common(1)[0][1] / len(events)
    assert given_verb > 0.4 > 3 * overall
    assert max(len(things) for things in best.values()) <= 4


def test_a_document_keeps_to_one_tense_and_a_small_cast(events: Events) -> None:
    for document in range(20):
        rows = events.document == document
        assert len(set(events.past[rows].tolist())) == 1
        cast = Counter(events.person[rows].tolist())
        assert sum(count for _, count in cast.most_common(2)) >= 0.5 * rows.sum()


def test_opposites_come_in_pairs(world: World) -> None:
    properties = np.array(world.classes["property"])
    opposites = world.opposite(properties)
    assert (world.opposite(opposites) == properties).all() and (opposites != properties).all()
    assert set(opposites.tolist()) == set(properties.tolist())
    assert world.opposite(np.array([-1])).tolist() == [-1]


def test_size_of_the_world() -> None:
    for concepts in (60, 320, 4000):
        world = world_of(SyntheticConfig(concepts=concepts))
        assert abs(world.concepts - concepts) <= 10
        assert [*world.classes.values()][-1].stop == world.concepts
