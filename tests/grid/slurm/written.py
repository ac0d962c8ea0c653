"""Submissions written by hand, for tests of what is said about them."""

from collections.abc import Sequence
from pathlib import Path

from grid.execution import ExecutionConfig
from grid.graph import Graph, StageId
from grid.slurm.queue import Job
from grid.slurm.resources import Resources
from grid.slurm.submission import Array, Submission, comment, write_stages, write_submission

ID = "20260131-120000-0a1b"
Shares = Sequence[Sequence[StageId]]


def submission(
    store: Path, graph: Graph, arrays: dict[str, Shares], *, study: str = "tiny", id: str = ID
) -> Submission:
    """A submission of these arrays' shares, in the study's folder; nothing is sent to Slurm."""
    folder = store / "studies" / study / "laptop" / "submissions" / id
    made = Submission(
        folder=folder,
        id=id,
        created="2026-01-31T12:00:00+00:00",
        host="login",
        user="someone",
        study=study,
        scale="laptop",
        store=store,
        code=store / "snapshots" / "0123",
        execution=ExecutionConfig(),
        arrays=tuple(
            Array(
                name=name,
                resources=Resources(minutes=5),
                shares=tuple(tuple(share) for share in shares),
            )
            for name, shares in arrays.items()
        ),
    )
    write_stages(folder, graph)
    write_submission(made)
    return made


def job(number: str, index: int, state: str, array: str = "a1", **said: str) -> Job:
    """A job as squeue would tell it."""
    told = {"reason": "", "node": "", "partition": "main", "comment": comment(ID, array), **said}
    return Job(array=number, index=index, number=number, state=state, name=f"tiny-{array}", **told)
