"""Reads the `claims` of a study: what each one says, and the comparison that it stands for.

    expect: {metric: xnli.accuracy, over: xlm-7, of: POINT, VERB: ...}

A POINT is a block and values of axes: {block: fixed width, languages: xlm-100}. VERB is one of
`above`, `below`, `on par with` (a POINT or several) and `rises along`, `falls along` (an axis, of
which `of` says nothing). What is read here is text of the right form; which cells it means, and
whether there are any, points.py finds out.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from grid.language_sets import LanguageSets
from grid.numbers import suffixed
from grid.tree import Node, expect_keys, expect_list, expect_mapping, expect_text, fail, found, near
from model.task_config import REGIMES

VERSUS = ("above", "below", "on par with")
ALONG = ("rises along", "falls along")
VERBS = (*VERSUS, *ALONG)
MILESTONE = "milestone"
FIRST, LAST = "first", "last"
"""Values of an axis, or points of a block, by their place."""
_MEASURED = ("metric", "over", "regime", MILESTONE)
_POINT = ("block", "text", "averaged", "point")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is measured at a point."""

    metric: str | None = None
    over: tuple[str, ...] | None = None
    """The languages that the value is a mean over."""
    regime: str = "zero-shot"
    milestone: int | str | None = None
    """Updates, FIRST or LAST of the milestones; None: the end of pretraining."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """A point of the study as a claim names it."""

    block: str
    values: Mapping[str, Node]
    """By axis path, as written; FIRST and LAST among them."""
    text: str | None
    """The text that its cells are trained on: a source, or what a generated one is made after."""
    averaged: tuple[str, ...]
    """Axis paths whose points count together, as one mean."""
    place: str | None
    """FIRST or LAST of the points that the rest leaves; None: all of them."""
    measure: Measure
    node: Node
    key: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Expectation:
    """One comparison: a side is one point, or the difference of two."""

    kind: str
    """One of VERBS."""
    of: tuple[Point, ...]
    against: tuple[Point, ...] = ()
    along: str | None = None
    """The axis path of a trend, or MILESTONE."""
    margin: float | None = None
    node: Node
    key: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Claim:
    """A statement of a publication as testable comparisons, all of which must hold."""

    says: str
    source: str | None = None
    figure: str | None = None
    """The figure or table that shows it."""
    expect: tuple[Expectation, ...]
    node: Node = field(repr=False)


def read_claims(node: Node | None, sets: LanguageSets) -> tuple[Claim, ...]:
    """The claims of a study. Raises StudyError."""
    if node is None or node.value is None:
        return ()
    claims: dict[str, Claim] = {}
    for number, item in enumerate(expect_list(node, "claims")):
        key = f"claims[{number}]"
        mapping = expect_keys(item, key, ("says", "source", "figure", "expect"))
        for required in ("says", "expect"):
            if required not in mapping:
                raise fail(item, key, f"expected `{required}`")
        says = expect_text(mapping["says"], f"{key}.says")
        if says in claims:
            raise fail(mapping["says"], f"{key}.says", f"expected each claim once, found {says!r}")
        claims[says] = Claim(
            says=says,
            source=_optional(mapping.get("source"), f"{key}.source"),
            figure=_optional(mapping.get("figure"), f"{key}.figure"),
            expect=_Reader(sets).expectations(mapping["expect"], f"{key}.expect"),
            node=item,
        )
    return tuple(claims.values())


def _optional(node: Node | None, key: str) -> str | None:
    return None if node is None or node.value is None else expect_text(node, key)


class _Reader:
    """Reads one `expect`."""

    def __init__(self, sets: LanguageSets) -> None:
        self.sets = sets

    def expectations(self, node: Node, key: str) -> tuple[Expectation, ...]:
        """One mapping, or a list of them; against several points, one comparison with each."""
        if not isinstance(node.value, list):
            return self.expectation(node, key)
        if not node.value:
            raise fail(node, key, "expected at least one comparison, found an empty list")
        items = [self.expectation(item, f"{key}[{i}]") for i, item in enumerate(node.value)]
        return tuple(each for item in items for each in item)

    def expectation(self, node: Node, key: str) -> tuple[Expectation, ...]:
        mapping = expect_keys(node, key, (*_MEASURED, "of", *VERBS, "margin"))
        verbs = [verb for verb in VERBS if verb in mapping]
        if len(verbs) != 1 or "of" not in mapping:
            told = ", ".join(mapping) or "an empty mapping"
            raise fail(node, key, f"expected `of` and one of {', '.join(VERBS)}, found {told}")
        (verb,) = verbs
        shared = self.measure(mapping, Measure(), key)
        margin = self.margin(mapping.get("margin"), verb, node, key)
        of = self.side(mapping["of"], shared, f"{key}.of")
        other = mapping[verb]
        made = Expectation(kind=verb, of=of, margin=margin, node=node, key=key)
        if verb in ALONG:
            return (replace(made, along=expect_text(other, f"{key}.{verb}")),)
        others = other.value if isinstance(other.value, list) else [other]
        if not others:
            raise fail(other, f"{key}.{verb}", "expected at least one point, found an empty list")
        sides = [self.side(item, shared, f"{key}.{verb}") for item in others]
        return tuple(replace(made, against=side) for side in sides)

    def margin(self, item: Node | None, verb: str, node: Node, key: str) -> float | None:
        if item is None:
            if verb == "on par with":
                told = "expected a `margin`: the largest difference that still counts as on par"
                raise fail(node, key, told)
            return None
        value = item.value
        if type(value) not in (int, float) or not 0 < value < math.inf:
            told = "expected a number above 0, in the metric's unit"
            raise fail(item, f"{key}.margin", f"{told}, found {found(item)}")
        return float(value)

    def side(self, node: Node, shared: Measure, key: str) -> tuple[Point, ...]:
        """A point, or the two of a difference, with what is measured there."""
        mapping = expect_mapping(node, key)
        if "difference" not in mapping:
            return (self.point(node, shared, key),)
        expect_keys(node, key, (*_MEASURED, "difference"))
        own = self.measure(mapping, shared, key)
        two = expect_list(mapping["difference"], f"{key}.difference")
        if len(two) != 2:
            told = f"expected two points, the first minus the second, found {len(two)}"
            raise fail(mapping["difference"], f"{key}.difference", told)
        return tuple(self.point(item, own, f"{key}.difference[{i}]") for i, item in enumerate(two))

    def point(self, node: Node, shared: Measure, key: str) -> Point:
        mapping = expect_mapping(node, key)
        if "block" not in mapping:
            raise fail(node, key, "expected a `block`: a point is {block: NAME, AXIS: VALUE, ...}")
        measure = self.measure(mapping, shared, key)
        for name in ("metric", "over"):
            if getattr(measure, name) is None:
                raise fail(node, key, f"expected `{name}`, here or beside `of`")
        averaged = mapping.get("averaged")
        paths = averaged.value if averaged and isinstance(averaged.value, list) else [averaged]
        values = {name: item for name, item in mapping.items() if name not in (*_MEASURED, *_POINT)}
        for name, item in values.items():
            if isinstance(item.value, dict) or item.value is None:
                raise fail(item, f"{key}.{name}", f"expected a value, found {found(item)}")
        return Point(
            block=expect_text(mapping["block"], f"{key}.block"),
            values=values,
            text=_optional(mapping.get("text"), f"{key}.text"),
            averaged=tuple(expect_text(path, f"{key}.averaged") for path in paths if path),
            place=_place(mapping.get("point"), f"{key}.point"),
            measure=measure,
            node=node,
            key=key,
        )

    def measure(self, mapping: Mapping[str, Node], shared: Measure, key: str) -> Measure:
        readers: dict[str, Callable[[Node, str], object]] = {
            "metric": expect_text,
            "over": lambda node, where: tuple(self.sets.resolve(node, where)),
            "regime": _regime,
            MILESTONE: _milestone,
        }
        own = {
            name: read(mapping[name], f"{key}.{name}")
            for name, read in readers.items()
            if name in mapping
        }
        return replace(shared, **own)  # type: ignore[arg-type]


def _place(node: Node | None, key: str) -> str | None:
    if node is not None and node.value not in (FIRST, LAST):
        raise fail(node, key, f"expected {FIRST} or {LAST}, found {found(node)}")
    return None if node is None else str(node.value)


def _regime(node: Node, key: str) -> str:
    regime = expect_text(node, key)
    if regime not in REGIMES:
        told = f"unknown regime {regime!r}{near(regime, REGIMES)}; expected one of "
        raise fail(node, key, told + ", ".join(REGIMES))
    return regime


def _milestone(node: Node, key: str) -> int | str:
    if node.value in (FIRST, LAST):
        return str(node.value)
    updates = suffixed(node.value) if isinstance(node.value, str) else node.value
    if type(updates) is int and updates > 0:
        return updates
    raise fail(node, key, f"expected a number of updates, {FIRST} or {LAST}, found {found(node)}")
