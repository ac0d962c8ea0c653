"""`wait` and `cancel`: until a study has ended, and to end its jobs."""

import sys
from argparse import Namespace
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from grid.cli import DONE, FAILED
from grid.commands import call_of, load_studies, load_study, logs_call, say
from grid.graph import TO_RUN, StageId

if TYPE_CHECKING:
    from grid.overview import Look, Overview
    from grid.slurm.watch import Element
    from grid.study import Study


def wait(options: Namespace) -> int:
    """Blocks until all is done (status 0) or nothing more happens by itself (status 1)."""
    from grid.overview import Overview
    from grid.overview_text import counted, left
    from grid.watching import Lines, watch

    studies = load_studies(options)
    overview = Overview(studies)
    tries: Counter[StageId] = Counter()
    try:
        while True:
            look = watch(overview, Lines(overview, sys.stderr))
            if look.done or not (options.resubmit and _resubmitted(overview, look, tries)):
                break
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Interrupted: jobs and other processes go on.") from None
    if look.done:
        run = call_of("run", studies.studies[0].file, options)
        say(f"all is done; {run} collects the results and draws the figures")
        return DONE
    call = logs_call(overview, options)
    for id, _ in look.of("failed"):
        say(f"failed: {id[0]} {id[1]}: {call(id)}")
    for line in left(look):
        say(f"to run: {line}")
    say(f"nothing more happens by itself: {counted(look.counts)}")
    return FAILED


def _resubmitted(overview: "Overview", look: "Look", tries: "Counter[StageId]") -> bool:
    """Submits what may be tried again, each stage at most `retries` times; whether any was."""
    from grid.slurm.queue import QueueError
    from grid.slurm.submit import submit

    if overview.note is not None:
        say("nothing is submitted again: the study's text is not on this machine")
        return False
    bound = overview.studies.execution.slurm.retries
    spent = [id for id, times in tries.items() if times >= bound]
    again = overview.again(look) - overview.graph.after(spent)
    if not again:
        return False
    try:
        sent = submit(overview.studies, replace(overview.graph, targets=again))
    except QueueError as error:
        say(f"nothing is submitted again: {error}")
        return False
    if sent.submission is None:
        return False
    stages = [id for _, _, share in sent.submission.elements for id in share]
    tries.update(stages)
    overview.queue.forget()
    say(f"submitted again: {len(stages)} stages")
    return True


def cancel(options: Namespace) -> int:
    """Cancels the jobs of a study; with a condition or overrides only those of some cells."""
    from grid.slurm.watch import Watch

    study = load_study(options)
    watch = Watch(study.open_store())
    view = watch.of_studies([study.folder])
    if view.trouble is not None:
        say(f"error: {view.trouble}")
        return FAILED
    chosen: list[Element] = view.active
    kept: list[Element] = []
    if chosen and (options.where is not None or options.overrides):
        chosen, kept = _of_cells(study, options.where, chosen)
    if chosen:
        watch.queue.cancel(each.id for each in chosen)
    _tell_cancelled(study, chosen, kept)
    return DONE


def _of_cells(
    study: "Study", condition: str | None, active: "list[Element]"
) -> "tuple[list[Element], list[Element]]":
    """Of these elements, those that only have stages of the cells, and those that also have others.

    A stage that an open stage of another cell needs is that one's as well.
    """
    from grid.graph import united
    from grid.select import fulfilling
    from grid.slurm.submission import read_stages

    own = study.graph()
    cells = study.cells if condition is None else fulfilling(study, condition)
    chosen = {id for cell in cells for id in own.cells[cell.id].values()}
    folders = dict.fromkeys(each.submission.folder for each in active)
    graph = united([read_stages(folder) for folder in folders])
    open_ = {id for id, state in graph.states(study.open_store()).items() if state == TO_RUN}
    for id in reversed(graph.stages):
        if any(each in open_ and each not in chosen for each in graph.consumers[id]):
            chosen.discard(id)
    shares = [(each, open_.intersection(each.share)) for each in active]
    return (
        [each for each, share in shares if share and share <= chosen],
        [each for each, share in shares if share & chosen and not share <= chosen],
    )


def _tell_cancelled(study: "Study", chosen: "list[Element]", kept: "list[Element]") -> None:
    arrays: dict[str, list[Element]] = {}
    for each in chosen:
        arrays.setdefault(each.id.partition("_")[0], []).append(each)
    for number, elements in arrays.items():
        kinds = Counter(stage for each in elements for stage, _ in each.share)
        running = sum(each.running for each in elements)
        states = [f"{running} ran"] if running else []
        states += [f"{len(elements) - running} waited"] if running < len(elements) else []
        print(
            f"cancelled: job {number} ({elements[0].array.name}), {len(elements)} of "
            f"{len(elements[0].array.shares)} elements, {', '.join(states)}, with "
            f"{', '.join(f'{count} {kind}' for kind, count in kinds.items())}"
        )
    if kept:
        ids = ", ".join(each.id for each in kept)
        say(f"not cancelled, for they also have stages that other cells need: {ids}")
    if not chosen:
        say(f"nothing to cancel: no such job of {study.name} at scale {study.scale} waits or runs")
