"""The algebra of axes: expands a study's blocks into points. Pure, and ignorant of cells.

A block is one part: a product (every combination), a zip (values paired one by one) or a union
(one after the other). A product and a zip take axes, or a list of parts; a union takes a list.
`where` keeps the points of a part that fulfil a condition. The points of a block are distinct. A
point gives each axis of its block one value and keeps the place where that value was written.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grid.conditions import Dropped, keep
from grid.language_sets import LanguageSets
from grid.named_sizes import SIZE_FIELDS, SIZE_PATH, written_out
from grid.schema import check_path, scalar_type
from grid.series import axis_values
from grid.solve import Solve, read_solve
from grid.tree import (
    Node,
    describe,
    expect_keys,
    expect_list,
    expect_mapping,
    expect_text,
    fail,
    found,
    near,
)

Point = dict[str, Node]
"""Axis path to the value it has at this point."""

KINDS = ("product", "zip", "union")
_PART_KEYS = (*KINDS, "where")
MAX_POINTS = 1_000_000
"""A product beyond this is a mistake: refused before it fills the memory."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One named block of a study."""

    name: str
    points: list[Point]
    paths: tuple[str, ...]
    """Axis paths that any of its points sets, in the order written, then what it solves for."""
    cell: Node | None
    """What the block lays over the cell that all share."""
    solve: tuple[Solve, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    """What its conditions left out, one for each `where`."""
    node: Node

    def decides(self, path: str) -> bool:
        """Whether no point takes the value at a cell's path from what the block shares."""
        if any(solve.at is None for solve in self.solve):
            return False  # a target is computed from the shared values
        if any(path in solve.sets for solve in self.solve):
            return True
        sized = path in SIZE_FIELDS
        return all(path in point or (sized and SIZE_PATH in point) for point in self.points)


@dataclass(frozen=True, kw_only=True)
class _Part:
    points: list[Point]
    paths: tuple[str, ...]
    dropped: tuple[Dropped, ...] = ()


def read_blocks(
    axes: Node | None, everything: Node, sets: LanguageSets | None = None
) -> list[Block]:
    """The blocks that a study declares; one of a single point if it declares none.

    everything: the study, for the place of messages. sets: the study's language sets, which
    conditions may count. Raises StudyError.
    """
    if axes is None:
        return [Block(name="single", points=[{}], paths=(), cell=None, node=everything)]
    reader = _Reader(sets or LanguageSets(None))
    blocks: dict[str, Block] = {}
    for number, node in enumerate(expect_list(axes, "axes")):
        block = reader.block(node, f"axes[{number}]")
        if block.name in blocks:
            raise fail(
                node, "axes", f"two blocks are named {block.name!r}; a block's name is its own"
            )
        blocks[block.name] = block
    if not blocks:
        raise fail(axes, "axes", "expected at least one block, found an empty list")
    return list(blocks.values())


def block_name(node: Node, key: str) -> str:
    """The name of a block that may be incomplete."""
    mapping = expect_mapping(node, key)
    if "name" not in mapping:
        raise fail(node, key, "expected a `name` for the block")
    return expect_text(mapping["name"], f"{key}.name")


class _Reader:
    """Reads blocks and the parts within them."""

    def __init__(self, sets: LanguageSets) -> None:
        self.sets = sets

    def block(self, node: Node, key: str) -> Block:
        name = block_name(node, key)
        key = f"axes[{name}]"
        mapping = expect_keys(node, key, ("name", *_PART_KEYS, "cell", "solve"))
        if mapping.get("cell") is not None:
            expect_mapping(mapping["cell"], f"{key}.cell")
        part = _Part(points=[{}], paths=())
        if any(kind in mapping for kind in _PART_KEYS):
            part = self.part(node, key)
        _refuse_repeated(part.points, node, key)
        solve = read_solve(mapping.get("solve"), part.paths, f"{key}.solve")
        return Block(
            name=name,
            points=part.points,
            paths=(*part.paths, *(item.path for item in solve)),
            cell=mapping.get("cell"),
            solve=solve,
            dropped=part.dropped,
            node=node,
        )

    def part(self, node: Node, key: str) -> _Part:
        """One product, zip or union, with its `where`."""
        mapping = expect_mapping(node, key)
        kinds = [kind for kind in KINDS if kind in mapping]
        if len(kinds) != 1:
            told = " and ".join(sorted(kinds)) or "none"
            raise fail(node, key, f"expected one of {', '.join(KINDS)}, found {told}")
        (kind,) = kinds
        inner, where = mapping[kind], mapping.get("where")
        if kind == "union" or isinstance(inner.value, list):
            part = self.parts(kind, inner, f"{key}.{kind}")
        else:
            part = self.axes(kind, inner, f"{key}.{kind}")
        if where is None:
            return part
        kept, dropped = keep(part.points, part.paths, where, f"{key}.where", self.sets)
        return _Part(points=kept, paths=part.paths, dropped=(*part.dropped, dropped))

    def parts(self, kind: str, node: Node, key: str) -> _Part:
        """A list of parts, each a part or plain axes, which are a product."""
        parts = []
        for number, item in enumerate(expect_list(node, key)):
            where = f"{key}[{number}]"
            mapping = expect_mapping(item, where)
            if any(name in _PART_KEYS for name in mapping):
                expect_keys(item, where, _PART_KEYS)
                parts.append(self.part(item, where))
            else:
                parts.append(self.axes("product", item, where))
        if not parts:
            raise fail(node, key, f"expected at least one product or zip, found an empty {kind}")
        if kind != "union":
            _refuse_shared_paths(parts, node, key)
        lists = [part.points for part in parts]
        if kind == "union":
            points = [point for part in lists for point in part]
        elif kind == "product":
            _refuse_huge([len(part) for part in lists], node, key)
            points = [_joined(factors) for factors in itertools.product(*lists)]
        else:
            _refuse_uneven({f"part {i}": len(part) for i, part in enumerate(lists, 1)}, node, key)
            points = [_joined(factors) for factors in zip(*lists, strict=True)]
        return _Part(
            points=points,
            paths=tuple(dict.fromkeys(path for part in parts for path in part.paths)),
            dropped=tuple(dropped for part in parts for dropped in part.dropped),
        )

    def axes(self, kind: str, node: Node, key: str) -> _Part:
        """A product or zip of axes."""
        axes = {}
        for path, values in expect_mapping(node, key).items():
            where = f"{key}.{path}"
            if path == "seed":
                raise fail(values, where, "seeds belong in `replicates`, not on an axis")
            check_path(path, values, where)
            axes[path] = axis_values(values, where, scalar_type(path))
            if path == SIZE_PATH:
                for value in axes[path]:
                    written_out(value, where)
        if not axes:
            raise fail(node, key, f"expected at least one axis, found an empty {kind}")
        points = product(axes, node, key) if kind == "product" else paired(axes, node, key)
        return _Part(points=points, paths=tuple(axes))


def product(axes: Mapping[str, Sequence[Node]], node: Node, key: str) -> list[Point]:
    """Every combination, the last axis varying fastest."""
    _refuse_huge([len(values) for values in axes.values()], node, key)
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def paired(axes: Mapping[str, Sequence[Node]], node: Node, key: str) -> list[Point]:
    """The values of all axes side by side."""
    _refuse_uneven({path: len(values) for path, values in axes.items()}, node, key)
    return [dict(zip(axes, values, strict=True)) for values in zip(*axes.values(), strict=True)]


def _joined(factors: Sequence[Point]) -> Point:
    return {path: value for factor in factors for path, value in factor.items()}


def _refuse_huge(lengths: Sequence[int], node: Node, key: str) -> None:
    size = math.prod(lengths)
    if size > MAX_POINTS:
        raise fail(node, key, f"expected at most {MAX_POINTS:,} points, found {size:,}")


def _refuse_uneven(lengths: Mapping[str, int], node: Node, key: str) -> None:
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise fail(node, key, f"expected as many values on every axis of a zip, found {counts}")


def _refuse_shared_paths(parts: Sequence[_Part], node: Node, key: str) -> None:
    counts = Counter(path for part in parts for path in part.paths)
    twice = [path for path, count in counts.items() if count > 1]
    if twice:
        raise fail(node, key, f"two parts set {', '.join(twice)}; each axis stands in one of them")


def _refuse_repeated(points: Sequence[Point], node: Node, key: str) -> None:
    texts: dict[int, str] = {}
    seen: set[frozenset[tuple[str, str]]] = set()
    for point in points:
        for value in point.values():
            if id(value) not in texts:
                texts[id(value)] = json.dumps(value.plain())
        identity = frozenset((path, texts[id(value)]) for path, value in point.items())
        if identity in seen:
            place = next((value for value in point.values()), node)
            raise fail(place, key, f"yields the point {describe(point)} twice")
        seen.add(identity)


def choose_blocks(blocks: Sequence[Block], chosen: Node | None) -> list[Block]:
    """The blocks that `blocks` names (`all`, one name, or a list of names), in study order."""
    if chosen is None or chosen.value == "all":
        return list(blocks)
    names = [chosen] if isinstance(chosen.value, str) else expect_list(chosen, "blocks")
    if not names:
        raise fail(chosen, "blocks", "expected `all` or at least one block, found an empty list")
    legal = [block.name for block in blocks]
    wanted = {expect_text(name, "blocks") for name in names}
    for name in names:
        if name.value not in legal:
            raise fail(
                name,
                "blocks",
                f"unknown block {name.value!r}{near(name.value, legal)}; expected `all` or some "
                f"of {', '.join(legal)}",
            )
    return [block for block in blocks if block.name in wanted]


def read_replicates(node: Node | None, seed: int) -> list[int]:
    """The seeds of every point: those of `replicates`, or the cell's own."""
    if node is None:
        return [seed]
    seeds = expect_keys(node, "replicates", ("seed",)).get("seed")
    if seeds is None:
        return [seed]
    values = axis_values(seeds, "replicates.seed", int)
    for value in values:
        if type(value.value) is not int:
            raise fail(value, "replicates.seed", f"expected int, found {found(value)}")
    numbers = [value.value for value in values]
    repeated = sorted(number for number, count in Counter(numbers).items() if count > 1)
    if repeated:
        raise fail(seeds, "replicates.seed", f"expected each seed once, found {repeated} again")
    return numbers
