"""Cells: every point of a study with every seed, as complete and typed configurations.

What all points of a block share is checked once; a point then only sets its own values and rebuilds
the dataclasses that these touch, so that ten thousand cells take seconds. A mistake that shows only
at a point is reported where its value was written.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import attrgetter, getitem
from typing import Any

from grid.axes import Block, Point, describe, written
from grid.identity import digest
from grid.language_sets import LANGUAGE_PATHS, LanguageSets
from grid.schema import check, complete, hints, leaf_hint
from grid.tree import Node, fail, overlay
from model.config import CellConfig, TaskConfig
from model.errors import InputError

Coordinate = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One experiment of a study: the unit that results rows name."""

    id: str
    """Readable slug and the beginning of the configuration's digest."""
    number: int
    """Position in the plan, from 1."""
    seed: int
    config: CellConfig
    coordinates: dict[str, Coordinate]
    """Value on every axis of the study, as written; language sets by name."""
    blocks: tuple[str, ...]
    """The blocks that it stands in: those that share it."""


@dataclass(frozen=True, kw_only=True)
class Expansion:
    """All cells of a study, each once, and those of each block in the order of its points."""

    cells: list[Cell]
    members: dict[str, list[Cell]]


@dataclass(kw_only=True)
class _Group:
    """How to build one dataclass (or dict) of a cell: what is fixed and what a point decides."""

    build: Callable[..., Any]
    fixed: dict[str, Any] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    groups: "dict[str, _Group]" = field(default_factory=dict)

    def make(self, values: Mapping[str, Any]) -> Any:
        arguments = dict(self.fixed)
        for name, path in self.leaves.items():
            arguments[name] = values[path]
        for name, group in self.groups.items():
            arguments[name] = group.make(values)
        return self.build(**arguments)


def expand(
    *,
    shared: Node,
    blocks: Sequence[Block],
    paths: Sequence[str],
    seeds: Sequence[int],
    sets: LanguageSets,
) -> Expansion:
    """The cells of the blocks, in order; a cell that several blocks want is one cell.

    paths: every axis path of the study, also of blocks that are not run now.
    """
    members: dict[str, list[str]] = {}
    configs: dict[str, tuple[CellConfig, dict[str, Coordinate]]] = {}
    for block in blocks:
        template = _Template(shared, block, paths, sets)
        own = _distinct(template, seeds)
        members[block.name] = list(own)
        for identity, (point, config) in own.items():
            if identity not in configs:
                configs[identity] = (config, template.coordinates(point, config))
    holders: dict[str, list[str]] = {identity: [] for identity in configs}
    for name, identities in members.items():
        for identity in identities:
            holders[identity].append(name)
    short = 8 if len({identity[:8] for identity in configs}) == len(configs) else 16
    cells = {
        identity: Cell(
            id=f"{_slug(coordinates, config.seed)}-{identity[:short]}",
            number=number,
            seed=config.seed,
            config=config,
            coordinates=coordinates,
            blocks=tuple(holders[identity]),
        )
        for number, (identity, (config, coordinates)) in enumerate(configs.items(), 1)
    }
    return Expansion(
        cells=list(cells.values()),
        members={
            name: [cells[identity] for identity in identities]
            for name, identities in members.items()
        },
    )


def _distinct(template: "_Template", seeds: Sequence[int]) -> dict[str, tuple[Point, CellConfig]]:
    """A block's cells by the digest of their configuration; one that comes twice is refused."""
    own: dict[str, tuple[Point, CellConfig]] = {}
    for point in template.block.points:
        for seed in seeds:
            config = template.cell(point, seed)
            identity = digest(config)
            if identity in own:
                place = next(iter(point.values()), template.block.node)
                raise fail(
                    place,
                    f"axes[{template.block.name}]",
                    f"yields one cell twice: the point {describe(point)} is the same "
                    f"configuration as {describe(own[identity][0])}",
                )
            own[identity] = (point, config)
    return own


def block_cells(
    *, shared: Node, block: Block, seed: int, sets: LanguageSets
) -> Iterator[tuple[Point, CellConfig]]:
    """The points of one block with their configurations at one seed."""
    template = _Template(shared, block, (), sets)
    for point in block.points:
        yield point, template.cell(point, seed)


