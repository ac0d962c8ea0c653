"""Submits what is missing of a study: what is neither done nor queued nor running.

The same call may be made again at any time, from any login node. What earlier calls submitted is
known from their folders and from Slurm's queue, together: also jobs whose number was never written
down.
"""

import getpass
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grid.damage import set_aside
from grid.environment import revision
from grid.execution import ExecutionConfig
from grid.graph import TO_RUN, Graph, Stage, StageId
from grid.lease import BEAT, EXPIRY, Observer, acquire, read, silence
from grid.printing import safe
from grid.slurm.arrangement import arrange
from grid.slurm.estimates import estimates
from grid.slurm.executor import environment
from grid.slurm.history import Lesson, lessons
from grid.slurm.obituary import write_obituaries
from grid.slurm.partitions import Partition, chosen, partitions
from grid.slurm.queue import Limits, Queue, QueueError
from grid.slurm.resources import Need, need
from grid.slurm.sending import scripts, send
from grid.slurm.snapshot import FOLDER as SNAPSHOTS
from grid.slurm.snapshot import digest, snapshot
from grid.slurm.submission import FOLDER, Array, Submission, write_stages, write_submission
from grid.slurm.watch import Element, Watch
from grid.store import Store
from grid.tree import Node, fail, near

if TYPE_CHECKING:
    from grid.studies import Studies

_DEFAULT_ARRAY = 1001
"""Slurm's own MaxArraySize, where no cluster can be asked."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a call submitted, and what it left alone."""

    open: int
    """Stages that are to run, queued ones too; 0: all is done."""
    submission: Submission | None = None
    """None if there was nothing to submit."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """The job scripts by array, of a dry run."""
    queued: Mapping[StageId, Element] = field(default_factory=dict)
    """Stages that jobs of earlier calls have."""
    held: Sequence[Stage] = ()
    """Stages that another process works on, which is no job of this study's."""
    exhausted: Mapping[StageId, Lesson] = field(default_factory=dict)
    """Stages that ran out of memory or time too often."""
    blocked: int = 0
    """Stages that wait for one that is held or exhausted."""
    left: int = 0
    """Stages that would be more jobs than the cluster lets this user have."""
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class _Cluster:
    """What the cluster tells of itself."""

    name: str | None = None
    limits: Limits
    partitions: Mapping[str, Partition] = field(default_factory=dict)


def submit(studies: "Studies", graph: Graph, *, again: bool = False, dry_run: bool = False) -> Sent:
    """Submits the stages of a graph that are to run and that no job has.

    again: also those that ran out of memory or time too often. dry_run: makes the job scripts and
    submits nothing; then Slurm need not be there. Artifacts that are damaged are taken out of their
    place first. Raises QueueError if Slurm does not answer or
    refuses: nothing is submitted then.
    """
    store = studies.open_store()
    if not dry_run:
        set_aside(graph, store, lambda text: print(safe(text), file=sys.stderr, flush=True))
    missing = [id for id, state in graph.states(store).items() if state == TO_RUN]
    if not missing:
        return Sent(open=0)
    call = _Call(studies, graph, store, missing, again=again, dry_run=dry_run)
    cluster = call.cluster()
    if dry_run:
        return call.make(cluster)
    store.prepare()
    with _alone(studies.studies[0].folder / FOLDER):
        return call.make(cluster)


