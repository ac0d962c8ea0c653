"""How an element ends: what is written down of it, and whether it goes back into the queue.

It does after a warning, as long as it gets on: `retries` starts in a row may bring nothing. And it
comes back later where other processes are at work on what it needs.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from grid import lease
from grid.graph import Graph, StageId
from grid.launch.display import title
from grid.launch.report import Report
from grid.outcome import CAUSES, PREEMPTED, TIME
from grid.slurm import elements
from grid.slurm.elements import BLOCKED, FINISHED, HELD, Element
from grid.slurm.submission import Submission, read_stages
from grid.slurm.warning import Warnings
from grid.store import Store

_LATER = "now+1minute"
"""When an element comes back that found others at work on what it needs."""
_COMMAND_SECONDS = 30.0
_END_SECONDS = 120.0
"""Seconds in which Slurm ends a job that it has put back into the queue."""
_SAID = {
    FINISHED: "its share is done",
    BLOCKED: "what is left of its share waits for what failed or is missing",
    HELD: "other processes work on what is left of its share",
    **CAUSES,
}


def conclude(
    submission: Submission,
    store: Store,
    element: Element,
    ids: Collection[StageId],
    reports: Sequence[Report],
    warnings: Warnings,
) -> int:
    """Writes down how an element with this share ended. Returns its exit status, unless Slurm ends
    it first because it was put back into the queue.
    """
    graph = read_stages(submission.folder, only=ids)
    there = published(store, graph)
    failed = {each.stage.id: each.kind for report in reports for each in report.failed}
    left = [id for id in ids if id not in there and id not in failed]
    why = _why(graph, store, left, there, warnings.cause)
    stopped = [stage for report in reports for stage in report.stopped]
    advanced = any(report.done for report in reports) or any(
        _advanced(store.attempts(*stage.id)[-1]) for stage in stopped
    )
    missing = [graph.stages[id] for id in graph.stages if id not in there and id not in ids]
    names = ", ".join(title(stage) for stage in missing)
    element = replace(
        element,
        ended=elements.now(),
        why=why,
        message=_SAID[why] + (f": {names}" if names and left else ""),
        advanced=advanced,
        done=[list(stage.id) for report in reports for stage in report.done],
        failed=[[*id, kind] for id, kind in failed.items()],
        left=[list(id) for id in left],
    )
    if warnings.requeued:
        _finish(submission, replace(element, requeued=True))
        return 0
    if left and why in (TIME, PREEMPTED, HELD):
        return _go_back(submission, element)
    _finish(submission, element)
    return 1 if left or failed else 0


def published(store: Store, graph: Graph) -> set[StageId]:
    """The stages of a graph that are in the store: one listing for each kind."""
    keys = {name: store.published(name) for name in {name for name, _ in graph.stages}}
    return {id for id in graph.stages if id[1] in keys[id[0]]}


def _why(
    graph: Graph, store: Store, left: Collection[StageId], there: Collection[StageId], cause: str
) -> str:
    if not left:
        return FINISHED
    if cause:
        return cause
    inputs = {input for id in left for input in graph.stages[id].inputs.values()}
    wanted = inputs.union(left).difference(there)
    return HELD if any(lease.held(store.lease_folder(*id)) for id in wanted) else BLOCKED


def _advanced(attempt: Path) -> bool:
    """Whether an attempt got further than where it began."""
    try:
        lines = (attempt / "progress.jsonl").read_text(encoding="utf-8").splitlines()
        return bool(json.loads(lines[-1])["step"] > json.loads(lines[0])["step"])
    except (OSError, ValueError, IndexError, KeyError):
        return False  # it reported nothing


def _go_back(submission: Submission, element: Element) -> int:
    """Has Slurm start the element again, if that is allowed and makes sense."""
    settings = submission.execution.slurm
    before = elements.starts(submission.elements_folder, element.array, element.index)
    fruitless = 0
    for start in reversed([each for each in before if each.restart < element.restart]):
        if start.advanced or start.why == HELD:
            break
        fruitless += 1
    if not settings.requeue:
        return _finish(
            submission, element, "it is not requeued, for execution.slurm.requeue says so"
        )
    if element.why != HELD and not element.advanced and fruitless >= settings.retries:
        return _finish(submission, element, f"{fruitless + 1} starts in a row brought nothing")
    # Written before, for Slurm may end this process at once.
    _finish(submission, replace(element, requeued=True))
    job = _own_name()
    if element.why != HELD:  # which has something to do after it, too
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    refused = _scontrol("requeue", job)
    if refused is not None:
        return _finish(submission, element, f"Slurm did not requeue it: {refused}")
    if element.why == HELD:
        _scontrol("update", f"JobId={job}", f"StartTime={_LATER}")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(_END_SECONDS)
    return 0


def _finish(submission: Submission, element: Element, more: str = "") -> int:
    """Writes the element's file and says the same in its log."""
    if more:
        element = replace(element, message=f"{element.message}; {more}")
    print(f"{element.why}: {element.message}", file=sys.stderr, flush=True)
    elements.write(submission.elements_folder, element)
    return 1


def _own_name() -> str:
    """This element as scontrol knows it. Its bare number may be that of its whole array."""
    array, index = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    return os.environ.get("SLURM_JOB_ID", "") if array is None else f"{array}_{index}"


def _scontrol(*words: str) -> str | None:
    """Runs scontrol; what it says if it refuses, None if all went well."""
    program = shutil.which("scontrol")
    if program is None:
        return "there is no scontrol on this node"
    try:
        done = subprocess.run(
            [program, *words],
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {_COMMAND_SECONDS:.0f} s"
    return None if done.returncode == 0 else done.stderr.strip()
