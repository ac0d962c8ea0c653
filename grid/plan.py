"""The plan of a study: what each cell is and costs, and what all of them come to together.

Instant and without torch. Text that has no location here is planned with its published size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from grid.budget.calibration import calibration
from grid.budget.devices import DEFAULT_GPU, Device, device
from grid.budget.finished import Correction, correction
from grid.budget.price import Price, Pricer, fault
from grid.budget.scoring import Measuring
from grid.budget.unlocated import PlannedSources
from grid.cell import Cell
from grid.graph import DONE, TO_RUN, Graph, StageId
from grid.pipeline import build
from grid.states import State, cell_states
from model.config import CellConfig

if TYPE_CHECKING:
    import polars

    from grid.study import Study

HOUR = 3600.0
MEASURING = ("evaluation", "finetuning", "retrieval")
OWN = ("pretraining", *MEASURING)
"""Stages that are priced for the device; the others are work on text, for a CPU."""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Hours of devices and of CPU cores, of several stages."""

    stages: int = 0
    device_hours: float = 0.0
    cpu_hours: float = 0.0


class Plan:
    """Studies that run together, priced on one device profile."""

    def __init__(self, *studies: "Study", profile: str | None = None) -> None:
        """profile: in place of the studies' `execution.profile`."""
        self.studies = studies
        first = studies[0]
        execution = first.execution
        name = profile or execution.profile
        if name is None:
            name = DEFAULT_GPU if execution.device.startswith("cuda") else "cpu"
        self.store = first.open_store()
        self.device: Device = device(name)
        self.calibration = calibration(self.device.kind, self.store.root)
        self.correction: Correction = correction(self.store, self.device, self.calibration)
        self._pricer = Pricer(
            device=self.device,
            execution=execution,
            calibration=self.calibration,
            factor=self.correction.factor,
        )

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """The cells by id; one that several studies want is there once."""
        return {cell.id: cell for study in self.studies for cell in study.cells}

    @cached_property
    def graph(self) -> Graph:
        """The stages; those whose text is not here are known by its published size."""
        sources = PlannedSources(self._locations, self.store)
        cells = list(self.cells.values())
        return build(
            cells,
            locations=self._locations,
            store=self.store,
            programs={
                name: program for study in self.studies for name, program in study.programs.items()
            },
            sources=sources,
        )

    @cached_property
    def states(self) -> dict[str, State]:
        """The state of each cell by its id."""
        folders = [study.folder for study in self.studies]
        return cell_states(self.graph, self.store, folders, self.lacking)

    @cached_property
    def lacking(self) -> dict[str, list[str]]:
        """The sources of each cell, by its id, that have no location here."""
        return {
            id: [source for source in _sources(cell.config) if source not in self._locations]
            for id, cell in self.cells.items()
        }

    @property
    def _locations(self) -> dict[str, str]:
        return {name: path for study in self.studies for name, path in study.locations.items()}

    def price(self, cell: Cell) -> Price:
        return self._pricer.price(cell.config)

    def frame(self) -> "polars.DataFrame":
        """One row for each cell of each study, with everything that there is to say about it."""
        from grid.studies import stacked

        return stacked(self.studies, [self._frame(study) for study in self.studies])

    def _frame(self, study: "Study") -> "polars.DataFrame":
        import polars

        from grid.results import plan_frame

        rows = [self._row(cell) for cell in study.cells]
        return polars.concat([plan_frame(study), polars.DataFrame(rows)], how="horizontal")

    def _row(self, cell: Cell) -> dict[str, object]:
        price, state = self.price(cell), self.states[cell.id]
        measured = self.measured(cell)
        seconds = {
            kind: sum(each.seconds for role, each in measured.items() if _kind(role) == kind)
            for kind in MEASURING
        }
        tuned = max((each.memory for each in measured.values()), default=0.0)
        laid, memory = price.layout, price.layout.memory
        shape = laid.shape
        lacking = fault(price)
        return {
            "state": state.name,
            "embedding_rows": price.rows,
            "parameters": price.parameters,
            "embedding_parameters": price.embedding_parameters,
            "formula_parameters": price.formula_parameters,
            "rank_parameters": price.rank_parameters,
            "updates": price.updates,
            "tokens": price.tokens,
            "flops": price.flops,
            "device": self.device.name,
            "tensor_parallel": shape.tensor_parallel,
            "smallest_tensor_parallel": price.smallest.shape.tensor_parallel
            if price.smallest.fits
            else None,
            "smallest_memory": price.smallest.memory.total if price.smallest.fits else None,
            "data_parallel": shape.data_parallel,
            "micro_batch": shape.micro_batch,
            "accumulation": shape.accumulation,
            "memory": memory.total,
            "memory_weights": memory.weights,
            "memory_gradients": memory.gradients,
            "memory_optimizer": memory.optimizer,
            "memory_activations": memory.activations,
            "memory_logits": memory.logits,
            "memory_workspace": memory.workspace,
            "fits": laid.fits,
            "pretraining_hours": price.pretraining_seconds / HOUR,
            **{f"{kind}_hours": value / HOUR for kind, value in seconds.items()},
            "finetuning_memory": tuned,
            "device_hours": (price.device_seconds + sum(seconds.values())) / HOUR,
            "note": "; ".join(text for text in (state.why, lacking, self._cramped(tuned)) if text)
            or None,
        }

    def measured(self, cell: Cell) -> dict[str, Measuring]:
        """What each stage comes to that measures the cell's encoder, by its role."""
        price, roles = self.price(cell), self.graph.cells[cell.id]
        return {
            role: self._pricer.measuring(price, self.graph.stages[stage].config)
            for role, stage in roles.items()
            if _kind(role) in MEASURING
        }

    def _cramped(self, memory: float) -> str | None:
        """Why a fine-tuning will not fit, if it will not: it has one device to itself."""
        if memory <= self.device.memory:
            return None
        return (
            f"fine-tuning needs {memory / 1e9:.1f} GB on one {self.device.name}, which has "
            f"{self.device.memory / 1e9:.1f} GB; it is not spread over several"
        )

    def stage_hours(self) -> dict[StageId, tuple[float, float]]:
        """Hours on devices and on CPU cores of every stage."""
        hours: dict[StageId, tuple[float, float]] = {}
        for id, roles in self.graph.cells.items():
            price, measured = self.price(self.cells[id]), self.measured(self.cells[id])
            for role, stage in roles.items():
                if stage in hours:
                    continue
                if role == "pretraining":
                    seconds = price.device_seconds
                elif role in measured:
                    seconds = measured[role].seconds
                else:
                    hours[stage] = (0.0, self.graph.stages[stage].seconds / HOUR)
                    continue
                hours[stage] = (seconds / HOUR, 0.0)
        return hours

    def totals(self) -> dict[str, Totals]:
        """What the stages come to: `alone` (nothing shared), `shared`, `to run` and `done`."""
        hours = self.stage_hours()
        states = self.graph.states(self.store)
        wanted = [stage for roles in self.graph.cells.values() for stage in roles.values()]
        return {
            "alone": _sum(hours, wanted),
            "shared": _sum(hours, list(hours)),
            "to run": _sum(hours, [id for id in hours if states[id] == TO_RUN]),
            "done": _sum(hours, [id for id in hours if states[id] == DONE]),
        }


def _kind(role: str) -> str:
    return role.partition("/")[0]


def _sum(hours: Mapping[StageId, tuple[float, float]], ids: list[StageId]) -> Totals:
    return Totals(
        stages=len(ids),
        device_hours=sum(hours[id][0] for id in ids),
        cpu_hours=sum(hours[id][1] for id in ids),
    )


def _sources(config: CellConfig) -> Iterator[str]:
    """The sources that a cell reads from files."""
    named = [config.corpus.source, config.scored_corpus().source]
    named += [task.source for task in config.tasks.values() if task is not None]
    yield from (source for source in dict.fromkeys(named) if source != "synthetic")
