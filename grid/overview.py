"""All that there is to say of studies while they run: looks at their files, and at Slurm.

    overview = Overview(studies)
    look = overview.look()        # as often as you like: what does not change is read once
    overview.frame(look)          # one row for each stage

It needs nothing of the process that runs them, so it works on any machine that sees the store, and
for what a local launcher runs as well as for jobs.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from grid.graph import DONE, NOT_NEEDED, TO_RUN, Graph, StageId, united
from grid.launch.display import Running
from grid.outcome import CANCELLED, FAILED, HUNG, KILLED, MEMORY, NODE, PREEMPTED, STOPPED, TIME
from grid.slurm.queue import Queue
from grid.slurm.submission import read_stages, submissions
from grid.slurm.watch import View, Watch
from grid.states import states_of
from grid.status import BLOCKED, QUEUED, RUNNING, Standing, standings
from grid.usage import Usage
from grid.wanted import recorded
from model.errors import InputError

if TYPE_CHECKING:
    import polars

    from grid.plan import Plan
    from grid.studies import Studies

PASSING = (HUNG, KILLED, MEMORY, NODE, PREEMPTED, TIME)
"""Causes of failures that another try may not meet, or with more memory or time."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look found."""

    stages: dict[StageId, Standing]
    cells: Counter[str]
    """How many cells are in each state; empty where the cells' stages are not known here."""
    view: View
    running: dict[StageId, Running] = field(default_factory=dict)
    """The progress of what runs."""
    used: dict[StageId, float]
    """Device hours of the stages that were tried."""

    @property
    def counts(self) -> Counter[str]:
        """How many stages are in each state."""
        return Counter(found.state for found in self.stages.values())

    def of(self, state: str) -> list[tuple[StageId, Standing]]:
        """The stages in a state."""
        return [(id, found) for id, found in self.stages.items() if found.state == state]

    @property
    def done(self) -> bool:
        """Whether all that is wanted is there."""
        return self.counts.keys() <= {DONE, NOT_NEEDED}

    @property
    def settled(self) -> bool:
        """Whether nothing is left that anything could begin by itself."""
        ends = {DONE, NOT_NEEDED, FAILED, BLOCKED, STOPPED}
        return self.counts.keys() <= ends and not self.view.active

    @property
    def moving(self) -> bool:
        """Whether anything runs or waits for Slurm: something may still come of it."""
        counts = self.counts
        return bool(counts[RUNNING] or counts[QUEUED] or self.view.active)


