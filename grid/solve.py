"""Solved values: `solve: {encoder.width: {hold: formula_parameters, at: 183.2M, within: 1.5%}}`.

What a block holds constant while its axes vary: at each point, the value is taken that brings the
held quantity nearest to its target. Every quantity grows with what it is solved for, so the nearest
legal value is one of two, found by bisection. Out of tolerance is an error.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from grid import sizes
from grid.named_sizes import SIZE_PATH, spread
from grid.numbers import percentage, significant
from grid.schema import check, leaf_hint
from grid.tree import Node, expect_keys, expect_mapping, expect_text, fail, found, near
from model.config import EncoderConfig, PretrainingConfig

_WITHIN = 0.01
"""Relative tolerance unless `within` says another."""
_LARGEST = 2**50
"""No value that is solved for comes near this."""
_LEGAL = ("hold", "at", "within", "multiple_of", "head_size")
_WIDTH, _LAYERS, _HEADS = "encoder.width", "encoder.layers", "encoder.heads"
_UPDATES, _BATCH = "pretraining.updates", "pretraining.batch_size"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What of a cell the held quantities depend on."""

    encoder: EncoderConfig
    pretraining: PretrainingConfig
    vocab_size: int

    @property
    def rows(self) -> int:
        return sizes.embedding_rows(self.vocab_size, self.encoder)

    def having(self, path: str, value: int) -> "Shape":
        """The same with another value at one of the paths that can be solved for."""
        part, name = path.split(".")
        return replace(self, **{part: replace(getattr(self, part), **{name: value})})


HOLDS: dict[str, tuple[Callable[[Shape], float], tuple[str, ...]]] = {
    "parameters": (lambda s: sizes.parameters(s.encoder, s.rows), (_WIDTH, _LAYERS)),
    "formula_parameters": (
        lambda s: sizes.formula_parameters(s.encoder, s.vocab_size),
        (_WIDTH, _LAYERS),
    ),
    "non_embedding_parameters": (
        lambda s: sizes.non_embedding_parameters(s.encoder),
        (_WIDTH, _LAYERS),
    ),
    "training_flops": (
        lambda s: sizes.training_flops(s.encoder, s.rows, s.pretraining),
        (_WIDTH, _LAYERS, _UPDATES, _BATCH),
    ),
    "tokens": (lambda s: sizes.tokens(s.pretraining), (_UPDATES, _BATCH)),
}
"""What can be held, and what each grows with."""
SOLVABLE = (_WIDTH, _LAYERS, _UPDATES, _BATCH)
SHAPE_PATHS = (
    "encoder.layers",
    "encoder.width",
    "encoder.feed_forward",
    "encoder.max_positions",
    "encoder.pad_vocab_to",
    "tokenizer.vocab_size",
    "pretraining.updates",
    "pretraining.batch_size",
    "pretraining.sequence_length",
    "pretraining.mask_probability",
)


