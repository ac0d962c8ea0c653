"""Builds the cells of one block: what all its points share is checked and built once.

A point then only sets its own values and rebuilds the dataclasses that these touch, so that ten
thousand cells take a second. A mistake that shows only at a point is reported where its value was
written.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import reduce
from operator import attrgetter, getitem
from typing import Any, get_args

from grid.axes import Block, Point
from grid.errors import StudyError
from grid.language_sets import LANGUAGE_PATHS, LanguageSets, takes_languages
from grid.named_sizes import SIZE_FIELDS, SIZE_PATH, size_of, spread
from grid.schema import check, complete, hints, leaf_hint, without_none
from grid.solve import SHAPE_PATHS, Solve, Solved, shape, solved, target
from grid.tree import Node, describe, fail, overlay, written
from model.config import CellConfig
from model.errors import InputError

Coordinate = str | int | float | bool | None
_FEED_FORWARD, _WIDTH = "encoder.feed_forward", "encoder.width"


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """A point with all that it decides."""

    point: Point
    """Its values as written, and those that were solved for: what coordinates are made from."""
    settings: Point
    """The same by the paths of a cell: a named size is written out."""
    solved: dict[str, Solved]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Solution:
    """A value that was solved for, and the paths that it decides."""

    solved: Solved
    settings: Point


@dataclass(kw_only=True)
class _Group:
    """How to build one dataclass (or dict) of a cell: what is fixed and what a point decides.

    Equal parts are built once, so that cells share them.
    """

    build: Callable[..., Any]
    fixed: dict[str, Any] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    groups: "dict[str, _Group]" = field(default_factory=dict)
    built: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def make(self, values: Mapping[str, Any]) -> Any:
        parts = [self.part(name, group, values) for name, group in self.groups.items()]
        own = [values[path] for path in self.leaves.values()]
        # Lists and parts are told apart by identity: equal ones come from one place.
        identity = (
            *[id(value) if type(value) in (list, dict) else (type(value), value) for value in own],
            *map(id, parts),
        )
        known = self.built.get(identity)
        if known is None:
            arguments = dict(self.fixed)
            arguments.update(zip(self.leaves, own, strict=True))
            arguments.update(zip(self.groups, parts, strict=True))
            known = self.built[identity] = self.build(**arguments)
        return known

    def part(self, name: str, group: "_Group", values: Mapping[str, Any]) -> Any:
        try:
            return group.make(values)
        except InputError as error:
            if self.build is not dict:
                raise
            # A task or command does not know what it is called, and says `*`.
            raise InputError(str(error).replace(".*.", f".{name}.")) from None


class Template:
    """Builds the cells of one block."""

    def __init__(
        self, shared: Node, block: Block, paths: Sequence[str], sets: LanguageSets
    ) -> None:
        self.block, self.sets, self.paths = block, sets, paths
        self.shared = shared if block.cell is None else overlay(shared, block.cell)
        self.typed: dict[tuple[int, str], tuple[Node, Any]] = {}
        self.solutions: dict[tuple[Any, ...], _Solution] = {}
        resolved = self.shared
        self.languages: dict[str, list[str] | None] = {}
        for path in LANGUAGE_PATHS:
            node = self.shared.find(path.split("."))
            value = node and node.value is not None
            codes = sets.resolve(node, f"cell.{path}") if node and value else None
            self.languages[path] = codes
            if node is not None and codes is not None:
                resolved = _replaced(resolved, path.split("."), Node.of(codes, node.origin))
        for name in self._tasks():
            path = f"tasks.{name}.languages"
            node = self.shared.find(path.split("."))
            if node is not None and node.value is not None:
                codes = sets.resolve(node, f"cell.{path}")
                resolved = _replaced(resolved, path.split("."), Node.of(codes, node.origin))
        self.tree = complete(check(resolved, CellConfig, "cell"))
        touched = _touched(block)
        for path in touched:
            self._require_named(path)
        if self._shared_value(_FEED_FORWARD) is not None:
            touched = (*touched, _FEED_FORWARD)  # it is left out where it is 4 x width
        # What a point of a union does not set, for it is an axis of another part only.
        self.unset = {path: self._shared_value(path) for path in touched}
        try:
            self.root = _group(CellConfig, self.tree, "", {*touched, *LANGUAGE_PATHS, "seed"})
            self.targets = [target(solve, self._shared_value) for solve in block.solve]
        except StudyError:
            raise
        except InputError as error:
            raise self._located(error, {}, {}) from None

    def spot(self, point: Point) -> Spot:
        """All that a point decides: named sizes written out, values solved for. May raise."""
        if not self.block.solve and SIZE_PATH not in point:
            return Spot(point=point, settings=point, solved={})
        key = f"axes[{self.block.name}].{SIZE_PATH}"
        point, settings = dict(point), spread(point, key)
        results: dict[str, Solved] = {}
        for solve, wanted in zip(self.block.solve, self.targets, strict=True):
            solution = self._solve(solve, wanted, settings, point)
            settings.update(solution.settings)
            point[solve.path] = solution.settings[solve.path]
            results[solve.path] = solution.solved
        return Spot(point=point, settings=settings, solved=results)

    def cell(self, spot: Spot, seed: int) -> CellConfig:
        """The configuration at a point. Raises StudyError, placed where the value was written."""
        values: dict[str, Any] = {**self.unset, "seed": seed}
        languages = dict(self.languages)
        for path, node in spot.settings.items():
            values[path] = value = self._typed(node, path)
            if path in languages:
                languages[path] = value
        cell_languages = languages["languages"] or []
        for path in ("tokenizer.languages", "evaluation.languages"):
            languages[path] = languages[path] or cell_languages
        if languages["pretraining.counted_languages"] == cell_languages:
            # Counting every language is counting the updates themselves: one cell, not two.
            languages["pretraining.counted_languages"] = None
        values.update(languages)
        values["languages"] = cell_languages
        inner = values.get(_FEED_FORWARD)
        if inner is not None and inner == 4 * values.get(_WIDTH, self._shared_value(_WIDTH)):
            values[_FEED_FORWARD] = None  # to write 4 x width is to leave it out: one cell, not two
        try:
            config: CellConfig = self.root.make(values)
        except InputError as error:
            raise self._located(error, spot.settings, spot.point) from None
        self._check_languages(config, languages, spot.settings)
        return config

    def coordinates(self, point: Point, config: CellConfig) -> dict[str, Coordinate]:
        """The cell's value on every axis of the study, whether its block varies it or not."""
        result: dict[str, Coordinate] = {}
        for path in self.paths:
            if path in point:
                result[path] = written(point[path])
                continue
            value = value_at(config, path)
            result[path] = self.sets.name(value) if isinstance(value, list) else value
        return result

    def _tasks(self) -> Sequence[str]:
        tasks = self.shared.find(["tasks"])
        return list(tasks.value) if tasks is not None and isinstance(tasks.value, dict) else []

    def _shared_value(self, path: str) -> Any:
        return reduce(getitem, path.split("."), self.tree)

    def _solve(self, solve: Solve, wanted: float, settings: Point, point: Point) -> _Solution:
        def value(path: str) -> Any:
            node = settings.get(path)
            return self._shared_value(path) if node is None else self._typed(node, path)

        # The value that is sought must not be judged before it is found: any legal one will do.
        settings = {**settings, solve.path: solve.any_value}
        known = (solve.path, *map(value, SHAPE_PATHS), value("encoder.heads"))
        if known not in self.solutions:
            told = f" (block {self.block.name!r} at {describe(point)})" if point else ""
            try:
                found = solved(solve, shape(value), wanted, value("encoder.heads"), told)
            except StudyError:
                raise
            except InputError as error:
                raise self._located(error, settings, point) from None
            decided = {solve.path: Node(found.value, solve.node.origin)}
            if solve.head_size is not None:
                heads = found.value // solve.head_size
                decided["encoder.heads"] = Node(heads, solve.node.origin)
            self.solutions[known] = _Solution(solved=found, settings=decided)
        return self.solutions[known]

    def _typed(self, node: Node, path: str) -> Any:
        known = self.typed.get((id(node), path))
        if known is None:  # the node is kept, so that no other can get its id
            known = self.typed[id(node), path] = (node, self._checked(node, path))
        return known[1]

    def _checked(self, node: Node, path: str) -> Any:
        key = f"axes[{self.block.name}].{path}"
        if takes_languages(path):
            if node.value is None and path != "languages":
                return None
            return self.sets.resolve(node, key)
        return check(node, leaf_hint(path), key)

    def _require_named(self, path: str) -> None:
        """Raises StudyError for an axis of a task or command that the cell does not have."""
        parts, key = path.split("."), f"axes[{self.block.name}].{path}"
        if parts[0] not in ("tasks", "commands"):
            return
        part = self.tree[parts[0]].get(parts[1])
        if part is None:
            told = f"the {parts[0][:-1]} {parts[1]} is not among cell.{parts[0]}"
            raise fail(self.block.node, key, f"{told}; switch it on there first")
        if parts[2] == "settings" and parts[3] not in part["settings"]:
            told = f"{parts[3]} is not among cell.commands.{parts[1]}.settings"
            raise fail(self.block.node, key, f"{told}; give it a value there first")

    def _check_languages(
        self, config: CellConfig, languages: Mapping[str, list[str] | None], settings: Point
    ) -> None:
        if config.corpus.source == "synthetic":
            for path, codes in languages.items():
                node = settings.get(path) or self.shared.nearest(path.split("."))
                self.sets.check_synthetic(codes or [], node, f"cell.{path}")
        for name, task in config.tasks.items():
            if task is None or task.source != "synthetic":
                continue
            for key, codes in (
                ("train_language", [task.train_language]),
                ("languages", task.languages or []),
            ):
                path = f"tasks.{name}.{key}"
                node = settings.get(path) or self.shared.nearest(path.split("."))
                self.sets.check_synthetic(codes, node, f"cell.{path}")

    def _located(self, error: InputError, settings: Point, point: Point) -> Exception:
        """The error of a dataclass, told at the place of the value that it is about."""
        message = str(error)
        key, _, rest = message.partition(": ")
        named = [key, *re.findall(r"[a-z_]+(?:\.[a-z_]+)+", rest)]
        at = f" (block {self.block.name!r} at {describe(point)})" if point else ""
        for path in named:
            if path in settings:
                return fail(settings[path], key, f"{rest}{at}")
        for path in named:
            node = self.shared.find(path.split("."))
            if node is not None:
                return fail(node, f"cell.{key}", f"{rest}{at}")
        return fail(self.shared.nearest(key.split(".")), f"cell.{key}", f"{rest}{at}")


