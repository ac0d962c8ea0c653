"""Which job has which stage: the submissions of a store, joined with what Slurm says of their jobs.

A job is known by the number that sbatch gave it, or, where the submitting process was killed before
it could write that down, by its comment. A number alone is not believed: a cluster that was set up
anew counts from 1 again.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from grid.errors import StoreError
from grid.graph import StageId
from grid.slurm import elements
from grid.slurm.queue import Job, NoSlurmError, Past, Queue, QueueError
from grid.slurm.submission import (
    FILE,
    FOLDER,
    Array,
    Submission,
    comment,
    mark,
    read_submission,
    submissions,
)
from grid.store import Store

_HISTORY = 30.0
"""Seconds between two questions to Slurm's accounting."""


@dataclass(frozen=True, kw_only=True)
class Element:
    """A job of a submission with its share of the stages, and what Slurm says of it now."""

    submission: Submission
    array: Array
    index: int
    number: str | None = None
    """Of its array, as sbatch printed it; None if it was not submitted, or nobody knows."""
    job: Job | None = None
    """As squeue tells it; None if Slurm has forgotten it."""
    past: Past | None = None
    """As accounting tells it, once squeue does not."""
    forgotten: bool = False
    """Whether squeue has answered, and does not know it."""

    @property
    def id(self) -> str:
        """What scancel takes: `12_3`; its name as long as it has no number."""
        if self.job is not None:
            return self.job.id
        own = f"{self.array.name}_{self.index}"
        return own if self.number is None else f"{self.number}_{self.index}"

    @property
    def share(self) -> tuple[StageId, ...]:
        return self.array.shares[self.index]

    @property
    def waiting(self) -> bool:
        return self.job is not None and self.job.waiting

    @property
    def running(self) -> bool:
        return self.job is not None and self.job.running

    @property
    def ended(self) -> str | None:
        """Slurm's word for how it ended; None if it has not, or if nobody remembers."""
        if self.job is not None:
            return self.job.state if self.job.ended else None
        return None if self.past is None else self.past.state

    @property
    def node(self) -> str:
        """Where it runs, or ran last."""
        told = self.job or self.past
        return "" if told is None else told.node

    @property
    def last_start(self) -> elements.Element | None:
        """What the element wrote when it was last started; None if it never was."""
        folder = self.submission.elements_folder
        starts = elements.starts(folder, self.array.name, self.index)
        return starts[-1] if starts else None

    @property
    def log(self) -> Path:
        """What Slurm and the element print."""
        return self.submission.log(self.array.name, self.index, self.number or "")


@dataclass(frozen=True, kw_only=True)
class View:
    """What was found at one look."""

    elements: tuple[Element, ...] = ()
    """Every element of the submissions that have open stages, oldest first."""
    trouble: str | None = None
    """Why squeue did not answer; None if it did, or if there was nothing to ask."""
    asks_again: bool = True
    """Whether it may answer later; not on a machine without Slurm."""
    notes: tuple[str, ...] = ()
    """What else a person should know: accounting that did not answer, a damaged file."""
    of: dict[StageId, Element] = field(default_factory=dict)
    """The element that each stage has: one that waits or runs, or else the newest."""

    @property
    def active(self) -> list[Element]:
        """The elements that wait or run."""
        return [each for each in self.elements if each.waiting or each.running]

    def element(self, batch: Mapping[str, Any]) -> Element | None:
        """The element that an attempt's job.json names."""
        place = tuple(batch.get(name) for name in ("submission", "array", "index"))
        return self._by_place.get(place)

    @cached_property
    def _by_place(self) -> dict[tuple[object, ...], Element]:
        return {(each.submission.id, each.array.name, each.index): each for each in self.elements}


