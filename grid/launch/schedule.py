"""What may run next: a graph's stages as they become ready, the longest chain of work first."""

import heapq
from collections.abc import Collection, Mapping

from grid.graph import DONE, TO_RUN, Graph, Stage, StageId
from grid.launch.gpus import Pool


class Schedule:
    """The stages that are to run, each of which is taken once, then finished or failed."""

    def __init__(self, graph: Graph, states: Mapping[StageId, str]) -> None:
        self._graph = graph
        self._rank = {stage.id: rank for rank, stage in enumerate(graph.order())}
        self.left = {id for id, state in states.items() if state == TO_RUN}
        """Neither finished, failed nor blocked."""
        self._missing = {
            id: {input for input in graph.stages[id].inputs.values() if states[input] != DONE}
            for id in self.left
        }
        self._ready: list[tuple[int, StageId]] = []
        for id in sorted(self.left, key=self._rank.__getitem__):
            if not self._missing[id]:
                self.put_back(id)

    def take(self, kinds: Collection[bool], slots: int, workers: int, pool: Pool) -> Stage | None:
        """The first ready stage of these kinds (`imports_torch`), if the free slots hold it.

        One that needs more slots than are free is not overtaken, or it might wait for ever; one
        that needs more GPUs is overtaken only by stages that need none.
        """
        passed = []
        found = None
        gpus_wanted = False
        while slots and self._ready:
            item = heapq.heappop(self._ready)
            stage = self._graph.stages[item[1]]
            waits = pool.needs(stage) > 0 and (gpus_wanted or not pool.has_room(stage))
            gpus_wanted |= waits
            if stage.imports_torch not in kinds or waits:
                passed.append(item)
                continue
            if slots_of(stage, workers) <= slots:
                found = stage
            else:
                passed.append(item)
            break
        for item in passed:
            heapq.heappush(self._ready, item)
        return found

    def put_back(self, id: StageId) -> None:
        """A stage that was taken but could not run now."""
        heapq.heappush(self._ready, (self._rank[id], id))

    def finish(self, id: StageId) -> None:
        """The stage's artifact is there: what waited only for it is ready."""
        self.left.discard(id)
        for consumer in self._graph.consumers[id]:
            missing = self._missing.get(consumer)
            if consumer in self.left and missing is not None:
                missing.discard(id)
                if not missing:
                    self.put_back(consumer)

    def fail(self, id: StageId) -> list[Stage]:
        """The stage failed: returns what can no longer run because of it."""
        self.left.discard(id)
        blocked: list[Stage] = []
        reached = [id]
        while reached:
            for consumer in self._graph.consumers[reached.pop()]:
                if consumer in self.left:
                    self.left.discard(consumer)
                    blocked.append(self._graph.stages[consumer])
                    reached.append(consumer)
        return sorted(blocked, key=lambda stage: self._rank[stage.id])

    def needs(self, imports_torch: bool) -> bool:
        """Whether a stage of this kind is left."""
        return any(self._graph.stages[id].imports_torch == imports_torch for id in self.left)


def slots_of(stage: Stage, workers: int) -> int:
    """The workers that a stage occupies: all of them if it wants more, so that it runs alone."""
    return min(stage.threads * stage.ranks, workers)
