"""A study: one YAML file, read, checked and expanded; planned, run and collected from Python.

study = grid.load("studies/curse_of_multilinguality.yaml", scale="smoke")
study.plan()      # a polars frame, one row for each cell
study.run()       # runs what is missing
study.results()   # a polars frame, one row for each score
"""

import importlib.util
import os
import pkgutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grid.axes import Block, choose_blocks, read_blocks, read_replicates
from grid.cell import Cell, Expansion, expand
from grid.errors import StudyError
from grid.execution import ExecutionConfig
from grid.language_sets import LanguageSets
from grid.layers import Layers, read_layers, read_site
from grid.programs import Program
from grid.schema import check
from grid.tree import (
    COMMAND_LINE,
    Node,
    expect_keys,
    expect_list,
    expect_mapping,
    expect_path,
    expect_text,
    fail,
    near,
)
from model.errors import InputError

if TYPE_CHECKING:
    import polars

    from grid.graph import Graph, StageId
    from grid.launch.report import Report
    from grid.plan import Plan
    from grid.store import Store

DEFAULT_STORE = "runs"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement of the paper as a testable comparison."""

    says: str
    source: str | None = None
    expect: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """A study at one scale with its overrides. Made by `load`."""

    name: str
    """The file's name without its ending."""
    file: Path
    title: str
    source: str
    scale: str
    store: Path
    seeds: tuple[int, ...]
    blocks: tuple[Block, ...]
    """Those that are run."""
    paths: tuple[str, ...]
    """Every axis path of the study, also of blocks that are not run."""
    figures: tuple[str, ...]
    claims: tuple[Claim, ...]
    locations: Mapping[str, str]
    """Folder of each source on this machine, absolute."""
    execution: ExecutionConfig
    programs: Mapping[str, Program]
    """The programs of the site file, by name."""
    tree: Node
    """Everything laid together, with origins."""
    sets: LanguageSets

    @property
    def cells(self) -> list[Cell]:
        """Every cell of the chosen blocks with every seed, each once."""
        return self.expansion.cells

    @cached_property
    def expansion(self) -> Expansion:
        """The cells, and those of each block in the order of its points."""
        return expand(
            shared=self.shared,
            blocks=self.blocks,
            paths=self.paths,
            seeds=self.seeds,
            sets=self.sets,
        )

    @property
    def shared(self) -> Node:
        """The `cell` that all blocks share."""
        return self.tree.value.get("cell") or Node({}, self.tree.origin)

    @property
    def notes(self) -> list[str]:
        """What a reader of the plan should know of the blocks: how many points `where` dropped."""
        return [
            f"block {block.name!r}: {dropped}" for block in self.blocks for dropped in block.dropped
        ]

    @property
    def folder(self) -> Path:
        """Where the study's results and figures are written."""
        return self.store / "studies" / self.name / self.scale

    def cell(self, name: str) -> Cell:
        """The cell with this id, this beginning of an id, or this number in the plan."""
        if name.isdecimal() and 1 <= int(name) <= len(self.cells):
            return self.cells[int(name) - 1]
        exact = [cell for cell in self.cells if cell.id == name]
        close = exact or [cell for cell in self.cells if cell.id.startswith(name)]
        if len(close) == 1:
            return close[0]
        if close:
            ids = ", ".join(cell.id for cell in close[:5])
            raise StudyError(f"cell {name!r} could be any of {len(close)} cells: {ids}")
        meant = near(name, [cell.id for cell in self.cells])
        raise StudyError(
            f"cell {name!r} is not in {self.name} at scale {self.scale}{meant}; expected a cell's "
            f"id or its number in the plan, 1 to {len(self.cells)}"
        )

    def open_store(self) -> "Store":
        from grid.store import Store

        return Store(self.store)

    def graph(self, cells: Sequence[Cell] | None = None) -> "Graph":
        """The stages that its cells (or these of them) need, each once.

        Reads and checks the sources' files.
        """
        from grid.pipeline import build
        from grid.placement import place

        graph = build(
            self.cells if cells is None else cells,
            locations=self.locations,
            store=self.open_store(),
            programs=self.programs,
        )
        place(graph, self.execution)
        return graph

    def check_placement(self, *, machine: bool = True) -> None:
        """Raises StudyError if `execution` gives a cell ranks that it or this machine cannot have.

        machine: whether the GPUs of this machine are counted.
        """
        from grid.placement import check_cells, check_gpus

        check_cells(self.cells, self.execution, self.tree)
        if machine:
            check_gpus(self.cells, self.execution, self.tree)

    def priced(self, profile: str | None = None) -> "Plan":
        """Its plan on a device profile (`execution.profile`): states, sizes, memory, time."""
        from grid.plan import Plan

        return Plan(self, profile=profile)

    def plan(self, profile: str | None = None) -> "polars.DataFrame":
        """One row for each cell: where it stands, its state, counts, memory and time."""
        return self.priced(profile).frame()

    def run(
        self, *, workers: int | None = None, only: "Collection[StageId] | None" = None
    ) -> "Report":
        """Runs the stages that are missing, then collects the results into `folder`.

        only: these stages and what they need, whatever else is missing. Progress goes to standard
        error. A failed stage does not stop the others: look at the report's `ok`, `failed` and
        `blocked`.
        """
        from grid.studies import Studies

        return Studies(studies=(self,)).run(workers=workers, only=only)

    def results(self) -> "polars.DataFrame":
        """One row for each block, cell, task, metric and language that is finished."""
        from grid.results import collect

        return collect(self, self.graph())


