"""Studies that run together, one or several: one graph, in which they share cells and stages.

studies = load_studies(["studies/a.yaml", "studies/b.yaml"], scale="smoke")
studies.run()     # what they share runs once; each study's results are written as if it ran alone
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from grid.cell import Cell
from grid.errors import StoreError, StudyError
from grid.execution import ExecutionConfig
from grid.study import Study, load

if TYPE_CHECKING:
    import polars

    from grid.graph import Graph, StageId
    from grid.launch.report import Report
    from grid.plan import Plan
    from grid.slurm.submit import Sent
    from grid.store import Store


@dataclass(frozen=True, kw_only=True, eq=False)
class Studies:
    """Studies that are planned, run and collected together. Made by `load_studies`."""

    studies: tuple[Study, ...]

    @property
    def title(self) -> str:
        return " + ".join(study.title for study in self.studies)

    @property
    def scale(self) -> str:
        return self.studies[0].scale

    @property
    def store(self) -> Path:
        return self.studies[0].store

    @property
    def execution(self) -> ExecutionConfig:
        """How work is placed: the same in all."""
        return self.studies[0].execution

    @property
    def notes(self) -> list[str]:
        several = len(self.studies) > 1
        return [
            f"{study.name}: {note}" if several else note
            for study in self.studies
            for note in study.notes
        ]

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell of the studies; one that several want is there once."""
        return list({cell.id: cell for study in self.studies for cell in study.cells}.values())

    def open_store(self) -> "Store":
        return self.studies[0].open_store()

    def graph(self) -> "Graph":
        """The stages that the cells of all studies need, each once."""
        from grid.graph import united

        return united([study.graph() for study in self.studies])

    def check_placement(self, *, machine: bool = True) -> None:
        """As `Study.check_placement`, of each study."""
        for study in self.studies:
            study.check_placement(machine=machine)

    def priced(self, profile: str | None = None) -> "Plan":
        """As `Study.priced`: what the studies share is counted once."""
        from grid.plan import Plan

        return Plan(*self.studies, profile=profile)

    def plan(self, profile: str | None = None) -> "polars.DataFrame":
        """The plans one below the other; an axis that a study lacks is null in its rows."""
        return self.priced(profile).frame()

    def results(self) -> "polars.DataFrame":
        """The results one below the other; an axis that a study lacks is null in its rows."""
        return stacked(self.studies, [study.results() for study in self.studies])

    def run(
        self, *, workers: int | None = None, only: "Collection[StageId] | None" = None
    ) -> "Report":
        """As `Study.run`: what is missing for any of the studies, then each one's results."""
        from grid.graph import united
        from grid.launch import local
        from grid.results import refuse_foreign
        from grid.wanted import record_all

        execution = self.execution
        if workers is not None:
            execution = dataclasses.replace(execution, workers=workers)
        for study in self.studies:
            study.check_placement()
            refuse_foreign(study)
        graphs = [study.graph() for study in self.studies]
        unwritten = record_all(self.studies, graphs)
        together = united(graphs)
        if only is not None:
            together.targets = set(only)
        report = local.run(together, self.open_store(), execution=execution)
        report.unwritten = unwritten
        self._publish(graphs, report)
        return report

    def submit(
        self,
        *,
        only: "Collection[StageId] | None" = None,
        again: bool = False,
        dry_run: bool = False,
    ) -> "tuple[Sent, Report]":
        """Submits what is missing to Slurm; writes the results if nothing is.

        only: as in `run`. again, dry_run: as in grid.slurm.submit; a dry run writes nothing.
        """
        from grid.graph import DONE, united
        from grid.launch.report import Report
        from grid.results import refuse_foreign
        from grid.slurm.submit import submit
        from grid.wanted import record_all

        self.check_placement(machine=False)
        for study in self.studies:
            refuse_foreign(study)
        planned = self._planned() if dry_run else None
        graphs = [study.graph() for study in self.studies] if planned is None else []
        unwritten = None if dry_run else record_all(self.studies, graphs)
        together = planned or united(graphs)
        if only is not None:
            together.targets = set(only)
        sent = submit(self, together, again=again, dry_run=dry_run)
        report = Report(unwritten=unwritten)
        if not sent.open:
            states = together.states(self.open_store())
            report.cached += [together.stages[id] for id, state in states.items() if state == DONE]
            if not dry_run:
                self._publish(graphs, report)
        return sent, report

    def _planned(self) -> "Graph | None":
        """The graph by published sizes, where text has no location here; None where all has."""
        from grid.placement import place

        plan = self.priced()
        if not any(plan.lacking.values()):
            return None
        place(plan.graph, self.execution)
        return plan.graph

    def _publish(self, graphs: "Sequence[Graph]", report: "Report") -> None:
        """Writes each study's results and verdicts; the report is told if that cannot be."""
        from grid.claims import record
        from grid.results import publish

        for study, graph in zip(self.studies, graphs, strict=True):
            try:
                publish(study, graph)
                record.publish(study)
            except StoreError as error:  # what ran and what failed is still to be told
                report.unwritten = str(error)


def load_studies(
    files: Sequence[str | Path],
    *overrides: str,
    scale: str | None = None,
    store: str | Path | None = None,
    site: str | Path | None = None,
) -> Studies:
    """Reads and checks several studies; the other arguments hold for each, as in `grid.load`.

    Raises StudyError, also where two studies would write into one folder, or disagree on where a
    source lies or how work is placed: one run has one of each.
    """
    studies = tuple(load(file, *overrides, scale=scale, store=store, site=site) for file in files)
    names = Counter(study.name for study in studies)
    for name, count in names.items():
        if count > 1:
            raise StudyError(
                f"{count} studies are called {name}, and would write their results into one "
                "folder; give each file a name of its own"
            )
    first = studies[0]
    for study in studies[1:]:
        for source, folder in study.locations.items():
            if first.locations.get(source, folder) != folder:
                raise StudyError(
                    f"{study.file}: locations.{source}: expected {first.locations[source]}, as in "
                    f"{first.file}, found {folder}; studies that run together read one text"
                )
        if study.execution != first.execution:
            raise StudyError(
                f"{study.file}: execution: expected the same as in {first.file}, for they run "
                "together; set it in the site file or on the command line"
            )
        if study.store != first.store:
            raise StudyError(f"{study.file}: store: expected {first.store}, found {study.store}")
    return Studies(studies=studies)


def stacked(studies: Sequence[Study], frames: "Sequence[polars.DataFrame]") -> "polars.DataFrame":
    """Frames one below the other; of several studies, each row names its own."""
    import polars

    if len(frames) == 1:
        return frames[0]
    named = [
        frame if "study" in frame.columns else frame.insert_column(
            0, polars.Series("study", [study.name] * len(frame))
        )
        for study, frame in zip(studies, frames, strict=True)
    ]  # fmt: skip
    return polars.concat(named, how="diagonal_relaxed")
