"""Sends a submission's arrays to Slurm: all of them, or none.

The folder says what was meant before the first sbatch, and each job's number as soon as it is
known. If one is refused, what was sent before it is cancelled, and the folder says so. A process
that is killed in between leaves jobs that are known by their comment.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

import submitit

from grid.slurm.executor import Executor
from grid.slurm.queue import Queue, QueueError
from grid.slurm.submission import Array, Submission, comment, mark, write_submission
from grid.store import explain

_HINTS = {
    r"invalid partition|partition name": "execution.slurm.partition names the partition",
    r"invalid account|account/partition": "execution.slurm.account names the account",
    r"qos": "execution.slurm.qos names the quality of service",
    r"node configuration|processors|node count|memory": "execution.slurm.memory_gb, cpus and "
    "ranks_per_node say what is asked for; the script has the values",
    r"time limit": "execution.slurm.hours or max_hours says how long jobs may take",
    r"gres|gpus": "execution.slurm.gres says how this site asks for GPUs, such as gpu:{gpus}",
    r"reservation": "execution.slurm.reservation names the reservation",
    r"feature|constraint": "execution.slurm.constraint names the features",
    r"contact slurm controller|connect": "its controller may be down (`scontrol ping` tells)",
    r"submit limit|job submit|QOSMaxSubmit": "wait until some jobs have ended",
}
"""What sbatch says, and what in the study or site file it is about."""


def scripts(
    submission: Submission, outside: Mapping[str, str], *, arrays: bool = True
) -> dict[str, str]:
    """The job script of each array; those that are not submitted are waited for by name."""
    executor = Executor(submission, arrays=arrays)
    jobs = {array.name: f"<{array.name}>" for array in submission.arrays}
    return {array.name: executor.script(array, {**jobs, **outside}) for array in submission.arrays}


def send(
    submission: Submission, queue: Queue, outside: Mapping[str, str], *, arrays: bool = True
) -> Submission:
    """Submits every array of a submission whose folder is written; returns it with its jobs.

    outside: job numbers of arrays of other submissions. arrays: whether the cluster has job arrays.
    Raises QueueError if one of them is refused: nothing of it runs then.
    """
    executor = Executor(submission, arrays=arrays)
    jobs = dict(outside)
    try:
        for array in submission.arrays:
            jobs[array.name] = _sent(executor, queue, array, jobs)
            submission = submission.with_job(array.name, jobs[array.name])
            write_submission(submission)
    except BaseException as error:
        told = _withdraw(submission, queue, str(error) or type(error).__name__)
        if isinstance(error, QueueError):
            raise QueueError(f"{error}. {told}") from None
        raise
    return submission


def _sent(executor: Executor, queue: Queue, array: Array, jobs: Mapping[str, str]) -> str:
    """Submits one array; its job's number."""
    file = executor.submission.script(array.name)
    try:
        file.write_text(executor.script(array, jobs), encoding="utf-8")
    except OSError as error:
        raise explain(error, file.parent, "writing a job script") or error from None
    try:
        return executor.job_of(queue.ask("sbatch", str(file)))
    except submitit.core.utils.FailedSubmissionError as error:
        raise QueueError(f"sbatch {file}: {error}") from None
    except QueueError as error:
        said = str(error)
        hint = next((text for words, text in _HINTS.items() if re.search(words, said, re.I)), None)
        raise QueueError(
            f"{said.replace('; sbatch: error: ', '; ')} (array {array.name}, script {file}"
            + (f"; {hint})" if hint else ")")
        ) from None


def _withdraw(submission: Submission, queue: Queue, why: str) -> str:
    """Cancels what was submitted, writes down why, and tells what was done."""
    known = {array.job for array in submission.arrays if array.job is not None}
    queue.forget()
    try:
        # Also what sbatch submitted without being able to say so.
        ours = {comment(submission.id, array.name) for array in submission.arrays}
        known |= {job.array for job in queue.jobs() if mark(job.comment, job.name) in ours}
        queue.cancel(known)
    except QueueError as error:
        if not known:
            told = "Nothing was submitted"
        else:
            numbers = ", ".join(sorted(known))
            told = (
                f"What was submitted before it could not be cancelled ({error}): scancel {numbers}"
            )
    else:
        arrays = "1 array" if len(known) == 1 else f"{len(known)} arrays"
        told = f"{arrays} submitted before it: cancelled" if known else "Nothing was submitted"
    write_submission(replace(submission, failed=f"{why}. {told}"))
    return told
