"""`run` and `retry` with `--launcher slurm`: submits, and tells what was submitted."""

import sys
from argparse import Namespace
from collections import Counter
from typing import TYPE_CHECKING

from grid.cli import DONE, FAILED
from grid.commands import call_of, say
from grid.commands.studies import conclude
from grid.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars

    from grid.graph import StageId
    from grid.slurm.resources import Resources
    from grid.slurm.submission import Array, Submission
    from grid.slurm.submit import Sent
    from grid.studies import Studies

_NAMED = 4
"""Stages, arrays or elements that a message names."""


def check_call(options: Namespace) -> None:
    """Refuses options that mean nothing together. Raises StudyError."""
    from grid.layers import scales_of

    if options.launcher != "slurm":
        if options.dry_run:
            raise StudyError(
                "--dry-run: expected --launcher slurm, whose job scripts it prints; `plan` prints "
                "what a run on this machine would do"
            )
        return
    if options.workers is not None:
        raise StudyError(
            "--workers: expected no such option with --launcher slurm; execution.slurm.cpus says "
            "how many cores a job has, and execution.slurm.max_parallel how many jobs run at once"
        )
    scales = scales_of(options.study)
    if options.scale is None and scales:
        raise StudyError(
            f"--scale: expected one of {', '.join(scales)}, found nothing; with --launcher slurm a "
            "scale must be named, so that nothing is sent to a cluster by accident"
        )


def submitted(
    options: Namespace, studies: "Studies", only: "Collection[StageId] | None" = None
) -> int:
    """Submits what is missing and prints the arrays; the results, if all is done already."""
    from grid import tables

    sent, report = studies.submit(only=only, again=only is not None, dry_run=options.dry_run)
    for note in sent.notes:
        say(note)
    if not sent.open:
        if options.dry_run:
            say("nothing to submit: all is done")
            return DONE
        return conclude(studies.studies, report, options.format)
    _tell(sent)
    if sent.submission is None:
        say("nothing more to submit")
        _tell_next(options, studies)
    elif options.dry_run:
        for name, script in sent.scripts.items():
            print(f"# {sent.submission.script(name)}\n{script}")
        say(tables.as_text(_frame(sent.submission)))
        say("a dry run: nothing was written or submitted")
    else:
        tables.write(_frame(sent.submission), options.format)
        sys.stdout.flush()
        say(f"submitted: {sent.submission.folder}")
        _tell_next(options, studies)
    failed = sent.exhausted or report.unwritten is not None
    if report.unwritten is not None:
        say(f"failed: the list of its stages: {report.unwritten}")
    return FAILED if failed else DONE


def _tell(sent: "Sent") -> None:
    """What was not submitted, and why."""
    if sent.queued:
        jobs = Counter(each.number for each in sent.queued.values())
        numbers = ", ".join(sorted(f"{number}" for number in jobs))
        say(f"{_stages(len(sent.queued))} in the queue or running already: job {numbers}")
    for stage in sent.held[:_NAMED]:
        say(f"{stage}: another process works on it, and it is left to that one")
    for id, lesson in list(sent.exhausted.items())[:_NAMED]:
        failed = f"{' '.join(id)}: failed {lesson.failures} times for memory or time"
        say(f"{failed}; `retry` tries again with more: {lesson.message.partition(chr(10))[0]}")
    if sent.blocked:
        say(f"{_stages(sent.blocked)} that wait for these are not submitted")
    if sent.left:
        say(
            f"{_stages(sent.left)} are left for the next run: the cluster does not let this user "
            "have more jobs at once (MaxSubmitJobs)"
        )


def _tell_next(options: Namespace, studies: "Studies") -> None:
    first = studies.studies[0].file
    say(f"  {call_of('status', first, options)} --watch")
    say(f"  {call_of('wait', first, options)}")
    say(f"  {call_of('cancel', first, options)}")


def _frame(submission: "Submission") -> "polars.DataFrame":
    """One row for each array."""
    import polars

    rows = [
        {
            "array": array.name,
            "elements": len(array.shares),
            "stages": _kinds(array),
            "each": _asked(array.resources),
            "waits for": _waits(array),
            "job": array.job,
        }
        for array in submission.arrays
    ]
    return polars.DataFrame(
        rows, schema_overrides={"waits for": polars.String, "job": polars.String}
    )


def _kinds(array: "Array") -> str:
    kinds = Counter(name for share in array.shares for name, _ in share)
    return ", ".join(f"{count} {name}" for name, count in kinds.items())


def _waits(array: "Array") -> str | None:
    """What it waits for, the first arrays by name: `text, shards[0,2] and 3 more`."""
    words = []
    for name, which in array.waits[:_NAMED]:
        if which is None:
            words.append(name)
        elif len(which) <= _NAMED:
            words.append(f"{name}[{','.join(map(str, which))}]")
        else:
            words.append(f"{name}[{len(which)} of them]")
    more = len(array.waits) - _NAMED
    return ", ".join(words) + (f" and {more} more" if more > 0 else "") or None


def _asked(resources: "Resources") -> str:
    """The resources of a job in a few words: `2 nodes x 8 GPUs, 8 CPUs, 64 GB, 4 h`."""
    words = []
    if resources.gpus_per_node:
        words.append(_count(resources.gpus_per_node, "GPU"))
    words.append(_count(resources.cpus * resources.tasks_per_node, "CPU"))
    if resources.memory_mb is not None:
        memory = resources.memory_mb
        words.append(f"{memory / 1000:g} GB" if memory else "all memory")
    hours, minutes = divmod(resources.minutes, 60)
    words.append(f"{hours} h" if not minutes else f"{resources.minutes} min")
    own = ", ".join(words)
    partition = resources.placement.partition
    nodes = f"{resources.nodes} nodes x ({own})" if resources.nodes > 1 else own
    return nodes if partition is None else f"{nodes}, {partition}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _stages(count: int) -> str:
    return "1 stage" if count == 1 else f"{count} stages"
