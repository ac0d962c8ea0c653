"""The warnings that a job gets from Slurm, and what is behind them: time, preemption, cancelling.

USR2 comes before the time limit and on preemption, SIGTERM when the job is being ended. Which of
these it is, Slurm says: `scontrol show job`, asked once, and what slurmstepd writes into the job's
output. Light on imports, for a warning may come while a job starts.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grid.execution import ExecutionConfig
    from grid.graph import Stage
    from grid.launch.display import Running

TIME, PREEMPTED, CANCELLED = "time", "preempted", "cancelled"
MEMORY, NODE = "memory", "node"
_REASONS = {"TimeLimit": TIME, "JobTimeLimit": TIME, "OutOfMemory": MEMORY, "NodeDown": NODE}
_DUE_TO = {
    "TIME LIMIT": TIME,
    "PREEMPTION": PREEMPTED,
    "NODE FAILURE": NODE,
    "JOB REQUEUE": CANCELLED,
}
"""In `*** JOB 4 ON node1 CANCELLED AT 2026-11-20T15:18:49 DUE TO PREEMPTION ***`."""
_CANCELLED = re.compile(r"\*\*\* (?:JOB|STEP) .* CANCELLED AT (.*) \*\*\*")
_PATIENCE = 15.0
"""Seconds that Slurm has to answer."""
_EARLY = 90.0
"""Slurm sends the signal up to a minute before it is due."""
_RESERVE = 0.25
"""Share of the time between warning and end that is kept for ending and requeueing."""
_END_SECONDS = 2.0
_TAIL = 2000


class Warnings:
    """Takes the signals from now on. Is asked by a launcher whether to stop, and how fast."""

    def __init__(self) -> None:
        self.asked = False
        self.requeued = False
        """Whether Slurm itself has put the job back into the queue: known with the cause."""
        self.limit_seconds = 0.0
        """The job's time limit, and how long before it the warning comes: known when it is read."""
        self.signal_seconds = 120.0
        self._number = 0
        self._cause: str | None = None
        self._began = time.monotonic()
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked, self._number = True, number

    @property
    def cause(self) -> str:
        """Why this job is to end, as an outcome's `kind`; empty if it was not asked to."""
        if self.asked and self._cause is None:
            self._cause = self._find()
        return self._cause or ""

    def _find(self) -> str:
        job = show_job(os.environ.get("SLURM_JOB_ID", ""))
        restarts = job.get("Restarts", "0")
        self.requeued = restarts.isdecimal() and int(restarts) > restart_count()
        if self._number == signal.SIGTERM:
            return _due_to() or _REASONS.get(job.get("Reason", ""), CANCELLED)
        if _time(job.get("PreemptTime")) is not None:
            return PREEMPTED
        left = self._began + self.limit_seconds - time.monotonic()
        end = _time(job.get("EndTime"))
        if end is not None:
            left = end.timestamp() - time.time()
        # A person's `scancel --signal=USR2` frees the place as a preemption does.
        return TIME if left <= self.signal_seconds + _EARLY else PREEMPTED

    def seconds(self, stage: "Stage", execution: "ExecutionConfig") -> float:
        """How long a stage has to save its state, or to end by itself."""
        if self.cause == TIME and self._number != signal.SIGTERM:
            return self.signal_seconds * (1 - _RESERVE)
        return execution.stop_seconds if stage.resumable else _END_SECONDS

    def failed(self, running: "Running") -> bool:
        """A stage that had most of a job's time has failed; one that began late has not."""
        if self.cause == TIME:
            whole = max(self.limit_seconds, time.monotonic() - self._began)
            return time.monotonic() - running.started >= whole / 2
        return self.cause == MEMORY


def restart_count() -> int:
    """How often Slurm had started this job before."""
    return int(os.environ.get("SLURM_RESTART_COUNT", 0))


def show_job(job: str) -> dict[str, str]:
    """What `scontrol show job` says of a job; nothing if Slurm does not answer."""
    program = shutil.which("scontrol")
    if program is None or not job:
        return {}
    try:
        done = subprocess.run(
            [program, "show", "job", "--oneliner", job],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(re.findall(r"(\w+)=(\S*)", done.stdout)) if done.returncode == 0 else {}


def _due_to() -> str | None:
    """Why Slurm ends this job, from what it wrote at the end of the job's output."""
    try:
        with open("/proc/self/fd/2", "rb") as output:
            output.seek(max(0, os.fstat(output.fileno()).st_size - _TAIL))
            lines = _CANCELLED.findall(output.read().decode(errors="replace"))
    except OSError:
        return None  # a pipe, or gone
    return _DUE_TO.get(lines[-1].partition(" DUE TO ")[2].partition(",")[0]) if lines else None


def _time(text: str | None) -> datetime | None:
    """A time of Slurm's in the site's clock; None for `None`, `Unknown`, or nothing."""
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return None
