"""Cells: every point of a study with every seed, as complete and typed configurations."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from grid.axes import Block
from grid.identity import Encoder, digest
from grid.language_sets import LanguageSets
from grid.solve import Solved
from grid.template import Coordinate, Spot, Template
from grid.tree import Node, describe, fail
from model.config import CellConfig

_UNSAFE = re.compile(r"[^A-Za-z0-9.]+")


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
    solved: dict[str, Solved] = field(default_factory=dict)
    """By path, what was held to find its value, at which target, and what came out."""


@dataclass(frozen=True, kw_only=True)
class Expansion:
    """All cells of a study, each once, and those of each block in the order of its points."""

    cells: list[Cell]
    members: dict[str, list[Cell]]


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
    solved: dict[str, dict[str, Solved]] = {}
    encoder = Encoder()
    for block in blocks:
        template = Template(shared, block, paths, sets)
        own = _distinct(template, seeds, encoder)
        members[block.name] = list(own)
        for identity, (spot, config) in own.items():
            if identity not in configs:
                configs[identity] = (config, template.coordinates(spot.point, config))
            if spot.solved:
                solved[identity] = {**spot.solved, **solved.get(identity, {})}
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
            solved=solved.get(identity, {}),
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


def _distinct(
    template: Template, seeds: Sequence[int], encoder: Encoder
) -> dict[str, tuple[Spot, CellConfig]]:
    """A block's cells by the digest of their configuration; one that comes twice is refused."""
    own: dict[str, tuple[Spot, CellConfig]] = {}
    for point in template.block.points:
        spot = template.spot(point)
        for seed in seeds:
            config = template.cell(spot, seed)
            identity = digest(config, encoder)
            if identity in own:
                place = next(iter(point.values()), template.block.node)
                raise fail(
                    place,
                    f"axes[{template.block.name}]",
                    f"yields one cell twice: the point {describe(point)} is the same "
                    f"configuration as {describe(own[identity][0].point)}",
                )
            own[identity] = (spot, config)
    return own


def block_cells(
    *, shared: Node, block: Block, seed: int, sets: LanguageSets
) -> Iterator[tuple[Spot, CellConfig]]:
    """The points of one block with their configurations at one seed."""
    template = Template(shared, block, (), sets)
    for point in block.points:
        spot = template.spot(point)
        yield spot, template.cell(spot, seed)


def solved_columns(cells: Sequence[Cell]) -> dict[str, list[float | None]]:
    """For a plan: target and actual value of each quantity that is held somewhere."""
    holds = dict.fromkeys(solved.hold for cell in cells for solved in cell.solved.values())
    columns: dict[str, list[float | None]] = {}
    for hold in holds:
        found = [next((s for s in cell.solved.values() if s.hold == hold), None) for cell in cells]
        columns[f"target {hold}"] = [None if s is None else float(s.target) for s in found]
        columns[f"actual {hold}"] = [None if s is None else float(s.actual) for s in found]
    return columns


def _slug(coordinates: Mapping[str, Coordinate], seed: int) -> str:
    """A readable name: `xlm-15-width768-s1`. Nothing is ever parsed back out of it."""
    parts = [_slug_part(path, value) for path, value in coordinates.items() if value is not None]
    return "-".join([part for part in parts if part][:6] + [f"s{seed}"])


@lru_cache(maxsize=10_000, typed=True)
def _slug_part(path: str, value: Coordinate) -> str:
    name = "" if isinstance(value, str) else path.split(".")[-1].replace("_", "")
    return _UNSAFE.sub("-", f"{name}{value}").strip("-")[:24]
