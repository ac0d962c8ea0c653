"""Natural language inference over the synthetic world, written in XNLI's own file format.

A premise is an event with some of its details. What says no more of it is entailed; what adds a
detail that the premise leaves open is neutral; what denies it, or names the opposite property,
another place or another number, contradicts it. Negation denies the event and presupposes its
details: these rules hold for denied premises too. The same examples are rendered in every language,
as XNLI's were translated.
"""

from collections.abc import Iterator

import numpy as np

from model.config import SyntheticConfig
from model.text.synthetic import world_of
from model.text.synthetic.grammar import Grammar
from model.text.synthetic.randomness import generator
from model.text.synthetic.world import Events, World

LABELS = ("entailment", "neutral", "contradiction")
_DETAILS = ("person_property", "thing_property", "place", "number")


def examples(config: SyntheticConfig, split: str, count: int) -> tuple[Events, Events, np.ndarray]:
    """Premises, hypotheses and labels (places in LABELS, balanced); different in each split."""
    world = world_of(config)
    rng = generator(config.seed, "inference", split)
    premises = _premises(world, rng, count)
    label = rng.permutation(np.arange(count) % len(LABELS))
    less = _drop_details(rng, premises)
    more = _add_detail(world, rng, less, premises)
    denied = _deny(world, rng, less, premises)
    hypotheses = less
    for value, changed in ((1, more), (2, denied)):
        columns = {
            name: np.where(label == value, getattr(changed, name), getattr(hypotheses, name))
            for name in (*_DETAILS, "negated")
        }
        hypotheses = hypotheses.replace(**columns)
    return premises, hypotheses, label


def _values(world: World) -> dict[str, range]:
    """What each detail may be."""
    properties = world.classes["property"]
    ranges = (properties, properties, world.classes["place"], range(2, 20))
    return dict(zip(_DETAILS, ranges, strict=True))


def _premises(world: World, rng: np.random.Generator, count: int) -> Events:
    """Events that say at least one detail and leave at least one open."""
    events = world.sample(rng, count // 2 + 50)
    n = len(events)
    fuller = {}
    for name, values in _values(world).items():
        said = getattr(events, name)
        extra = rng.integers(values.start, values.stop, size=n)
        fuller[name] = np.where((said < 0) & (rng.random(n) < 0.3), extra, said)
    events = events.replace(**fuller)
    details = sum((getattr(events, name) >= 0).astype(int) for name in _DETAILS)
    usable = np.flatnonzero((details >= 1) & (details <= 3))
    return events.take(rng.permutation(usable)[:count])


def _drop_details(rng: np.random.Generator, premises: Events) -> Events:
    """Each detail is dropped with probability 0.6."""
    n = len(premises)
    dropped = {
        name: np.where(rng.random(n) < 0.6, -1, getattr(premises, name)) for name in _DETAILS
    }
    return premises.replace(**dropped)


def _add_detail(world: World, rng: np.random.Generator, less: Events, premises: Events) -> Events:
    """One detail that the premise leaves open is filled in at random."""
    n = len(less)
    open_details = np.stack([getattr(premises, name) < 0 for name in _DETAILS], axis=1)
    choice = np.argmax(open_details * rng.random((n, len(_DETAILS))), axis=1)
    columns = {}
    for i, (name, values) in enumerate(_values(world).items()):
        new = rng.integers(values.start, values.stop, size=n)
        columns[name] = np.where(choice == i, new, getattr(less, name))
    return less.replace(**columns)


def _deny(world: World, rng: np.random.Generator, less: Events, premises: Events) -> Events:
    """The opposite property, another place or number, or, where there is none, a negation."""
    n = len(less)
    way = rng.integers(0, 6, size=n)
    number = (way >= 4) & (premises.number >= 0)
    other_number = 2 + (premises.number - 2 + rng.integers(1, 18, size=n)) % 18
    person = (way == 0) & (premises.person_property >= 0)
    thing = (way == 1) & (premises.thing_property >= 0)
    place = (way == 2) & (premises.place >= 0)
    places = world.classes["place"]
    elsewhere = places.start + (
        premises.place - places.start + rng.integers(1, len(places), size=n)
    ) % len(places)
    return less.replace(
        person_property=np.where(
            person, world.opposite(premises.person_property), less.person_property
        ),
        thing_property=np.where(
            thing, world.opposite(premises.thing_property), less.thing_property
        ),
        place=np.where(place, elsewhere, less.place),
        number=np.where(number, other_number, less.number),
        negated=np.where(person | thing | place | number, less.negated, ~less.negated),
    )


def rendered(
    config: SyntheticConfig, language: str, split: str, count: int
) -> Iterator[tuple[str, str, str]]:
    """(premise, hypothesis, label) of each example in one language."""
    premises, hypotheses, label = examples(config, split, count)
    grammar = Grammar(config, world_of(config), language)
    pairs = zip(grammar.sentences(premises), grammar.sentences(hypotheses), label, strict=True)
    for premise, hypothesis, place in pairs:
        yield premise, hypothesis, LABELS[place]
