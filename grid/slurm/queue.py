"""What Slurm says of this user's jobs: one call for all of them, seldom, and never waited on.

`squeue` is asked for every job of the user at once, so that a study of ten thousand cells costs the
scheduler what a study of one does, and at most once in `INTERVAL` seconds however often a caller
looks. A scheduler that is slow or does not answer is asked less often. Nobody decides the state of
a stage from here alone: the store comes first.
"""

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grid.errors import StudyError

INTERVAL = 5.0
"""Seconds between two calls of squeue."""
_SLOWEST = 60.0
"""Seconds between two calls when the scheduler does not answer."""
_SHARE = 0.1
"""The most of a scheduler's time that is asked for: a slow answer makes the pauses longer."""
_PATIENCE = 30.0
"""Seconds that a command of Slurm's has to answer."""
_IDS = 400
"""Job ids on one command line."""

_OVER = ("already completing or completed", "Invalid job id specified")
"""What scancel says of a job that has ended, or that Slurm has forgotten since."""

_FIELDS = ("%F", "%K", "%A", "%T", "%r", "%N", "%P", "%j", "%k")
_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT",
            "RESV_DEL_HOLD"}  # fmt: skip
_ACTIVE = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}


class QueueError(StudyError):
    """Slurm did not answer, or refused: the message says which command, and what it said."""


class NoSlurmError(QueueError):
    """This machine does not have Slurm's commands: to ask again is of no use."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job of this user, or an element of an array, that Slurm still knows."""

    array: str
    """The number that sbatch printed; that of the array, for its elements."""
    index: int | None
    """The element's index; None for a job that is no array."""
    number: str
    """The job's own number: an element gets one when it starts."""
    state: str
    """As Slurm says it: PENDING, RUNNING, COMPLETED, NODE_FAIL, …"""
    reason: str
    """Why it waits, or why it ended; empty if Slurm says none."""
    node: str
    """Its nodes, as Slurm lists them."""
    partition: str
    name: str
    comment: str

    @property
    def id(self) -> str:
        """What scancel and scontrol take: `12`, or `12_3`."""
        return self.array if self.index is None else f"{self.array}_{self.index}"

    @property
    def waiting(self) -> bool:
        return self.state in _WAITING

    @property
    def running(self) -> bool:
        return self.state in _ACTIVE

    @property
    def ended(self) -> bool:
        """Slurm remembers ended jobs for a while (MinJobAge), with the state that they ended in."""
        return not (self.waiting or self.running)


@dataclass(frozen=True, kw_only=True)
class Past:
    """A job that has ended, as Slurm's accounting remembers it."""

    id: str
    state: str
    exit: str
    """Exit status and signal: `1:0`."""
    node: str
    seconds: int
    gpus: int

    @property
    def over(self) -> bool:
        """Whether it has ended: accounting tells of jobs that wait and run, too."""
        return self.state not in _WAITING | _ACTIVE


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a cluster allows one user."""

    array_size: int
    """MaxArraySize: an array's highest index is one less."""
    submit_jobs: int | None = None
    """Jobs that the user may have at once, where accounting says so."""


