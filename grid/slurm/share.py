"""What an element of an array does: its share of the stages, then those of elements that were lost.

The stages are run by the launcher of this machine, with its leases, attempts and resuming; a batch
job only adds where they start and when they stop. Inputs are made by other jobs: an element that
finds one missing ends in seconds, and holds nothing while it waits.
"""

import os
import socket
import sys
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from grid import lease
from grid.graph import StageId
from grid.launch.gpus import Pool
from grid.launch.local import Launcher
from grid.launch.policy import Policy
from grid.launch.report import Report
from grid.outcome import FAILED
from grid.slurm import elements
from grid.slurm.elements import Element
from grid.slurm.ending import conclude, published
from grid.slurm.submission import read_stages, read_submission
from grid.slurm.warning import Warnings, restart_count
from grid.status import ended
from grid.store import Store

_PATIENCE = 10.0
"""Seconds to wait for inputs that a network file system does not show yet."""


class Share:
    """An element at work."""

    def __init__(self, folder: Path, array: str, warnings: Warnings) -> None:
        """folder: of the submission. Raises StoreError if it cannot be read."""
        self.submission = read_submission(folder)
        self.array = self.submission.array(array)
        self.element = Element(
            array=array,
            index=int(os.environ.get("SLURM_ARRAY_TASK_ID", 0)),
            restart=restart_count(),
            job=os.environ.get("SLURM_JOB_ID", ""),
            host=socket.gethostname(),
            started=elements.now(),
        )
        self.ids = self.array.shares[self.element.index]
        self.store = Store(self.submission.store)
        self.warnings = warnings
        warnings.limit_seconds = self.array.resources.minutes * 60.0
        warnings.signal_seconds = float(self.submission.execution.slurm.signal_seconds)

    def run(self) -> int:
        """The share, then what was lost, then the end. Returns the exit status."""
        folder = self.submission.elements_folder
        elements.write(folder, self.element)
        held = lease.acquire(elements.lease_folder(folder, self.element))
        try:
            reports = self._work(self.ids)
            while not self.warnings.asked and (lost := self._lost(reports)):
                reports += self._work(lost)
        finally:
            if held is not None:
                held.remove()
        return conclude(self.submission, self.store, self.element, self.ids, reports, self.warnings)

    def _work(self, ids: Collection[StageId]) -> list[Report]:
        """Runs these stages as far as their inputs are there."""
        ready = self._ready(ids)
        if not ready:
            return []
        resources, execution = self.array.resources, self.submission.execution
        workers = resources.ranks * resources.cpus // execution.threads
        execution = replace(execution, workers=max(1, workers))
        # Ranks see the GPUs that srun gives them.
        pool = Pool(execution, [] if resources.ranks > 1 else None)
        graph = read_stages(self.submission.folder, only=ready)
        launcher = Launcher(graph, self.store, execution, pool, self._policy())
        return [launcher.run(self.warnings, sys.stderr, live=False)]

    def _policy(self) -> Policy:
        """What the launcher does otherwise than before a person."""
        resources = self.array.resources
        batch: dict[str, Any] = {
            "submission": self.submission.id,
            "array": self.array.name,
            "index": self.element.index,
            "job": self.element.job,
            "restart": self.element.restart,
            "memory_mb": resources.memory_mb,
            "minutes": resources.minutes,
        }
        if resources.ranks > 1:
            batch["srun"] = {
                "nodes": resources.nodes,
                "tasks_per_node": resources.tasks_per_node,
                "cpus": resources.cpus,
            }
        return Policy(wait=False, retries=self.submission.execution.slurm.retries, batch=batch)

    def _ready(self, ids: Collection[StageId]) -> list[StageId]:
        """Of these stages those whose inputs are in the store, or made by others of them.

        Looks for a while: a network file system may not show at once what another job has made.
        """
        graph = read_stages(self.submission.folder, only=ids)
        deadline = time.monotonic() + _PATIENCE
        while True:
            there = published(self.store, graph)
            missing = [id for id in graph.stages if id not in ids and id not in there]
            if not missing or all(map(self._settled, missing)):
                break
            if self.warnings.asked or time.monotonic() > deadline:
                break
            time.sleep(1.0)
        ready: list[StageId] = []
        for id, stage in graph.stages.items():
            if id in ids and there.union(ready).issuperset(stage.inputs.values()):
                ready.append(id)
        return ready

    def _settled(self, id: StageId) -> bool:
        """Whether a missing stage will not be there in a moment: it failed, or is in work."""
        attempts = self.store.attempts(*id)
        failed = bool(attempts) and ended(attempts[-1])[0] == FAILED
        return failed or lease.held(self.store.lease_folder(*id))

    def _lost(self, reports: Collection[Report]) -> list[StageId]:
        """Stages of elements that were killed without a word, and that nobody works on."""
        tried = {id for report in reports for id in report.ids}
        others = elements.lost(self.submission.elements_folder, self.element)
        ids = [id for each in others for id in self.array.shares[each.index] if id not in tried]
        if not ids:
            return []
        there = published(self.store, read_stages(self.submission.folder, only=ids))
        return self._ready([id for id in ids if id not in there and not self._settled(id)])
