"""The de-duplicated graph of the stages that a list of cells needs.

A stage is known by (name, key). Cells that need the same stage share one, so the graph is what has
to be run once, however many cells, blocks or studies want it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grid.store import Store

StageId = tuple[str, str]
"""(stage, key), e.g. ("corpus", "sw-synthetic-0123456789abcdef")."""

DONE, TO_RUN, NOT_NEEDED = "done", "to run", "not needed"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """One step of work with one output: what is run, on what, and where its text lies."""

    name: str
    key: str
    module: str
    """Python module whose `run(config, inputs, output, context)` does the work."""
    version: int
    config: Any
    inputs: Mapping[str, StageId] = field(default_factory=dict)
    needs_torch: bool = False
    threads: int = 1
    """Threads that it uses whatever the execution says (a tokenizer's are part of its key)."""
    ranks: int = 1
    """Processes that compute it together: placement, not in the key."""
    tensor_parallel: int | None = None
    """Ranks of these that hold one model together; None: as the execution says."""
    micro_batch: int | None = None
    """Sequences that go through a rank's model at once; None: as the execution says."""
    gpu_share: float = 1.0
    """Share of its GPU's memory that is planned for it; all of it where nothing is planned."""
    resumable: bool = False
    """Whether it saves its state when it is asked to stop, and goes on from there."""
    seconds: float = 1.0
    """Estimate for one core, for the order of work only."""
    seconds_known: bool = True
    """False for a program of which nobody has said how long it takes."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Where the files of its source lie on this machine: placement, not in the key."""
    command: Mapping[str, Any] | None = None
    """How a program of the user's own is started (`model.command.Invocation`): placement."""

    @property
    def id(self) -> StageId:
        return (self.name, self.key)

    @property
    def imports_torch(self) -> bool:
        """Whether its own process does: several ranks are processes that it starts."""
        return self.needs_torch and self.ranks == 1

    def __str__(self) -> str:
        return f"{self.name} {self.key}"


@dataclass(kw_only=True)
class Graph:
    """Stages in topological order, and for each cell the role that each of its stages has.

    Roles: `corpus/<language>`, `tokenizer`, `shards/<language>`, `pretraining`, `evaluation`,
    `task/<task>`, `finetuning/<task>`, `retrieval/<task>`, `command/<name>`, `held_out/<language>`
    where another source's held-out text is scored, and `checkpoint` where
    a cell starts from a published model. One that is scored as it is has the same stage as
    `checkpoint` and as `pretraining`. What there are several of has more parts: the regime, its
    language of training, `m<milestone>`, `f<seed of fine-tuning>`.
    """

    stages: dict[StageId, Stage] = field(default_factory=dict)
    cells: dict[str, dict[str, StageId]] = field(default_factory=dict)
    targets: set[StageId] = field(default_factory=set)
    """Stages whose output is wanted for itself; the others only if something needs them."""

    def add(self, stage: Stage) -> StageId:
        """Adds a stage, or finds the equal one that is there. Its inputs come first."""
        missing = set(stage.inputs.values()).difference(self.stages)
        if missing:
            names = ", ".join(sorted(f"{name} {key}" for name, key in missing))
            raise ValueError(f"{stage}: inputs are not in the graph: {names}")
        self.stages.setdefault(stage.id, stage)
        self.__dict__.pop("consumers", None)
        return stage.id

    @cached_property
    def consumers(self) -> dict[StageId, list[StageId]]:
        """The stages that take each stage's output."""
        result: dict[StageId, list[StageId]] = {id: [] for id in self.stages}
        for stage in self.stages.values():
            for source in dict.fromkeys(stage.inputs.values()):
                result[source].append(stage.id)
        return result

    def after(self, ids: Iterable[StageId]) -> set[StageId]:
        """These stages and everything that takes their output, directly or not."""
        reached = set(ids)
        left = list(reached)
        while left:
            for consumer in self.consumers[left.pop()]:
                if consumer not in reached:
                    reached.add(consumer)
                    left.append(consumer)
        return reached

    def states(self, store: "Store") -> dict[StageId, str]:
        """`done`, `to run`, or `not needed` (absent, but all that would need it is done).

        Costs one listing for each kind of stage, however many cells there are.
        """
        published = {name: store.published(name) for name in {name for name, _ in self.stages}}
        states: dict[StageId, str] = {}
        for stage in reversed(self.stages.values()):
            wanted = stage.id in self.targets or any(
                states[consumer] == TO_RUN for consumer in self.consumers[stage.id]
            )
            if stage.key in published[stage.name]:
                states[stage.id] = DONE
            else:
                states[stage.id] = TO_RUN if wanted else NOT_NEEDED
        return {id: states[id] for id in self.stages}

    def order(self) -> list[Stage]:
        """Topological order, the longest remaining chain of work first.

        This is what keeps all cores at work: whatever leads to the most expensive pretraining
        starts early, and what is left for the end is short.
        """
        remaining: dict[StageId, float] = {}
        for stage in reversed(self.stages.values()):
            after = max((remaining[id] for id in self.consumers[stage.id]), default=0.0)
            remaining[stage.id] = stage.seconds + after
        position = {id: index for index, id in enumerate(self.stages)}
        # A stage's chain is longer than any consumer's (seconds > 0), so the order is topological.
        return sorted(self.stages.values(), key=lambda s: (-remaining[s.id], position[s.id]))


def united(graphs: Sequence[Graph]) -> Graph:
    """One graph of several: what they share is in it once. One cell has the same stages in all."""
    together = Graph()
    for graph in graphs:
        for id, stage in graph.stages.items():
            together.stages.setdefault(id, stage)
        for cell, roles in graph.cells.items():
            together.cells.setdefault(cell, roles)
        together.targets |= graph.targets
    return together