class Queue:
    """Slurm's commands for one user. Keep one for as long as you watch: it remembers answers."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """environment: in place of this process's, e.g. with another SLURM_CONF."""
        given = os.environ if environment is None else environment
        # What a user has set for his own calls would filter ours, or ask him questions.
        meant_for_people = ("SQUEUE_", "SACCT_", "SCANCEL_", "SLURM_TIME_FORMAT")
        self._environment = {k: v for k, v in given.items() if not k.startswith(meant_for_people)}
        self.calls = 0
        """How often squeue was asked, for tests."""
        self._due = 0.0
        self._pause = INTERVAL
        self._jobs: list[Job] = []
        self._error: QueueError | None = None
        self._config: dict[str, str] | None = None

    def jobs(self) -> list[Job]:
        """Every job of this user that Slurm knows, also those that ended a short while ago.

        Each element of an array is one. Asks squeue if its last answer is older than `INTERVAL`.
        Raises QueueError if Slurm does not answer; then it is asked again later, not at once.
        """
        if time.monotonic() >= self._due:
            self._ask()
        if self._error is not None:
            raise self._error
        return self._jobs

    def forget(self) -> None:
        """Makes the next `jobs` ask: after jobs were submitted or cancelled."""
        self._due = 0.0

    def _ask(self) -> None:
        began = time.monotonic()
        self.calls += 1
        command = ["squeue", "--array", "--noheader", "--states=all", f"--user={os.getuid()}"]
        try:
            text = self._run([*command, f"--format={'|'.join(_FIELDS)}"])
        except QueueError as error:
            self._error = error
            self._pause = min(2 * self._pause, _SLOWEST)
        else:
            self._error = None
            self._jobs = parse(text)
            took = time.monotonic() - began
            self._pause = min(max(INTERVAL, took / _SHARE), _SLOWEST)
        self._due = time.monotonic() + self._pause

    def config(self) -> dict[str, str]:
        """The cluster's configuration, as `scontrol show config` tells it."""
        if self._config is None:
            text = self._run(["scontrol", "show", "config"])
            pairs = re.findall(r"^(\w+)\s*= (.*)$", text, flags=re.MULTILINE)
            self._config = {name: value.strip() for name, value in pairs}
        return self._config

    def limits(self) -> Limits:
        """MaxArraySize; and MaxSubmitJobs, the smallest that accounting has for this user."""
        size = self.config().get("MaxArraySize", "")
        if not size.isdecimal():
            raise QueueError(f"scontrol show config: expected a MaxArraySize, found {size!r}")
        return Limits(array_size=int(size), submit_jobs=self._submit_jobs())

    def _submit_jobs(self) -> int | None:
        if not self._accounting() or shutil.which("sacctmgr", path=self._path) is None:
            return None
        try:
            user = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return None  # in a container without the site's users
        where = ["where", f"user={user}", "format=MaxSubmitJobs"]
        text = self._run(["sacctmgr", "--noheader", "--parsable2", "show", "assoc", *where])
        return min((int(word) for word in text.split() if word.isdecimal()), default=None)

    def _accounting(self) -> bool:
        return self.config().get("AccountingStorageType", "").endswith("/slurmdbd")

    def history(self, ids: Iterable[str]) -> list[Past]:
        """What accounting remembers of jobs and arrays, ended ones; nothing where there is none.

        ids: the numbers that sbatch printed. A job that was requeued is told as it ended last.
        """
        wanted = list(dict.fromkeys(ids))
        if not wanted or not self._accounting():
            return []
        columns = "JobID,State,ExitCode,NodeList,ElapsedRaw,AllocTRES"
        found = []
        for some in _groups(wanted):
            command = ["sacct", "--allocations", "--noheader", "--parsable2"]
            text = self._run([*command, f"--format={columns}", f"--jobs={','.join(some)}"])
            found += [past for line in text.splitlines() if (past := _past(line)) is not None]
        return found

    def cancel(self, ids: Iterable[str]) -> None:
        """Cancels jobs by their ids, `12` or `12_3`; one that has ended meanwhile is no fault."""
        for some in _groups(_folded(ids)):
            self._run(["scancel", "--quiet", *some], harmless=_OVER)

    def requeue(self, id: str) -> None:
        """Puts a job back into the queue. Raises QueueError where that is forbidden."""
        self._run(["scontrol", "requeue", id])

    def ask(self, *command: str) -> str:
        """What another command of Slurm's prints. Raises QueueError."""
        return self._run(command)

    @property
    def _path(self) -> str | None:
        return self._environment.get("PATH")

    def _run(self, command: Sequence[str], harmless: Sequence[str] = ()) -> str:
        """What a command prints. Raises QueueError with what it says when it fails.

        harmless: what a complaint says that is none.
        """
        name = command[0]
        program = shutil.which(name, path=self._path)
        if program is None:
            raise NoSlurmError(
                f"{name}: command not found. This machine has no Slurm, or its commands are not on "
                "PATH: log in to a node of the cluster, or load the site's module"
            )
        try:
            done = subprocess.run(
                [program, *command[1:]],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise QueueError(
                f"{name}: no answer from Slurm in {_PATIENCE:.0f} s; its controller may be down or "
                "busy (`scontrol ping` tells)"
            ) from None
        told = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        complaint = [line for line in told if not any(words in line for words in harmless)]
        if done.returncode != 0 and not (told and not complaint):
            said = "; ".join(complaint) or f"exit status {done.returncode}"
            raise QueueError(f"{' '.join(command[:2])}: Slurm says: {said}")
        return done.stdout


def parse(text: str) -> list[Job]:
    """The jobs that squeue printed; a line of another shape (a heading) is none."""
    jobs = []
    for line in text.splitlines():
        fields = line.split("|", len(_FIELDS) - 1)
        if len(fields) != len(_FIELDS):
            continue
        array, index, number, state, reason, node, partition, name, comment = map(str.strip, fields)
        if not array.isdecimal():
            continue
        jobs += [
            Job(
                array=array,
                index=element,
                number=number,
                state=state,
                reason="" if reason == "None" else reason,
                node=node,
                partition=partition,
                name=name,
                comment="" if comment == "(null)" else comment,
            )
            for element in _indices(index)
        ]
    return jobs


def _indices(text: str) -> list[int | None]:
    """`3`, `1-4,7%2`, or `N/A`; a range is told by versions that do not unfold with --array."""
    found: list[int | None] = []
    for part in text.partition("%")[0].strip("[]").split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            found += range(int(first), int(last or first) + 1)
    return found or [None]


def _past(line: str) -> Past | None:
    fields = line.split("|")
    if len(fields) != 6 or not fields[4].isdecimal():
        return None
    id, state, exit, node, seconds, resources = fields
    gpus = re.search(r"gres/gpu=(\d+)", resources)
    return Past(
        id=id,
        state=state.partition(" ")[0],  # CANCELLED by 1000
        exit=exit,
        node="" if node == "None assigned" else node,
        seconds=int(seconds),
        gpus=int(gpus[1]) if gpus else 0,
    )


def _folded(ids: Iterable[str]) -> list[str]:
    """Elements of one array as one word: `12_[3,5-9]`."""
    elements: dict[str, set[int]] = {}
    whole: set[str] = set()
    for id in ids:
        array, _, index = id.partition("_")
        elements.setdefault(array, set()).update([int(index)] if index else [])
        whole |= set() if index else {array}
    words = []
    for array, indices in elements.items():
        runs: list[list[int]] = []
        for element in sorted(indices):
            if runs and element == runs[-1][1] + 1:
                runs[-1][1] = element
            else:
                runs.append([element, element])
        told = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
        # Slurm reads an expression of some thousand characters at most.
        folded = [f"{array}_[{','.join(some)}]" for some in _groups(told, 100)]
        words += [array] if array in whole else folded
    return words


def _groups(words: Sequence[str], size: int = _IDS) -> list[Sequence[str]]:
    return [words[start : start + size] for start in range(0, len(words), size)]
