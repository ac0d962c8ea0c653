"""Gathers all that a report tells about a study, once; the sections compute nothing but words."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars

from grid.claims import Verdicts, read
from grid.graph import DONE, StageId
from grid.origins import leaves, origins_frame, text
from grid.overview import Look, Overview
from grid.results import RESULTS, publish, refuse_foreign, results_sha256
from grid.studies import Studies
from grid.study_files import read_frame
from grid.summary import summary
from plots.studies import StudyOutput, find_studies
from plots.tables.registry import make_table
from plots.tables.table import Table

if TYPE_CHECKING:
    from grid.store import Store
    from grid.study import Study

SHARED = ("corpus", "shards", "task")
"""Stages that so many cells share, a hundred languages each, that a cell's own list counts them."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """Where, when and by which program an artifact was made, as its manifest says."""

    revision: str | None
    finished: str
    seconds: float
    environment: Mapping[str, str]
    execution: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """A study at one scale, as it stands in its store. Made by `gather`."""

    study: "Study"
    options: tuple[str, ...]
    """The words of the call after the study: overrides, scale, store and site."""
    overview: Overview
    look: Look
    frame: polars.DataFrame
    """The results: one row for each block, cell, task, metric and language."""
    checksum: str | None
    """SHA-256 of results.parquet."""
    made: dict[StageId, Made] = field(default_factory=dict)
    held: list[tuple[str, str, str]] = field(default_factory=list)
    """Key, value and where it was written, of what is the same in all cells."""
    varied: dict[str, dict[str, str]] = field(default_factory=dict)
    """By cell, the values of the keys that are not."""

    def command(self, name: str, *words: str) -> str:
        """A call of `python -m grid` on this study, with this report's overrides and options."""
        call = ["python", "-m", "grid", name, str(self.study.file), *words, *self.options]
        return shlex.join(call)

    @cached_property
    def plan(self) -> polars.DataFrame:
        """One row for each cell: coordinates, state, sizes and hours."""
        return self.overview.plan.frame()

    @cached_property
    def verdicts(self) -> Verdicts | None:
        """None before the study's claims have been judged."""
        return read(self.study.folder)

    @cached_property
    def output(self) -> StudyOutput:
        """The study's folder, as figures and tables take it."""
        (output,) = find_studies(self.study.store, self.study.name, self.study.scale)
        return output

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The published tables that the study declares, with what was measured."""
        return tuple(make_table(self.output, name) for name in self.output.tables)

    @property
    def roles(self) -> dict[str, dict[str, StageId]]:
        """The stages of each cell, by the role they have in it."""
        return self.overview.graph.cells

    @cached_property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """By cell, the mean training loss in nats a masked token over each hundredth of the run."""
        curves: dict[str, list[tuple[int, float]]] = {}
        for cell, update, loss in self.output.curves().iter_rows():
            if math.isfinite(loss):
                curves.setdefault(cell, []).append((update, loss))
        return curves

    @cached_property
    def axes(self) -> list[str]:
        """The axis paths that vary over the study's cells."""
        return [path for path in self.study.paths if self.plan[path].n_unique() > 1]

    @cached_property
    def by_seed(self) -> polars.DataFrame:
        """`grid.summary.summary` of each seed: one row for each block, point and seed."""
        if self.frame.is_empty():
            texts = dict.fromkeys(("block", *self.axes), polars.String)
            return polars.DataFrame(schema={**texts, "seed": polars.Int64})
        return summary(self.frame, [*self.axes, "seed"])

    @cached_property
    def varying(self) -> dict[str, list[str]]:
        """By block, the axis paths that vary over its cells."""
        found = {}
        for block, cells in self.study.expansion.members.items():
            rows = self.plan.filter(polars.col("cell").is_in([cell.id for cell in cells]))
            found[block] = [path for path in self.axes if rows[path].n_unique() > 1]
        return found

    def own(self, cell: str) -> dict[str, StageId]:
        """The stages of a cell but those of `SHARED`, by role."""
        stages = self.roles.get(cell, {}).items()
        return {role: id for role, id in stages if id[0] not in SHARED}


def gather(study: "Study", options: tuple[str, ...]) -> Facts:
    """Looks at the study's store and brings its results up to date. Raises InputError.

    Where the text that the stages' keys are made from is not at hand, the results are those of the
    last run.
    """
    refuse_foreign(study)
    overview = Overview(Studies(studies=(study,)))
    if overview.note is None:
        publish(study, overview.graph)
    frame = read_frame(study.folder / RESULTS)
    look = overview.look()
    store = study.open_store()
    done = [id for id, found in look.stages.items() if found.state == DONE]
    held, varied = _settings(study)
    return Facts(
        study=study,
        options=options,
        overview=overview,
        look=look,
        frame=frame,
        checksum=results_sha256(study),
        made={id: _made(store, id) for id in done},
        held=held,
        varied=varied,
    )


def _made(store: "Store", id: StageId) -> Made:
    manifest = store.manifest(*id)
    return Made(
        revision=manifest.get("revision"),
        finished=manifest.get("finished", ""),
        seconds=manifest.get("wall_seconds", 0.0),
        environment=manifest.get("environment", {}),
        execution=manifest.get("execution", {}),
    )


def _settings(study: "Study") -> tuple[list[tuple[str, str, str]], dict[str, dict[str, str]]]:
    """What all cells have in common, with where it was written, and what tells them apart."""
    values = {
        cell.id: {path: text(value) for path, value in leaves(cell.config)} for cell in study.cells
    }
    first = study.cells[0]
    paths = dict.fromkeys(path for each in values.values() for path in each)
    apart = [path for path in paths if len({each.get(path) for each in values.values()}) > 1]
    held = [
        (row["key"], row["value"], row["written"])
        for row in origins_frame(study, first).iter_rows(named=True)
        if row["key"] not in apart
    ]
    varied = {
        cell: {path: each[path] for path in apart if path in each} for cell, each in values.items()
    }
    return held, varied
