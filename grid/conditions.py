"""`where`: keeps the points of a part that fulfil a condition, and counts those that it drops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grid.expression import ExpressionError, Value, parse
from grid.language_sets import LANGUAGE_PATHS, LanguageSets
from grid.tree import Node, describe, expect_text, fail, written

_NAMED = 3
"""Dropped points that a message names."""


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """What one `where` left out."""

    condition: str
    dropped: int
    points: int
    """How many there were."""

    def __str__(self) -> str:
        return f"{self.points:,} points, {self.dropped:,} dropped by where: {self.condition}"


def keep(
    points: Sequence[dict[str, Node]],
    paths: Sequence[str],
    node: Node,
    key: str,
    sets: LanguageSets,
) -> tuple[list[dict[str, Node]], Dropped]:
    """The points that fulfil the condition, and what it drops.

    Raises StudyError for a condition that is wrong or that no point fulfils. An axis that another
    part of a union varies is null at a point that does not set it.
    """
    text = expect_text(node, key)
    countable = [path for path in paths if path in LANGUAGE_PATHS]
    names = _Names(paths, countable, key, sets)
    kept: list[dict[str, Node]] = []
    dropped: list[dict[str, Node]] = []
    point: Mapping[str, Node] = {}
    try:
        condition = parse(text, paths, countable)
        for point in points:
            (kept if condition(names.at(point)) else dropped).append(point)
    except ExpressionError as error:
        at = f" at {describe(point)}" if point else ""
        raise fail(node, key, f"{text}: {error}{at}") from None
    if not kept:
        some = "; ".join(describe(point) for point in points[:_NAMED])
        more = f" and {len(points) - _NAMED:,} more" if len(points) > _NAMED else ""
        raise fail(node, key, f"{text}: drops every point: {some}{more}")
    return kept, Dropped(condition=text, dropped=len(dropped), points=len(points))


class _Names:
    """What a point's axes are called and worth in a condition; each value is worked out once."""

    def __init__(
        self, paths: Sequence[str], countable: Sequence[str], key: str, sets: LanguageSets
    ) -> None:
        counts = [f"count({path})" for path in countable]
        self.absent: dict[str, Value] = dict.fromkeys((*paths, *counts))
        self.countable, self.key, self.sets = set(countable), key, sets
        self.known: dict[tuple[str, int], dict[str, Value]] = {}

    def at(self, point: Mapping[str, Node]) -> dict[str, Value]:
        values = dict(self.absent)
        for path, node in point.items():
            identity = (path, id(node))
            if identity not in self.known:
                self.known[identity] = self._values(path, node)
            values.update(self.known[identity])
        return values

    def _values(self, path: str, node: Node) -> dict[str, Value]:
        values: dict[str, Value] = {path: written(node)}
        if path in self.countable and node.value is not None:
            values[f"count({path})"] = len(self.sets.resolve(node, f"{self.key}: {path}"))
        return values
