"""Submissions written by hand, for tests of what happens inside a job."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grid.execution import ExecutionConfig
from grid.graph import Graph, StageId
from grid.slurm import elements
from grid.slurm.elements import Element
from grid.slurm.resources import Resources
from grid.slurm.settings import SlurmConfig
from grid.slurm.submission import Array, Submission, write_stages, write_submission
from grid.store import Store
from tests.cluster.daemons import Cluster
from tests.grid.processes import ROOT

_SCRIPT = """\
#!/bin/bash
trap '' USR2
export PYTHONPATH={code} OMP_NUM_THREADS=1
exec {python} -u -m grid.slurm.element {folder} {array}
"""


@dataclass(kw_only=True)
class Sent:
    """An array that was submitted."""

    cluster: Cluster
    submission: Submission
    store: Store
    array: str
    job: str

    def start(self, index: int = 0) -> Element | None:
        """The latest start of an element; None before its first."""
        found = elements.starts(self.submission.elements_folder, self.array, index)
        return found[-1] if found else None

    def log(self) -> str:
        files = sorted((self.submission.folder / "log").glob("*.out"))
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')}" for file in files)

    def wait(self) -> None:
        """Until none of its jobs is in the queue."""
        try:
            self.cluster.wait_for(
                lambda: not any(job.split("_")[0] == self.job for job in self.cluster.jobs()),
                "end of the array",
            )
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log()}") from None


def send(
    cluster: Cluster,
    root: Path,
    graph: Graph,
    shares: Sequence[Sequence[StageId]],
    *options: str,
    resources: Resources | None = None,
    slurm: dict[str, Any] | None = None,
    **execution: Any,
) -> Sent:
    """One array with these shares, through sbatch; `options` are its."""
    settings = SlurmConfig(**{"signal_seconds": 50, **(slurm or {})})
    resources = resources or Resources(minutes=10)
    folder = root / "studies" / "test" / "smoke" / "submissions"
    folder /= f"s{len(list(folder.glob('*')))}"
    submission = Submission(
        folder=folder,
        id=folder.name,
        created=elements.now(),
        host="login",
        user="someone",
        study="test",
        scale="smoke",
        store=root,
        code=ROOT,
        execution=ExecutionConfig(**{"slurm": settings, **execution}),
        arrays=(Array(name="all", resources=resources, shares=tuple(map(tuple, shares))),),
    )
    (folder / "log").mkdir(parents=True)
    write_submission(submission)
    write_stages(folder, graph)
    script = submission.script("all")
    script.write_text(_SCRIPT.format(code=ROOT, python=sys.executable, folder=folder, array="all"))
    job = cluster.call(
        "sbatch",
        "--parsable",
        f"--array=0-{len(shares) - 1}",
        f"--output={folder}/log/%A_%a.out",
        "--open-mode=append",
        f"--time={resources.minutes}",
        f"--nodes={resources.nodes}",
        f"--ntasks-per-node={resources.tasks_per_node}",
        f"--cpus-per-task={resources.cpus}",
        f"--signal=B:USR2@{settings.signal_seconds}",
        "--requeue",
        *options,
        str(script),
    )
    return Sent(cluster=cluster, submission=submission, store=Store(root), array="all", job=job)


def outcomes(store: Store, id: StageId) -> list[dict[str, Any]]:
    """How each attempt at a stage ended; empty for one that could not say."""
    found = []
    for attempt in store.attempts(*id):
        file = attempt / "outcome.json"
        found.append(json.loads(file.read_text()) if file.exists() else {})
    return found


def steps_of(sent: Sent) -> int:
    """Lines of progress that all attempts of the store have reported."""
    files = (sent.store.root / "attempts").rglob("progress.jsonl")
    return sum(len(file.read_text().splitlines()) for file in files)


def process_of(sent: Sent, index: int) -> int:
    """The process of an element at work."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
            environment = (place / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        ours = "grid.slurm.element" in command and str(sent.submission.folder) in command
        if ours and f"SLURM_ARRAY_TASK_ID={index}" in environment:
            return int(place.name)
    raise LookupError(f"element {index} of {sent.submission.folder} does not run")
