"""Starts the ranks of a stage with srun: on the nodes and with the tasks that the job was given.

srun forwards SIGUSR1 to the ranks, which save their state and stop; on SIGTERM it kills them all.
It is sent that when the attempt's process dies, so no rank outlives its attempt. A rank that fails
has Slurm end the others: they would wait for it in a collective for ever.
"""

import re
import signal
import sys
from pathlib import Path

from grid.environment import python_path
from grid.job import Job
from grid.outcome import CRASH, KILLED, NODE
from grid.ranks import Command

_TOLD = "srun"
"""What srun says, in the attempt's folder."""
_END_SECONDS = 60.0
"""Seconds that srun has to end ranks: Slurm's KillWait (30 by default), and its answer."""
_FAILED = re.compile(r"srun: error: .*?: tasks? ([\d,-]+): (.+)")
"""`srun: error: node3: task 1: Killed`, `tasks 0-3: Exited with exit code 1`."""


def with_srun(job: Job, folder: Path, output: Path) -> list[Command]:
    """One srun for all ranks of a job, whose `batch["srun"]` says how they are spread."""
    placed = (job.batch or {})["srun"]
    options = [
        f"--nodes={placed['nodes']}",
        f"--ntasks={job.ranks}",
        f"--ntasks-per-node={placed['tasks_per_node']}",
        f"--cpus-per-task={placed['cpus']}",
        "--kill-on-bad-exit=1",
        "--mpi=none",
        "--overlap",  # a step that is still ending may not keep the next attempt waiting
        "--unbuffered",
    ]
    rank = [sys.executable, "-m", "grid.rank", str(folder), str(output), "--scheduled"]
    return [
        Command(
            arguments=["srun", *options, *rank],
            ranks=range(job.ranks),
            environment={"PYTHONPATH": python_path()},
            stop=signal.SIGUSR1,
            end_seconds=_END_SECONDS,
            told=folder / _TOLD,
            read=failed_first,
            cause=cause,
        )
    ]


def failed_first(text: str) -> dict[int, int]:
    """The ranks that failed first, in what srun said, with their exit statuses."""
    match = _FAILED.search(text)
    if match is None:
        return {}
    status = _status(match[2])
    found = {}
    for part in match[1].split(","):
        first, _, last = part.partition("-")
        for rank in range(int(first), int(last or first) + 1):
            found[rank] = status
    return found


def cause(text: str) -> str:
    """Why srun ended without naming a rank that failed, in what it said."""
    if re.search("node failure", text, re.IGNORECASE):
        return NODE
    return KILLED if re.search("CANCELLED AT|forcing job termination", text) else CRASH


def _status(words: str) -> int:
    """`Killed`, `Exited with exit code 7`, `Segmentation fault (core dumped)`, `Out Of Memory`."""
    code = re.search(r"exit code (\d+)", words)
    if code is not None:
        return int(code[1])
    for number in signal.Signals:
        if words.startswith(signal.strsignal(number) or "-"):
            return -number
    return -signal.SIGKILL