@dataclass(frozen=True, kw_only=True)
class Solve:
    """One value that a block solves for."""

    path: str
    hold: str
    at: float | None
    """The target, or None where `reference` has it."""
    reference: Mapping[str, Node]
    """Values over the block's cell, whose held quantity is the target."""
    within: float
    multiple_of: int | None
    head_size: int | None
    node: Node

    @cached_property
    def any_value(self) -> Node:
        """A legal value, for where one must stand before the right one is found."""
        return Node(1, self.node.origin)

    @property
    def sets(self) -> tuple[str, ...]:
        """The paths that it decides at every point."""
        return (self.path,) if self.head_size is None else (self.path, _HEADS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Solved:
    """A value that was solved for: what was held, at which target, and what came out."""

    hold: str
    value: int
    target: float
    actual: float

    def __str__(self) -> str:
        actual, target = significant(self.actual), significant(self.target)
        return f"{self.hold} {actual}, held at {target} ({self.actual / self.target - 1:+.2%})"


def read_solve(node: Node | None, axes: Sequence[str], key: str) -> tuple[Solve, ...]:
    """What a block solves for, in the order written: each sees the values before it.

    axes: the block's own, which must not be solved for too. Raises StudyError.
    """
    solves: list[Solve] = []
    for path, item in {} if node is None else expect_mapping(node, key).items():
        where = f"{key}.{path}"
        if path not in SOLVABLE:
            legal = ", ".join(SOLVABLE)
            meant = near(path, SOLVABLE)
            raise fail(item, where, f"cannot be solved for{meant}; expected one of {legal}")
        solve = _read(path, item, where)
        for taken in solve.sets:
            if taken in axes:
                raise fail(item, where, f"{taken} is an axis of this block as well; leave one out")
        solves.append(solve)
    return tuple(solves)


def _read(path: str, node: Node, key: str) -> Solve:
    written = expect_keys(node, key, _LEGAL)
    for required in ("hold", "at"):
        if required not in written:
            raise fail(node, key, f"expected `{required}`")
    hold = expect_text(written["hold"], f"{key}.hold")
    if hold not in HOLDS:
        told = f"unknown quantity {hold!r}{near(hold, HOLDS)}; expected one of {', '.join(HOLDS)}"
        raise fail(written["hold"], f"{key}.hold", told)
    if path not in HOLDS[hold][1]:
        told = f"{hold} does not depend on {path}; it grows with {', '.join(HOLDS[hold][1])}"
        raise fail(written["hold"], f"{key}.hold", told)
    head_size = _whole(written.get("head_size"), f"{key}.head_size")
    if head_size is not None and path != _WIDTH:
        raise fail(written["head_size"], f"{key}.head_size", f"goes with {_WIDTH} only")
    at, reference = _target(written["at"], f"{key}.at")
    return Solve(
        path=path,
        hold=hold,
        at=at,
        reference=reference,
        within=_within(written.get("within"), f"{key}.within"),
        multiple_of=_whole(written.get("multiple_of"), f"{key}.multiple_of"),
        head_size=head_size,
        node=node,
    )


def _target(node: Node, key: str) -> tuple[float | None, dict[str, Node]]:
    """A number, or the values of the cell that has the target."""
    if not isinstance(node.value, dict):
        target = check(node, float, key)
        if target <= 0:
            raise fail(node, key, f"expected more than 0, found {node.value}")
        return target, {}
    legal = (SIZE_PATH, *SHAPE_PATHS)
    return None, spread(expect_keys(node, key, legal), key)


def _within(node: Node | None, key: str) -> float:
    if node is None:
        return _WITHIN
    share = percentage(node.value) if isinstance(node.value, str) else node.value
    if share is None or type(share) not in (int, float) or not 0 <= share < 1:
        raise fail(node, key, f"expected a share such as 1.5% or 0.015, found {found(node)}")
    return float(share)


def _whole(node: Node | None, key: str) -> int | None:
    if node is None:
        return None
    value: int = check(node, int, key)
    if value < 1:
        raise fail(node, key, f"expected at least 1, found {value}")
    return value


def shape(value: Callable[[str], Any]) -> Shape:
    """The shape of the cell that has `value(path)` at each path."""
    parts: dict[str, dict[str, Any]] = {"encoder": {}, "tokenizer": {}, "pretraining": {}}
    for path in SHAPE_PATHS:
        part, name = path.split(".")
        parts[part][name] = value(path)
    return Shape(
        # No quantity depends on the heads, which may have to follow the width.
        encoder=EncoderConfig(heads=1, **parts["encoder"]),
        pretraining=PretrainingConfig(**parts["pretraining"]),
        vocab_size=parts["tokenizer"]["vocab_size"],
    )


def target(solve: Solve, value: Callable[[str], Any]) -> float:
    """The number that a block holds; `value(path)` is the block's cell, without its axes."""
    if solve.at is not None:
        return solve.at
    typed = {
        path: check(node, leaf_hint(path), f"at.{path}")
        for path, node in solve.reference.items()
        if path in SHAPE_PATHS
    }
    held = HOLDS[solve.hold][0](shape(lambda path: typed[path] if path in typed else value(path)))
    if held <= 0:
        key = f"solve.{solve.path}.at"
        raise fail(solve.node, key, f"expected more than 0, found {solve.hold} of {held} there")
    return held


def solved(solve: Solve, at: Shape, target: float, heads: int, describe: str) -> Solved:
    """The legal value that brings the held quantity nearest to the target.

    heads: a width is a multiple of them, unless `head_size` lets them follow. describe: the point,
    for messages. Raises StudyError if nothing is within the tolerance.
    """
    step = solve.multiple_of or 1
    if solve.path == _WIDTH:
        step = math.lcm(step, solve.head_size or heads)
    measure = HOLDS[solve.hold][0]

    def held(count: int) -> float:
        return measure(at.having(solve.path, count * step))

    above = 1
    while held(above) < target and above * step < _LARGEST:
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        if held(middle) < target:
            below = middle
        else:
            above = middle
    count = min(
        (count for count in (below, above) if count > 0),
        key=lambda count: abs(held(count) - target),
    )
    found = Solved(hold=solve.hold, value=count * step, target=target, actual=held(count))
    if not abs(found.actual - target) <= solve.within * target:
        multiple = f"multiple of {step}" if step > 1 else "whole number"
        raise fail(
            solve.node,
            f"solve.{solve.path}",
            f"nothing within {100 * solve.within:g} % of {solve.hold} {significant(target)}: "
            f"the nearest {multiple} is {found.value}, which has {significant(found.actual)} "
            f"({found.actual / target - 1:+.2%}); widen `within` or change `multiple_of`{describe}",
        )
    return found
