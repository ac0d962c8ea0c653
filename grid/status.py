"""Where every stage of a study stands, and why.

Decided in this order: its artifact is there (done); a process holds its lease (running); Slurm has
a job for it (queued); its last attempt said how it ended (failed, stopped); Slurm remembers how its
last job ended (failed); something that it needs has failed (blocked); to run. So files come first,
and what Slurm says only fills in what files cannot tell: without Slurm, or on a machine that cannot
ask it, the answer is the same but for the queue.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grid import lease, memory
from grid.confine import read_file
from grid.graph import TO_RUN, Graph, StageId
from grid.outcome import (
    CANCELLED,
    CRASH,
    FAILED,
    KILLED,
    MEMORY,
    NODE,
    PREEMPTED,
    STOPPED,
    TIME,
    tail,
)

if TYPE_CHECKING:
    from grid.slurm.watch import Element, View
    from grid.store import Store

RUNNING, QUEUED, BLOCKED = "running", "queued", "blocked"
QUIET = 2 * lease.EXPIRY
"""Seconds without a sign of life after which a stage's process is doubted."""

_LAST = 4000
"""Characters of a job's output in which Slurm tells why it ended the job."""
_ENDED = {
    "BOOT_FAIL": NODE,
    "CANCELLED": CANCELLED,
    "DEADLINE": TIME,
    "NODE_FAIL": NODE,
    "OUT_OF_MEMORY": MEMORY,
    "PREEMPTED": PREEMPTED,
    "REVOKED": CANCELLED,
    "TIMEOUT": TIME,
}
"""What Slurm's words for the end of a job mean; of FAILED, what it wrote itself tells more."""
_TOLD = {
    CANCELLED: "was cancelled",
    CRASH: "failed",
    KILLED: "was killed",
    MEMORY: "ran out of memory",
    NODE: "lost its node, or was ended there without a word",
    PREEMPTED: "was preempted",
    TIME: "ran out of time",
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a stage stands, and what there is to say about it."""

    state: str
    message: str | None = None
    """Why it failed, stopped, waits or is blocked."""
    cause: str | None = None
    """Of a failure: the kind that its outcome has, such as `input`, `memory` or `node`; of what is
    to run, `cancelled` if its job was."""
    because: StageId | None = None
    """What a blocked stage waits for in vain: the failed stage itself."""
    attempts: int = 0
    attempt: Path | None = None
    """The last one's folder."""
    node: str | None = None
    job: str | None = None
    log: Path | None = None
    """The file to read: the attempt's log, or its job's where there was no attempt."""


def standings(
    graph: Graph,
    store: "Store",
    view: "View | None" = None,
    states: Mapping[StageId, str] | None = None,
) -> dict[StageId, Standing]:
    """Where each stage of a graph stands, inputs first.

    view: what Slurm says; without it only files are looked at. states: those of the graph, where
    they are known. Costs one listing for each kind of stage, and a few small files for each that is
    open and has been tried.
    """
    states = graph.states(store) if states is None else states
    tried = attempted(store, {id for id, state in states.items() if state == TO_RUN})
    found: dict[StageId, Standing] = {}
    for id, stage in graph.stages.items():
        if states[id] != TO_RUN:
            found[id] = Standing(state=states[id])
            continue
        attempts = store.attempts(*id) if id in tried else []
        own = _by_files(store, id, attempts, view)
        if view is not None and own.state != RUNNING:
            own = _by_slurm(own, view.of.get(id), view)
        found[id] = _blocked(own, stage.inputs.values(), found)
    return found


def _by_files(store: "Store", id: StageId, attempts: list[Path], view: "View | None") -> Standing:
    """What the attempts and the lease of an open stage say."""
    if not attempts:
        return Standing(state=TO_RUN)
    last = attempts[-1]
    own = Standing(state=TO_RUN, attempts=len(attempts), attempt=last, log=last / "log")
    silent = lease.silence(store.lease_folder(*id))
    if silent is not None:
        # A later attempt may have found the stage held, and have ended at once.
        at_work = next((each for each in reversed(attempts) if outcome_of(each) is None), last)
        if _works(at_work, silent, view):
            seen = lease.read(store.lease_folder(*id))
            holder = None if seen is None else seen.holder
            told = None if silent <= QUIET else f"no sign of life for {round(silent / 60)} min"
            return replace(
                own,
                state=RUNNING,
                message=told,
                attempt=at_work,
                log=at_work / "log",
                node=None if holder is None else holder.host,
                job=_job_of(at_work, view),
            )
    own = replace(own, job=_job_of(last, view))
    outcome = outcome_of(last)
    if outcome is None or outcome["state"] not in (FAILED, STOPPED):
        return own  # killed before it could say anything: the next run goes on from there
    return replace(
        own,
        state=outcome["state"],
        cause=outcome.get("kind") or None,
        message=outcome["message"],
        node=outcome.get("host") or None,
    )


def _job_of(attempt: Path, view: "View | None") -> str | None:
    """The job that an attempt was made by, which may help the one that has its stage."""
    batch = None if view is None else _batch(attempt)
    if view is None or batch is None:
        return None
    element = view.element(batch)
    return str(batch.get("job")) if element is None else element.id


def _works(attempt: Path, silent: float, view: "View | None") -> bool:
    """Whether the process of an attempt, silent for so long, is still at work."""
    if silent > QUIET and view is not None and view.trouble is None:
        batch = _batch(attempt)
        element = None if batch is None else view.element(batch)
        if element is not None:
            return element.running
    return silent <= lease.SILENT


def _by_slurm(own: Standing, element: "Element | None", view: "View") -> Standing:
    """What a stage's job adds to what files say of it."""
    if element is None:
        return own
    batch = None if own.attempt is None else _batch(own.attempt)
    new = batch is None or batch.get("submission") != element.submission.id
    if element.waiting and element.job is not None:
        reason = element.job.reason or None
        return replace(own, state=QUEUED, cause=None, message=reason, node=None, job=element.id)
    if element.running and (own.state != FAILED or new):
        told = "its job works on other stages"
        return replace(own, state=QUEUED, cause=None, message=told, job=element.id)
    if own.state == STOPPED and own.cause is None and not new:
        return replace(own, cause=_cause(element))  # what ended its job ended its launcher, too
    if own.state in (FAILED, STOPPED):
        return own
    own = replace(own, job=element.id)
    if own.attempt is None:
        own = replace(own, log=element.log if element.log.is_file() else None)
    cause = _cause(element)
    if cause is not None:
        node = element.node or None
        where = f" on {node}" if node else ""
        message = f"job {element.id}{where} {_TOLD[cause]}"
        if cause == CANCELLED and own.attempt is None:
            return replace(own, cause=cause, message=message)  # nothing of it has begun
        return replace(own, state=FAILED, cause=cause, message=message, node=node)
    if view.trouble is not None and element.number is not None:
        return replace(own, message=f"job {element.id} was submitted, of which nothing is known")
    return own


def _cause(element: "Element") -> str | None:
    """Why a job ended with stages left; None if it has not ended, or not for a cause of its own."""
    if element.ended not in (None, "FAILED"):
        return _ENDED.get(element.ended)
    if element.ended is None and not element.forgotten:
        return None
    start = element.last_start
    if start is not None and start.ended is not None:
        return start.why if start.why in _TOLD else None
    if memory.told(tail(element.log, _LAST)):
        return MEMORY
    if start is None:
        return None if element.ended is None else CRASH  # before its first word
    return NODE if element.ended is None else KILLED


def _batch(attempt: Path) -> dict[str, Any] | None:
    """The batch job that made an attempt; None for a launcher at a machine."""
    try:
        batch = json.loads(read_file(attempt / "job.json")).get("batch")
    except (OSError, ValueError, RecursionError):
        return None
    return batch if isinstance(batch, dict) else None


def _blocked(
    own: Standing, inputs: Iterable[StageId], found: Mapping[StageId, Standing]
) -> Standing:
    """A stage that nobody has begun is blocked by an input that failed or is itself blocked."""
    begun = own.attempt is not None and own.state != TO_RUN
    if own.state in (RUNNING, QUEUED) or begun:
        return own
    for id in dict.fromkeys(inputs):
        if found[id].state in (FAILED, BLOCKED):
            because = found[id].because or id
            said = (found[because].message or "").partition("\n")[0]
            return replace(
                own,
                state=BLOCKED,
                cause=None,
                because=because,
                message=f"{because[0]} {because[1]} failed: {said}",
            )
    return own


def attempted(store: "Store", ids: Collection[StageId]) -> set[StageId]:
    """The stages that have been tried: one listing for each kind."""
    tried: set[StageId] = set()
    for stage in {name for name, _ in ids}:
        folder = store.root / "attempts" / stage
        if folder.is_dir():
            tried |= {(stage, key) for key in os.listdir(folder)}
    return tried & set(ids)


def outcome_of(attempt: Path) -> dict[str, Any] | None:
    """An attempt's outcome.json; None if it has not written one yet, or was killed."""
    try:
        outcome = json.loads(read_file(os.path.join(attempt, "outcome.json")))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(outcome, dict):
        return None
    return {name: _whole(value) for name, value in outcome.items()}


def _whole(value: Any) -> Any:
    """Text without half a surrogate pair, which JSON's escapes can spell and nothing can show."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def ended(attempt: Path) -> tuple[str | None, str | None]:
    """How an attempt ended if not well, `failed` or `stopped`, and what it said."""
    outcome = outcome_of(attempt)
    if outcome is None or outcome["state"] not in (FAILED, STOPPED):
        return None, None
    return outcome["state"], outcome["message"]