def load(
    file: str | Path,
    *overrides: str,
    scale: str | None = None,
    store: str | Path | None = None,
    site: str | Path | None = None,
) -> Study:
    """Reads and checks a study.

    overrides: `key=value` with a path in the study file, such as "cell.pretraining.updates=10".
    scale: by default `laptop`. store: by default $GRID_STORE, the site file's, or `runs`.
    site: by default grid.yaml in the working folder, if there is one.
    Raises StudyError: the message has the file, the line and the key.
    """
    path = Path(file)
    layers = read_layers(
        path if path.is_absolute() else Path.cwd() / path,
        scale=scale,
        overrides=overrides,
        site=None if site is None else Path(site),
    )
    for name, what in ((path.stem, "the study's file name"), (layers.scale, "scale")):
        odd = not name.isprintable() or any(sign in name for sign in ("/", "\\"))
        if odd or name.strip(".") == "":
            raise StudyError(
                f"{path}: {what}: expected a name that can be a folder's, found {name!r}"
            )
    study = _from_layers(path, layers, choose_store(store, layers.store))
    _refuse_idle_overrides(study, layers)
    # Every mistake of any cell is told now, before anything runs.
    _ = study.cells
    return study


def store_folder(store: Path | None, site: Path | None) -> Path:
    """The store of a call without a study: as in `load`."""
    return choose_store(store, read_site(site).store)


def choose_store(store: str | Path | None, of_site: Path | None) -> Path:
    """The store that a call names, or the environment, or the site file; or `runs`."""
    named = store or os.environ.get("GRID_STORE")
    return Path(named).expanduser() if named else of_site or Path(DEFAULT_STORE)


def _from_layers(path: Path, layers: Layers, store: Path) -> Study:
    top = layers.tree.value
    sets = LanguageSets(top.get("language_sets"))
    blocks = read_blocks(top.get("axes"), layers.tree, sets)
    seed = layers.tree.find(("cell", "seed"))
    own_seed = 1 if seed is None else check(seed, int, "cell.seed")
    return Study(
        name=path.stem,
        file=path,
        title=_text(top, "title") or path.stem,
        source=_text(top, "source"),
        scale=layers.scale,
        store=store,
        seeds=tuple(read_replicates(top.get("replicates"), own_seed)),
        blocks=tuple(choose_blocks(blocks, top.get("blocks"))),
        paths=tuple(dict.fromkeys(path for block in blocks for path in block.paths)),
        figures=_figures(top.get("figures")),
        claims=_claims(top.get("claims")),
        locations=_locations(top.get("locations")),
        execution=_execution(top.get("execution")),
        programs=layers.programs,
        tree=layers.tree,
        sets=sets,
    )