class Overview:
    """Looks at studies again and again."""

    def __init__(self, studies: "Studies", queue: Queue | None = None) -> None:
        self.studies = studies
        self.store = studies.open_store()
        self.graph, self.note = known_graph(studies)
        self._watch = Watch(self.store, queue)
        self._usage = Usage(self.store)
        self._running: dict[Path, Running] = {}

    @property
    def queue(self) -> Queue:
        return self._watch.queue

    def look(self) -> Look:
        """What there is to see now."""
        states = self.graph.states(self.store)
        view = self._watch.look([id for id, state in states.items() if state == TO_RUN])
        found = standings(self.graph, self.store, view, states)
        cells = states_of(self.graph, found, [study.folder for study in self.studies.studies], {})
        running = {
            id: each.attempt
            for id, each in found.items()
            if each.state == RUNNING and each.attempt is not None
        }
        return Look(
            stages=found,
            cells=Counter(state.name for state in cells.values()),
            view=view,
            running={id: self._progress(id, attempt) for id, attempt in running.items()},
            used=self._usage.hours(self.graph, found),
        )

    def _progress(self, id: StageId, attempt: Path) -> Running:
        if attempt not in self._running:
            self._running[attempt] = Running(stage=self.graph.stages[id], folder=attempt)
        self._running[attempt].refresh()
        return self._running[attempt]

    @property
    def unit(self) -> str:
        """What the hours are of."""
        return "GPU" if self.studies.execution.device.startswith("cuda") else "core"

    @cached_property
    def plan(self) -> "Plan":
        """The studies' plan, which needs no text."""
        plan = self.studies.priced()
        if self.note is None:
            plan.graph = self.graph
        return plan

    @cached_property
    def planned(self) -> dict[StageId, float]:
        """Device hours of each stage as planned, also of what is done."""
        return {id: device for id, (device, _) in self.plan.stage_hours().items()}

    def needing(self) -> dict[StageId, int]:
        """How many cells need each stage."""
        counts: dict[StageId, int] = dict.fromkeys(self.graph.stages, 0)
        for roles in self.graph.cells.values():
            for id in set(roles.values()):
                counts[id] += 1
        return counts

    def frame(self, look: Look) -> "polars.DataFrame":
        """One row for each stage: state, cause, message, progress, node, job, log, hours."""
        import polars

        needing = self.needing()
        rows = []
        for id, found in look.stages.items():
            running = look.running.get(id)
            latest = running.latest if running is not None else {}
            rows.append(
                {
                    "stage": id[0],
                    "key": id[1],
                    "state": found.state,
                    "attempts": None if found.state == DONE else found.attempts,
                    "cells": needing[id],
                    "cause": found.cause,
                    "message": found.message,
                    "step": latest.get("step"),
                    "total": latest.get("total"),
                    "loss": latest.get("loss"),
                    "tokens_per_s": latest.get("tokens_per_s"),
                    "seconds_left": running.seconds_left() if running is not None else None,
                    "node": found.node,
                    "job": found.job,
                    "log": None if found.log is None else str(found.log),
                    "device_hours": look.used.get(id),
                    "planned_device_hours": self.planned.get(id),
                }
            )
        return polars.DataFrame(rows, schema=_schema())

    def again(self, look: Look) -> set[StageId]:
        """The open stages that may be tried again: nothing that they need has failed for good.

        For good is what fails the same way another time, and what somebody has cancelled.
        """
        open_ = {id for id, found in look.stages.items() if found.state not in (DONE, NOT_NEEDED)}
        lasting = [
            id
            for id, found in look.stages.items()
            if found.cause == CANCELLED or (found.state == FAILED and found.cause not in PASSING)
        ]
        return open_ - self.graph.after(lasting)


def _schema() -> dict[str, "type[polars.DataType]"]:
    import polars

    text = ("stage", "key", "state", "cause", "message", "node", "job", "log")
    whole = ("attempts", "cells", "step", "total")
    order = (
        "stage", "key", "state", "attempts", "cells", "cause", "message", "step", "total", "loss",
        "tokens_per_s", "seconds_left", "node", "job", "log", "device_hours",
        "planned_device_hours",
    )  # fmt: skip
    return {
        name: polars.String if name in text else polars.Int64 if name in whole else polars.Float64
        for name in order
    }


def known_graph(studies: "Studies") -> tuple[Graph, str | None]:
    """The studies' stages, and what to know of them.

    Where their text is not at hand, and so their keys cannot be worked out, they are as they were
    submitted to Slurm, without cells. Raises InputError if they never were.
    """
    try:
        return studies.graph(), None
    except InputError as error:
        graphs = []
        for study in studies.studies:
            folders = submissions(study.folder)
            wanted = recorded(study.folder) or set()
            graphs += [_only(read_stages(folder), wanted) for folder in folders]
        if not graphs:
            raise
        first = str(error).partition("\n")[0]
        return united(graphs), f"these are the stages as they were submitted, for {first}"


def _only(graph: Graph, wanted: set[StageId]) -> Graph:
    """The stages that are wanted still, with those of their inputs."""
    kept = Graph()
    for id, stage in graph.stages.items():
        if id in wanted or not wanted:
            inputs = {role: of for role, of in stage.inputs.items() if of in kept.stages}
            kept.add(replace(stage, inputs=inputs))
    kept.targets = graph.targets & kept.stages.keys()
    return kept