def _touched(block: Block) -> tuple[str, ...]:
    """The paths of a cell that the points of a block set."""
    paths = [path for path in block.paths if path != SIZE_PATH]
    sizes = SIZE_FIELDS if SIZE_PATH in block.paths else ()
    solved = [path for solve in block.solve for path in solve.sets]
    return tuple(dict.fromkeys((*paths, *sizes, *solved)))


def _group(cls: Any, tree: Mapping[str, Any], prefix: str, touched: set[str]) -> _Group:
    """Splits a tree into what is built once and what each point builds anew."""
    free = not is_dataclass(cls)  # a dict: of tasks, of commands, of a command's settings
    group = _Group(build=dict if free else cls)
    types = dict.fromkeys(tree, get_args(cls)[1]) if free else hints(cls)
    for name, value in tree.items():
        path = f"{prefix}{name}"
        inner = without_none(types[name])[0]
        if path in touched:
            group.leaves[name] = path
        elif not isinstance(value, dict) or inner is Any:
            group.fixed[name] = value
        else:
            child = _group(inner, value, f"{path}.", touched)
            if child.leaves or child.groups:
                group.groups[name] = child
            else:
                group.fixed[name] = group.part(name, child, {})
    return group


def _replaced(tree: Node, path: Sequence[str], node: Node) -> Node:
    if not path:
        return node
    inner = _replaced(tree.value[path[0]], path[1:], node)
    return Node({**tree.value, path[0]: inner}, tree.origin)


def value_at(config: CellConfig, path: str) -> Any:
    """The value of a cell at an axis path; None where its task or command is not there."""
    if path == SIZE_PATH:
        return size_of(config.encoder)
    if path.startswith(("tasks.", "commands.")):
        value: Any = config
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
        return value
    return attrgetter(path)(config)
