"""A study: one YAML file, read, checked and expanded; planned, run and collected from Python.

study = grid.load("studies/curse_of_multilinguality.yaml", scale="smoke")
study.plan()      # a polars frame, one row for each cell
study.run()       # runs what is missing
study.results()   # a polars frame, one row for each score
study.verdicts()  # what the results say of its claims
"""

import importlib.util
import os
import pkgutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from grid.axes import Block, choose_blocks, read_blocks, read_replicates
from grid.cell import Cell, Expansion, expand
from grid.claims import added_seeds
from grid.claims.declaration import Claim, read_claims
from grid.confine import refuse_bytes
from grid.errors import StudyError
from grid.execution import ExecutionConfig
from grid.language_sets import LanguageSets
from grid.layers import Layers, every_scale, read_layers, read_site
from grid.programs import Program
from grid.reach import refuse_idle, unreached
from grid.schema import check
from grid.tree import (
    Node,
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

    from grid.claims import Verdicts
    from grid.claims.points import BoundClaim
    from grid.graph import Graph, StageId
    from grid.launch.report import Report
    from grid.plan import Plan
    from grid.store import Store

DEFAULT_STORE = "runs"


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
    """Those declared, then those that were added to settle its claims."""
    declared_seeds: int
    """How many there were when its claims were first looked at."""
    blocks: tuple[Block, ...]
    """Those that are run."""
    paths: tuple[str, ...]
    """Every axis path of the study, also of blocks that are not run."""
    figures: tuple[str, ...]
    tables: tuple[str, ...]
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

    @cached_property
    def bound_claims(self) -> "tuple[BoundClaim, ...]":
        """The claims with the cells that they mean at this scale. Raises StudyError."""
        from grid.claims.points import bind

        return bind(self)

    def with_seeds(self, seeds: Sequence[int]) -> "Study":
        """The same study with other seeds, of which the first are those that it declares."""
        return replace(self, seeds=tuple(seeds))

    @property
    def notes(self) -> list[str]:
        """What a reader of the plan should know: points that `where` dropped, seeds added, and
        overrides that do not reach every block."""
        notes = [
            f"block {block.name!r}: {dropped}" for block in self.blocks for dropped in block.dropped
        ]
        added = self.seeds[self.declared_seeds :]
        if added:
            notes.append(f"added to settle its claims: seeds {', '.join(map(str, added))}")
        return notes + unreached(self)

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

    def verdicts(self) -> "Verdicts":
        """The verdicts on its claims by what is finished; a run keeps them in `folder`."""
        from grid.claims.record import verdicts_on

        return verdicts_on(self, self.results())


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
    refuse_bytes(path.absolute())
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
    refuse_idle(study)
    # Every mistake of any cell or claim is told now, before anything runs.
    _ = study.cells
    if study.claims:
        from grid.claims.misspelt import refuse_misspelt

        refuse_misspelt(study.bound_claims, every_scale(layers.study), study.sets)
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
    study = Study(
        name=path.stem,
        file=path,
        title=_text(top, "title") or path.stem,
        source=_text(top, "source"),
        scale=layers.scale,
        store=store,
        seeds=(),
        declared_seeds=0,
        blocks=tuple(choose_blocks(blocks, top.get("blocks"))),
        paths=tuple(dict.fromkeys(path for block in blocks for path in block.paths)),
        figures=_declared(top.get("figures"), "figure", _drawings("plots.figures")),
        tables=_declared(top.get("tables"), "table", _drawings("plots.tables.published")),
        claims=read_claims(top.get("claims"), sets),
        locations=_locations(top.get("locations")),
        execution=_execution(top.get("execution")),
        programs=layers.programs,
        tree=layers.tree,
        sets=sets,
    )
    return _with_seeds(study, layers)


def _with_seeds(study: Study, layers: Layers) -> Study:
    """The study with its seeds: declared, and added in its store unless the call sets them."""
    seed = layers.tree.find(("cell", "seed"))
    own_seed = 1 if seed is None else check(seed, int, "cell.seed")
    declared = tuple(read_replicates(layers.tree.find(("replicates",)), own_seed))
    set_now = layers.overrides.value.keys() & {"replicates"}
    found = None if set_now else added_seeds.read(study.folder)
    if found is None:
        return replace(study, seeds=declared, declared_seeds=len(declared))
    added = tuple(seed for seed in found.added if seed not in declared)
    first = min(found.declared, len(declared))
    return replace(study, seeds=declared + added, declared_seeds=first)


def _text(top: Mapping[str, Node], key: str) -> str:
    node = top.get(key)
    return "" if node is None or node.value is None else expect_text(node, key)


def _declared(node: Node | None, what: str, known: Sequence[str]) -> tuple[str, ...]:
    """The names of a list of figures or tables, each of which there is."""
    if node is None or node.value is None:
        return ()
    names = []
    for number, item in enumerate(expect_list(node, f"{what}s")):
        name = expect_text(item, f"{what}s[{number}]")
        if name not in known:
            hint = near(name, known)
            told = f"unknown {what} {name!r}{hint}; there are {', '.join(known)}"
            raise fail(item, f"{what}s[{number}]", told)
        names.append(name)
    return tuple(names)


def _drawings(package: str) -> list[str]:
    """Every figure and table is a module of its own, found here and not imported: it draws."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    return sorted(module.name for module in pkgutil.iter_modules(folders))


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