def _text(top: Mapping[str, Node], key: str) -> str:
    node = top.get(key)
    return "" if node is None or node.value is None else expect_text(node, key)


def _figures(node: Node | None) -> tuple[str, ...]:
    if node is None or node.value is None:
        return ()
    known = _known_figures()
    figures = []
    for number, item in enumerate(expect_list(node, "figures")):
        name = expect_text(item, f"figures[{number}]")
        if name not in known:
            hint = near(name, known)
            told = f"unknown figure {name!r}{hint}; there are {', '.join(known)}"
            raise fail(item, f"figures[{number}]", told)
        figures.append(name)
    return tuple(figures)


def _known_figures() -> list[str]:
    """Every figure is a module of `plots`, which is found here and not imported: it draws."""
    spec = importlib.util.find_spec("plots")
    folders = spec.submodule_search_locations if spec is not None else None
    return sorted(
        module.name for module in pkgutil.iter_modules(folders) if "_figure_" in module.name
    )


def _claims(node: Node | None) -> tuple[Claim, ...]:
    claims = []
    for number, item in enumerate(expect_list(node, "claims") if node and node.value else []):
        key = f"claims[{number}]"
        mapping = expect_keys(item, key, ("says", "source", "expect"))
        for required in ("says", "expect"):
            if required not in mapping:
                raise fail(item, key, f"expected `{required}`")
        source = mapping.get("source")
        claims.append(
            Claim(
                says=expect_text(mapping["says"], f"{key}.says"),
                source=None if source is None else expect_text(source, f"{key}.source"),
                expect=Node(expect_mapping(mapping["expect"], f"{key}.expect")).plain(),
            )
        )
    return tuple(claims)


def _locations(node: Node | None) -> dict[str, str]:
    """Absolute folders: relative ones start from where they were written."""
    if node is None or node.value is None:
        return {}
    folders = {}
    for name, item in expect_mapping(node, "locations").items():
        folders[name] = os.fspath(item.origin.folder / expect_path(item, f"locations.{name}"))
    return folders


def _execution(node: Node | None) -> ExecutionConfig:
    if node is None or node.value is None:
        return ExecutionConfig()
    values = check(node, ExecutionConfig, "execution")
    try:
        return ExecutionConfig.of(values)
    except InputError as error:
        key = str(error).partition(":")[0]
        raise fail(node.nearest(key.split(".")[1:]), "", str(error)) from None


def _refuse_idle_overrides(study: Study, layers: Layers) -> None:
    """Raises StudyError for an override that no cell would feel, as a block sets it too."""
    cell = layers.overrides.value.get("cell")
    for keys, node in cell.leaves() if cell else ():
        path = ".".join(keys)
        replicates = study.tree.find(("replicates", "seed"))
        if path == "seed" and replicates is not None:
            raise StudyError(
                "command line: cell.seed: has no effect, for `replicates` sets the seeds; write "
                f"replicates.seed=[{node.value}]"
            )
        setters = [
            block.name
            for block in study.blocks
            if block.decides(path) or (block.cell is not None and block.cell.find(keys))
        ]
        if len(setters) == len(study.blocks):
            raise fail(
                COMMAND_LINE,
                f"cell.{path}",
                f"has no effect, for every block that is run sets {path} itself: "
                f"{', '.join(setters)}; override its axis (axes.BLOCK.product.{path}=[...])",
            )
