"""Tells a claim that does not apply at one scale from one that is misspelt.

A point may be absent here for two reasons: another scale has it, or nobody has, and then a block,
an axis or a value is not what was meant.
"""

from collections.abc import Iterable
from typing import Any

from grid.axes import read_blocks
from grid.claims.points import Absent, BoundClaim, typed
from grid.language_sets import LanguageSets
from grid.tree import Node, fail, near, written
from model.config import PROFILES

_Axes = dict[str, dict[str, list[Node]]]
"""Of each block, the values of each axis at any scale; none where they are solved for."""


def refuse_misspelt(
    claims: Iterable[BoundClaim], scales: Iterable[Node], sets: LanguageSets
) -> None:
    """Raises StudyError for a claim that names what the study has at no scale.

    scales: the study as its files say it at each scale, and without one.
    """
    absent = [bound.absent for bound in claims if bound.absent and bound.absent.path is not None]
    if absent:
        axes = _axes(scales)
        for each in absent:
            _refuse(each, axes, sets)


def _refuse(absent: Absent, axes: _Axes, sets: LanguageSets) -> None:
    point, path = absent.point, str(absent.path)
    if path == "text":
        _refuse_text(absent, axes)
        return
    if point.block not in axes:
        told = f"unknown block {point.block!r}{near(point.block, axes)}; expected one of "
        raise fail(point.node, point.key, told + ", ".join(axes))
    if path == "block":
        return
    values = axes[point.block].get(path)
    if values is None:
        told = f"{path} is no axis of block {point.block!r} at any scale; expected one of "
        raise fail(point.node, point.key, told + ", ".join(axes[point.block]))
    node, key = point.values.get(path), f"{point.key}.{path}"
    if node is None:
        return
    wanted: Any = typed(path, node, key, sets)
    if values and all(typed(path, value, key, sets) != wanted for value in values):
        there = list(dict.fromkeys(str(written(value)) for value in values))
        meant = near(str(written(node)), there)
        told = f"no point of block {point.block!r} has {written(node)} at any scale{meant}"
        raise fail(node, key, f"{told}; expected one of {', '.join(there)}")


def _refuse_text(absent: Absent, axes: _Axes) -> None:
    paths = ("corpus.source", "corpus.synthetic.profile")
    values = [v for block in axes.values() for path in paths for v in block.get(path, [])]
    text, there = str(absent.point.text), {*PROFILES, *(str(value.value) for value in values)}
    meant = near(text, there)
    if text not in there and meant:
        told = f"no block is made of the text {text!r}{meant}"
        raise fail(absent.point.node, f"{absent.point.key}.text", told)


def _axes(scales: Iterable[Node]) -> _Axes:
    axes: _Axes = {}
    for tree in scales:
        top = tree.value
        for block in read_blocks(top.get("axes"), tree, LanguageSets(top.get("language_sets"))):
            own = axes.setdefault(block.name, {})
            for path in block.paths:
                own.setdefault(path, [])
            for point in block.points:
                for path, value in point.items():
                    own[path].append(value)
    return axes
