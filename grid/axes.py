"""The algebra of axes: expands a study's blocks into points. Pure, and ignorant of cells.

A block is a product (every combination), a zip (values paired one by one) or a union of such; its
points are distinct. A point gives each axis of its block one value and keeps the place where that
value was written.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grid.schema import check_path
from grid.tree import Node, expect_keys, expect_list, expect_mapping, expect_text, fail, found, near

Point = dict[str, Node]
"""Axis path to the value it has at this point."""

KINDS = ("product", "zip", "union")
MAX_POINTS = 1_000_000
"""A product beyond this is a mistake: refused before it fills the memory."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One named block of a study."""

    name: str
    points: list[Point]
    cell: Node | None
    """What the block lays over the cell that all share."""
    node: Node

    @property
    def paths(self) -> tuple[str, ...]:
        """Axis paths that any of its points sets, in the order written."""
        return tuple(dict.fromkeys(path for point in self.points for path in point))


def read_blocks(axes: Node | None, everything: Node) -> list[Block]:
    """The blocks that a study declares; one of a single point if it declares none.

    everything: the study, for the place of messages. Raises StudyError.
    """
    if axes is None:
        return [Block(name="single", points=[{}], cell=None, node=everything)]
    blocks: dict[str, Block] = {}
    for number, node in enumerate(expect_list(axes, "axes")):
        block = _read_block(node, f"axes[{number}]")
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


def _read_block(node: Node, key: str) -> Block:
    name = block_name(node, key)
    key = f"axes[{name}]"
    mapping = expect_keys(node, key, ("name", *KINDS, "cell"))
    if mapping.get("cell") is not None:
        expect_mapping(mapping["cell"], f"{key}.cell")
    kinds = {kind: mapping[kind] for kind in KINDS if kind in mapping}
    if len(kinds) > 1:
        raise fail(
            node, key, f"expected one of {', '.join(KINDS)}, found {' and '.join(sorted(kinds))}"
        )
    points: list[Point] = [{}]
    for kind, part in kinds.items():
        points = _expand(kind, part, f"{key}.{kind}")
    _refuse_repeated(points, node, key)
    return Block(name=name, points=points, cell=mapping.get("cell"), node=node)


def _expand(kind: str, node: Node, key: str) -> list[Point]:
    if kind != "union":
        axes = {
            path: axis_values(values, f"{key}.{path}")
            for path, values in expect_mapping(node, key).items()
        }
        for path, values in node.value.items():
            if path == "seed":
                raise fail(values, f"{key}.seed", "seeds belong in `replicates`, not on an axis")
            check_path(path, values, f"{key}.{path}")
        if not axes:
            raise fail(node, key, f"expected at least one axis, found an empty {kind}")
        return product(axes, node, key) if kind == "product" else paired(axes, node, key)
    points: list[Point] = []
    for number, part in enumerate(expect_list(node, key)):
        where = f"{key}[{number}]"
        for inner, axes_node in expect_keys(part, where, KINDS).items():
            points += _expand(inner, axes_node, f"{where}.{inner}")
    if not points:
        raise fail(node, key, "expected at least one product or zip, found an empty union")
    return points


def product(axes: Mapping[str, Sequence[Node]], node: Node, key: str) -> list[Point]:
    """Every combination, the last axis varying fastest."""
    size = math.prod(len(values) for values in axes.values())
    if size > MAX_POINTS:
        raise fail(node, key, f"expected at most {MAX_POINTS:,} points, found {size:,}")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def paired(axes: Mapping[str, Sequence[Node]], node: Node, key: str) -> list[Point]:
    """The values of all axes side by side."""
    lengths = {path: len(values) for path, values in axes.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{path} has {count}" for path, count in lengths.items())
        raise fail(node, key, f"expected as many values on every axis of a zip, found {counts}")
    return [dict(zip(axes, values, strict=True)) for values in zip(*axes.values(), strict=True)]


def axis_values(node: Node, key: str) -> list[Node]:
    """The values of one axis: a list, or {range: [first, last]} with both ends included."""
    if isinstance(node.value, dict):
        limits = expect_keys(node, key, ("range",)).get("range")
        pair = [] if limits is None else expect_list(limits, f"{key}.range")
        numbers = [item.value for item in pair]
        if len(numbers) != 2 or any(type(number) is not int for number in numbers):
            raise fail(node, key, "expected {range: [first, last]} with two whole numbers")
        first, last = numbers
        if first > last:
            raise fail(node, key, f"expected first <= last in range, found [{first}, {last}]")
        if last - first >= MAX_POINTS:
            raise fail(node, key, f"expected at most {MAX_POINTS:,} values in range")
        return [Node(number, node.origin) for number in range(first, last + 1)]
    if not isinstance(node.value, list):
        raise fail(
            node, key, f"expected a list of values or {{range: [first, last]}}, found {found(node)}"
        )
    if not node.value:
        raise fail(node, key, "expected at least one value: with none, the block would be empty")
    return node.value


def _refuse_repeated(points: Sequence[Point], node: Node, key: str) -> None:
    seen: set[str] = set()
    for point in points:
        identity = json.dumps({path: value.plain() for path, value in sorted(point.items())})
        if identity in seen:
            place = next((value for value in point.values()), node)
            raise fail(place, key, f"yields the point {describe(point)} twice")
        seen.add(identity)


def describe(point: Mapping[str, Node]) -> str:
    """A point in a message: `languages=xlm-7, encoder.width=768`."""
    return ", ".join(f"{path}={written(value)}" for path, value in point.items()) or "(no axis)"


def written(node: Node) -> str | int | float | bool | None:
    """An axis value as a coordinate: as written, a list as its items with commas between."""
    if isinstance(node.value, list):
        return ",".join(str(item.plain()) for item in node.value)
    return node.plain()


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
    values = axis_values(seeds, "replicates.seed")
    for value in values:
        if type(value.value) is not int:
            raise fail(value, "replicates.seed", f"expected int, found {found(value)}")
    numbers = [value.value for value in values]
    repeated = sorted(number for number, count in Counter(numbers).items() if count > 1)
    if repeated:
        raise fail(seeds, "replicates.seed", f"expected each seed once, found {repeated} again")
    return numbers