class _Template:
    """Builds the cells of one block."""

    def __init__(
        self, shared: Node, block: Block, paths: Sequence[str], sets: LanguageSets
    ) -> None:
        self.block, self.sets, self.paths = block, sets, paths
        self.shared = shared if block.cell is None else overlay(shared, block.cell)
        self.typed: dict[tuple[int, str], Any] = {}
        resolved = self.shared
        self.languages: dict[str, list[str] | None] = {}
        for path in LANGUAGE_PATHS:
            node = self.shared.find(path.split("."))
            value = node and node.value is not None
            codes = sets.resolve(node, f"cell.{path}") if node and value else None
            self.languages[path] = codes
            if node is not None and codes is not None:
                resolved = _replaced(resolved, path.split("."), Node.of(codes, node.origin))
        tree = complete(check(resolved, CellConfig, "cell"))
        for path in block.paths:
            self._require_task(path, tree)
        # What a point of a union does not set, for it is an axis of another part only.
        self.unset = {path: reduce(getitem, path.split("."), tree) for path in block.paths}
        touched = {*block.paths, *LANGUAGE_PATHS, "seed"}
        try:
            self.root = _group(CellConfig, tree, "", touched)
        except InputError as error:
            raise self._located(error, {}) from None

    def cell(self, point: Point, seed: int) -> CellConfig:
        """The configuration at a point. Raises StudyError, placed where the value was written."""
        values: dict[str, Any] = {**self.unset, "seed": seed}
        languages = dict(self.languages)
        for path, node in point.items():
            known = (id(node), path)
            if known not in self.typed:
                self.typed[known] = self._typed(node, path)
            values[path] = self.typed[known]
            if path in languages:
                languages[path] = self.typed[known]
        cell_languages = languages["languages"] or []
        for path in ("tokenizer.languages", "evaluation.languages"):
            languages[path] = languages[path] or cell_languages
        if languages["pretraining.counted_languages"] == cell_languages:
            # Counting every language is counting the updates themselves: one cell, not two.
            languages["pretraining.counted_languages"] = None
        values.update(languages)
        values["languages"] = cell_languages
        try:
            config: CellConfig = self.root.make(values)
        except InputError as error:
            raise self._located(error, point) from None
        self._check_languages(config, languages, point)
        return config

    def coordinates(self, point: Point, config: CellConfig) -> dict[str, Coordinate]:
        """The cell's value on every axis of the study, whether its block varies it or not."""
        result: dict[str, Coordinate] = {}
        for path in self.paths:
            if path in point:
                result[path] = written(point[path])
                continue
            value = _value(config, path)
            result[path] = self.sets.name(value) if isinstance(value, list) else value
        return result

    def _typed(self, node: Node, path: str) -> Any:
        key = f"axes[{self.block.name}].{path}"
        if path in LANGUAGE_PATHS:
            if node.value is None and path != "languages":
                return None
            return self.sets.resolve(node, key)
        return check(node, leaf_hint(path), key)

    def _require_task(self, path: str, tree: dict[str, Any]) -> None:
        parts = path.split(".")
        if parts[0] == "tasks" and tree["tasks"].get(parts[1]) is None:
            raise fail(
                self.block.node,
                f"axes[{self.block.name}].{path}",
                f"the task {parts[1]} is not among cell.tasks; switch it on there first",
            )

    def _check_languages(
        self, config: CellConfig, languages: Mapping[str, list[str] | None], point: Point
    ) -> None:
        if config.corpus.source == "synthetic":
            for path, codes in languages.items():
                node = point.get(path) or self.shared.nearest(path.split("."))
                self.sets.check_synthetic(codes or [], node, f"cell.{path}")
        for name, task in config.tasks.items():
            path = f"tasks.{name}.train_language"
            if task and task.source == "synthetic" and task.train_language != "en":
                node = point.get(path) or self.shared.nearest(path.split("."))
                raise fail(
                    node,
                    f"cell.{path}",
                    "expected en, for the synthetic task is generated with training examples in "
                    f"English only; found {task.train_language!r}",
                )

    def _located(self, error: InputError, point: Point) -> Exception:
        """The error of a dataclass, told at the place of the value that it is about."""
        message = str(error)
        key, _, rest = message.partition(": ")
        named = [key, *re.findall(r"[a-z_]+(?:\.[a-z_]+)+", rest)]
        at = f" (block {self.block.name!r} at {describe(point)})" if point else ""
        for path in named:
            if path in point:
                return fail(point[path], key, f"{rest}{at}")
        for path in named:
            node = self.shared.find(path.split("."))
            if node is not None:
                return fail(node, f"cell.{key}", f"{rest}{at}")
        return fail(self.shared.nearest(key.split(".")), f"cell.{key}", f"{rest}{at}")


def _group(cls: Any, tree: Mapping[str, Any], prefix: str, touched: set[str]) -> _Group:
    """Splits a tree into what is built once and what each point builds anew."""
    group = _Group(build=cls)
    types = hints(cls) if cls is not dict else dict.fromkeys(tree, TaskConfig)
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if path in touched:
            group.leaves[name] = path
        elif not isinstance(value, dict):
            group.fixed[name] = value
        else:
            inner = dict if name == "tasks" and not prefix else types[name]
            child = _group(inner, value, f"{path}.", touched)
            if child.leaves or child.groups:
                group.groups[name] = child
            else:
                group.fixed[name] = child.make({})
    return group


def _replaced(tree: Node, path: Sequence[str], node: Node) -> Node:
    if not path:
        return node
    inner = _replaced(tree.value[path[0]], path[1:], node)
    return Node({**tree.value, path[0]: inner}, tree.origin)


def _value(config: CellConfig, path: str) -> Any:
    if path.startswith("tasks."):
        _, name, leaf = path.split(".")
        task = config.tasks.get(name)
        return None if task is None else getattr(task, leaf)
    return attrgetter(path)(config)


def _slug(coordinates: Mapping[str, Coordinate], seed: int) -> str:
    """A readable name: `xlm-15-width768-s1`. Nothing is ever parsed back out of it."""
    parts = []
    for path, value in coordinates.items():
        name = "" if isinstance(value, str) else path.split(".")[-1].replace("_", "")
        text = "" if value is None else str(value)
        parts.append(re.sub(r"[^A-Za-z0-9.]+", "-", f"{name}{text}").strip("-")[:24])
    return "-".join([part for part in parts if part][:6] + [f"s{seed}"])