class _Call:
    """One call's way from what is missing to what is sent."""

    def __init__(
        self,
        studies: "Studies",
        graph: Graph,
        store: Store,
        missing: Sequence[StageId],
        *,
        again: bool,
        dry_run: bool,
    ) -> None:
        self.studies = studies
        self.graph = graph
        self.store = store
        self.missing = missing
        self.again = again
        self.dry_run = dry_run
        self.notes: list[str] = []
        self.execution = _for_jobs(studies.execution)
        self.queue = Queue(environment())

    def make(self, cluster: _Cluster) -> Sent:
        """Submits what no job has; with `dry_run` only makes the scripts."""
        queued = self._queued()
        lone = [id for id in self.missing if id not in queued]
        held = _held(self.store, lone)
        learnt = lessons(self.store, lone)
        retries = self.execution.slurm.retries
        exhausted = {
            id: lesson
            for id, lesson in learnt.items()
            if lesson.failures > retries and not self.again
        }
        stuck = self.graph.after([*held, *exhausted])
        wanted = [id for id in lone if id not in stuck]
        sent = Sent(
            open=len(self.missing),
            queued=queued,
            held=[self.graph.stages[id] for id in held],
            exhausted=exhausted,
            blocked=len(stuck.intersection(lone)) - len(held) - len(exhausted),
            notes=self.notes,
        )
        if not wanted:
            return sent
        arrays = arrange(
            self.graph,
            self._needs(wanted, learnt, cluster),
            self.execution,
            elsewhere={
                id: (f"{each.submission.id}/{each.array.name}", each.index)
                for id, each in queued.items()
            },
            array_size=cluster.limits.array_size,
        )
        arrays = self._within(arrays, cluster.limits)
        taken = {id for array in arrays for share in array.shares for id in share}
        sent = replace(sent, left=len(wanted) - len(taken))
        submission = self._submission(arrays, cluster)
        outside = {
            f"{each.submission.id}/{each.array.name}": each.number or "" for each in queued.values()
        }
        own = cluster.limits.array_size > 1
        if self.dry_run:
            made = scripts(submission, outside, arrays=own)
            return replace(sent, submission=submission, scripts=made)
        submission = self._written(submission, taken)
        submission = send(submission, self.queue, outside, arrays=own)
        return replace(sent, submission=submission)

    def cluster(self) -> _Cluster:
        """Asks Slurm. Raises QueueError if it does not answer; a dry run takes Slurm's defaults."""
        try:
            limits = self.queue.limits()
            name = self.queue.config().get("ClusterName")
            return _Cluster(name=name, limits=limits, partitions=partitions(self.queue))
        except QueueError as error:
            if not self.dry_run:
                raise
            self.notes.append(f"{error}. The cluster's limits and its queue are not known")
            return _Cluster(limits=Limits(array_size=_DEFAULT_ARRAY))

    def _queued(self) -> dict[StageId, Element]:
        """The stages that jobs of earlier calls have; writes down numbers that were not."""
        view = Watch(self.store, self.queue).look(self.missing)
        if view.trouble is not None:
            if not self.dry_run:
                raise QueueError(view.trouble)
            return {}
        if not self.dry_run:
            adopted: dict[Path, Submission] = {}
            for each in view.elements:
                if each.number is not None and each.array.job is None:
                    known = adopted.get(each.submission.folder, each.submission)
                    adopted[known.folder] = known.with_job(each.array.name, each.number)
            for submission in adopted.values():
                write_submission(submission)
            write_obituaries(self.graph, self.store, view)
        return {id: each for id, each in view.of.items() if each.waiting or each.running}

    def _needs(
        self, wanted: Sequence[StageId], learnt: Mapping[StageId, Lesson], cluster: _Cluster
    ) -> dict[StageId, Need]:
        expected = estimates(self.graph, wanted, self.studies.priced())
        known: dict[str, Partition | None] = {}
        for kind in dict.fromkeys(name for name, _ in wanted):
            named = self.execution.slurm.of_stage(kind).partition
            if named is not None and cluster.partitions:
                self._check_partition(kind, named, cluster.partitions)
            known[kind] = chosen(cluster.partitions, named)
        return {
            id: need(
                self.graph.stages[id],
                expected[id],
                self.execution,
                known[id[0]],
                learnt.get(id),
            )
            for id in wanted
        }

    def _check_partition(self, kind: str, named: str, known: Mapping[str, Partition]) -> None:
        for name in named.split(","):
            if name not in known:
                own = self.execution.slurm.stages.get(kind)
                keys = ["execution", "slurm"]
                keys += ["stages", kind] if own is not None and own.partition is not None else []
                tree: Node = self.studies.studies[0].tree
                raise fail(
                    tree.nearest([*keys, "partition"]),
                    ".".join([*keys, "partition"]),
                    f"unknown partition {name!r}{near(name, known)}; this cluster has "
                    f"{', '.join(known)}",
                )

    def _within(self, arrays: list[Array], limits: Limits) -> list[Array]:
        """As many of the arrays as the user may have jobs; what waits for the others goes too."""
        if limits.submit_jobs is None:
            return arrays
        room = limits.submit_jobs - sum(not job.ended for job in self.queue.jobs())
        kept: list[Array] = []
        for array in arrays:
            if len(array.shares) > room:
                if room > 0:
                    kept.append(replace(array, shares=array.shares[:room]))
                break
            kept.append(array)
            room -= len(array.shares)
        if not kept:
            raise QueueError(
                f"the cluster lets this user have {limits.submit_jobs} jobs at once "
                "(MaxSubmitJobs), and they are all in use. Submit again when some have ended"
            )
        return kept

    def _submission(self, arrays: Sequence[Array], cluster: _Cluster) -> Submission:
        now = datetime.now(UTC)
        # To the millisecond, for submissions are read in the order of their names.
        id = f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}{secrets.token_hex(1)}"
        first = self.studies.studies[0]
        return Submission(
            folder=first.folder.absolute() / FOLDER / id,
            id=id,
            created=now.isoformat(timespec="seconds"),
            host=socket.gethostname(),
            user=_user(),
            study=first.name,
            scale=first.scale,
            store=self.store.root,
            code=self.store.root / SNAPSHOTS / digest(),
            revision=revision(),
            cluster=cluster.name,
            execution=self.execution,
            arrays=tuple(arrays),
        )

    def _written(self, submission: Submission, taken: Iterable[StageId]) -> Submission:
        """Writes all that jobs read: before the first of them can start."""
        code = snapshot(self.store.root)
        for folder in (submission.folder / "log", submission.elements_folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_stages(submission.folder, _with_inputs(self.graph, taken))
        submission = replace(submission, code=code)
        write_submission(submission)
        return submission


def _for_jobs(execution: ExecutionConfig) -> ExecutionConfig:
    """As jobs are told it: they start elsewhere, so no path is relative."""
    monitors = {
        name: {
            key: os.path.abspath(value) if key == "output_path" else value
            for key, value in settings.items()
        }
        for name, settings in execution.monitors.items()
    }
    return replace(execution, monitors=monitors, workers=None)


def _with_inputs(graph: Graph, ids: Iterable[StageId]) -> Graph:
    """The part of a graph that makes these stages, with them as targets."""
    targets = set(ids)
    needed = set(targets)
    for id, stage in reversed(graph.stages.items()):
        if id in needed:
            needed.update(stage.inputs.values())
    part = Graph(stages={id: stage for id, stage in graph.stages.items() if id in needed})
    part.targets = targets
    return part


def _held(store: Store, ids: Sequence[StageId]) -> list[StageId]:
    """Those of the stages that a living process works on, which is no job that is known.

    A holder of another machine is watched for two beats: a lost node's leases are silent.
    """
    found, doubtful = [], {}
    for kind in {stage for stage, _ in ids}:
        try:
            names = set(os.listdir(store.root / "work" / kind))
        except FileNotFoundError:
            continue
        for id in ids:
            if id[0] != kind or f"{id[1]}.lease" not in names:
                continue
            folder = store.lease_folder(*id)
            silent = silence(folder)
            if silent == 0.0:
                found.append(id)
            elif silent is not None and silent <= EXPIRY:
                doubtful[id] = (folder, read(folder))
    if doubtful:
        time.sleep(2 * BEAT)
    return found + [id for id, (folder, before) in doubtful.items() if _beats(folder, before)]


def _beats(folder: Path, before: object) -> bool:
    now = read(folder)
    return now is not None and not now.released and now != before


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time submits a study, from whichever login node."""
    place = folder / ".lease"
    observer = Observer(place)
    held = acquire(place)
    if held is None:
        print("Another process submits this study; waiting for it", file=sys.stderr, flush=True)
    while held is None:
        time.sleep(1.0)
        if observer.available():
            held = acquire(place, stale=observer.seen)
    try:
        yield
    finally:
        held.release()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # in a container without the site's users