class Watch:
    """Looks at a store's submissions again and again. Reads what does not change only once."""

    def __init__(self, store: Store, queue: Queue | None = None) -> None:
        self._store = store
        self.queue = queue or Queue()
        self._read: dict[Path, tuple[int, Submission]] = {}
        self._past: dict[str, Past] = {}
        self._history_due = 0.0

    def look(self, open_: Collection[StageId]) -> View:
        """The elements of the submissions that have any of these stages.

        Slurm is asked only if there are such elements, and at most as often as `Queue` lets.
        """
        wanted = set(open_)
        notes: list[str] = []
        every = self._submissions(notes) if wanted else []
        found = [each for each in every if not wanted.isdisjoint(_stages(each))]
        return self._seen(found, wanted, notes)

    def of_studies(self, folders: Iterable[Path]) -> View:
        """All elements of the submissions in these studies' folders."""
        found = [self._submission(path) for folder in folders for path in submissions(folder)]
        return self._seen(found, {id for each in found for id in _stages(each)}, [])

    def _seen(self, found: Sequence[Submission], wanted: set[StageId], notes: list[str]) -> View:
        if not found:
            return View(notes=tuple(notes))
        trouble, asks_again = None, True
        jobs: list[Job] = []
        try:
            jobs = self.queue.jobs()
        except QueueError as error:
            trouble, asks_again = str(error), not isinstance(error, NoSlurmError)
        known = joined(found, jobs)
        if trouble is None:
            try:
                self._ask_accounting(known, wanted)
            except QueueError as error:
                notes.append(str(error))
        every = [
            each
            if each.job is not None
            else replace(each, past=self._past.get(each.id), forgotten=trouble is None)
            for each in known
        ]
        return View(
            elements=tuple(every),
            trouble=trouble,
            asks_again=asks_again,
            notes=tuple(notes),
            of=_owners(every, wanted),
        )

    def _submissions(self, notes: list[str]) -> list[Submission]:
        """Of every study in the store: a stage of one may have been submitted with another."""
        paths = (self._store.root / "studies").glob(f"*/*/{FOLDER}/*/{FILE}")
        found = []
        for folder in sorted((path.parent for path in paths), key=lambda folder: folder.name):
            try:
                found.append(self._submission(folder))
            except StoreError as error:
                notes.append(str(error))
        return found

    def _submission(self, folder: Path) -> Submission:
        changed = (folder / FILE).stat().st_mtime_ns  # job numbers are added to it
        known = self._read.get(folder)
        if known is None or known[0] != changed:
            known = self._read[folder] = (changed, read_submission(folder))
        return known[1]

    def _ask_accounting(self, known: Iterable[Element], wanted: set[StageId]) -> None:
        """Asks after elements with open stages that squeue does not know any more."""
        gone = [
            each.number
            for each in known
            if each.job is None
            and each.number is not None
            and each.id not in self._past
            and not wanted.isdisjoint(each.share)
        ]
        if gone and time.monotonic() >= self._history_due:
            self._history_due = time.monotonic() + _HISTORY
            past = self.queue.history(gone)
            self._past |= {each.id: each for each in past if each.over}


def job_logs(study_folder: Path, wanted: Collection[StageId]) -> dict[Path, list[StageId]]:
    """What the newest jobs of these stages printed, where they did. Slurm is not asked."""
    found = [read_submission(folder) for folder in submissions(study_folder)] if wanted else []
    logs: dict[Path, list[StageId]] = {}
    for id, each in _owners(joined(found, []), set(wanted)).items():
        logs.setdefault(each.log, []).append(id)
    return {log: sorted(ids) for log, ids in logs.items() if log.is_file()}


def _owners(every: Iterable[Element], wanted: set[StageId]) -> dict[StageId, Element]:
    """The element of each stage: one that waits or runs, or else the newest."""
    of: dict[StageId, Element] = {}
    for each in every:
        active = each.waiting or each.running
        if each.submission.failed is not None and not active:
            continue  # it was withdrawn
        for id in wanted.intersection(each.share):
            other = of.get(id)
            if active or other is None or not (other.waiting or other.running):
                of[id] = each
    return of


def joined(found: Iterable[Submission], jobs: Iterable[Job]) -> list[Element]:
    """Every element of the submissions, with its job where Slurm knows one."""
    told = list(jobs)
    by_place = {(job.array, job.index or 0): job for job in told}
    by_mark = {mark(job.comment, job.name): job.array for job in told}
    found_elements = []
    for submission in found:
        for array in submission.arrays:
            own = comment(submission.id, array.name)
            number = array.job or by_mark.get(own)
            for index in range(len(array.shares)):
                job = None if number is None else by_place.get((number, index))
                if job is not None and mark(job.comment, job.name) not in (None, own):
                    job = None  # the number is another's now
                found_elements.append(
                    Element(submission=submission, array=array, index=index, number=number, job=job)
                )
    return found_elements


def _stages(submission: Submission) -> set[StageId]:
    return {id for array in submission.arrays for share in array.shares for id in share}
