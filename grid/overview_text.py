"""What `status` and `wait` tell a person: counts first, then what runs, waits, failed and why."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from grid import tables
from grid.graph import DONE, NOT_NEEDED, TO_RUN, StageId
from grid.launch.display import title
from grid.outcome import FAILED, STOPPED, tail
from grid.overview import Look, Overview
from grid.plan_text import hours
from grid.status import BLOCKED, QUEUED, RUNNING, Standing

ORDER = (DONE, "cached", RUNNING, QUEUED, TO_RUN, STOPPED, FAILED, BLOCKED, NOT_NEEDED)
_ROWS = 20
"""Stages that run and are told one by one."""
_GROUPS = 6
"""Groups of failures, or of what is blocked, that are told one by one."""
_NAMED = 4
"""Stages of a group that are named."""
_LINES = 6
"""Last lines of a log."""
_SPARE = ("speed", "job", "loss", "node")
"""Columns of what runs that are left out, in this order, until a row fits."""
_REASONS = {
    "AssocGrpGRES": "the account's GPUs are in use",
    "AssocMaxJobsLimit": "the account runs as many jobs as it may",
    "BeginTime": "it was requeued, and starts again in a moment",
    "Dependency": "its inputs are being made",
    "DependencyNeverSatisfied": "it waits for jobs that Slurm has forgotten: cancel and run again",
    "JobArrayTaskLimit": "execution.slurm.max_parallel jobs run",
    "JobHeldAdmin": "an administrator holds it, or Slurm does after failures",
    "JobHeldUser": "it is held: scontrol release",
    "PartitionDown": "the partition is down",
    "PartitionNodeLimit": "the partition has no such nodes",
    "PartitionTimeLimit": "the partition does not allow so long",
    "Priority": "others are first",
    "QOSMaxGRESPerUser": "you use as many GPUs as the QOS lets you",
    "QOSMaxJobsPerUserLimit": "you run as many jobs as the QOS lets you",
    "ReqNodeNotAvail": "the nodes that it needs are down or reserved",
    "Resources": "next, when nodes are free",
}
"""What Slurm's reasons for waiting mean."""

Group = tuple[tuple[str, str], list[tuple[StageId, Standing]]]
"""Failed stages with their cause and what they said."""


def report(
    overview: Overview, look: Look, call: Callable[[StageId], str], width: int
) -> Iterator[str]:
    """The lines of `status`, of at most `width` columns where a word fits.

    call: the command line that prints a stage's log.
    """
    studies = overview.studies
    yield from _folded(f"{studies.title}, scale {studies.scale}, store {studies.store}", width)
    if overview.note is not None:
        yield from _folded(overview.note, width)
    if look.cells:
        yield from _folded(f"cells:  {counted(look.cells)}", width)
    yield from _folded(f"stages: {counted(look.counts)}", width)
    yield from _folded(usage(overview, look), width)
    if look.view.trouble is not None:
        yield from _folded(f"Slurm: {look.view.trouble}. This is what the files say", width)
    for note in look.view.notes:
        yield from _folded(note, width)
    yield from _running(overview, look, width)
    yield from _queued(look, width)
    yield from _left(look, width)
    yield from _stopped(overview, look, width)
    yield from _failed(overview, look, call, width)
    yield from _blocked(overview, look, width)


def counted(counts: Counter[str]) -> str:
    """`12 done, 3 running`, in the order of a life."""
    known = [state for state in ORDER if counts[state]]
    return ", ".join(f"{counts[state]:,} {state}" for state in known) or "none"


def usage(overview: Overview, look: Look) -> str:
    """Device hours used against planned."""
    used, planned = sum(look.used.values()), sum(overview.planned.values())
    finished = sum(
        overview.planned.get(id, 0.0) for id, found in look.stages.items() if found.state == DONE
    )
    return (
        f"{overview.unit} hours: {hours(used)} used here of {hours(planned)} planned, "
        f"{hours(finished)} of them for what is done"
    )


def _running(overview: Overview, look: Look, width: int) -> Iterator[str]:
    rows = [_progress(overview, look, id, found) for id, found in look.of(RUNNING)]
    if not rows:
        return
    yield ""
    shown = rows[:_ROWS]
    columns = {
        name: [name, *(row[name] for row in shown)]
        for name in rows[0]
        if any(r[name] for r in shown)
    }
    widths = {name: max(map(len, column)) for name, column in columns.items()}
    for name in _SPARE:
        if sum(widths.values()) + 2 * (len(widths) - 1) > width:
            widths.pop(name, None)
    for number in range(len(shown) + 1):
        yield "  ".join(columns[name][number].ljust(size) for name, size in widths.items()).rstrip()
    if len(rows) > len(shown):
        yield f"and {len(rows) - len(shown):,} more"


def _progress(overview: Overview, look: Look, id: StageId, found: Standing) -> dict[str, str]:
    """What there is to say of a stage that runs, by column."""
    step = loss = speed = left = ""
    if id in look.running:
        step, loss, speed, left = look.running[id].columns()
    return {
        "running": title(overview.graph.stages[id]),
        "step": step,
        "loss": loss.removeprefix("loss "),
        "speed": speed,
        "left": found.message or left.removesuffix(" left"),
        "node": found.node or "",
        "job": found.job or "",
    }


def _queued(look: Look, width: int) -> Iterator[str]:
    groups: dict[str, Counter[str]] = {}
    for (stage, _), found in look.of(QUEUED):
        groups.setdefault(found.message or "no reason told", Counter())[stage] += 1
    if groups:
        yield ""
        yield "queued"
    for reason, kinds in sorted(groups.items(), key=lambda item: -item[1].total()):
        meaning = _REASONS.get(re.split(r"[^A-Za-z]", reason)[0])  # some end in (nodes) or _limit
        told = f"{reason} ({meaning})" if meaning else reason
        yield from _folded(f"  {_kinds(kinds)}: {told}", width)


def _left(look: Look, width: int) -> Iterator[str]:
    told = list(left(look))
    if told:
        yield ""
    for line in told:
        yield from _folded(f"to run: {line}", width)


def left(look: Look) -> Iterator[str]:
    """What became of the jobs of stages that nobody has begun: cancelled, or nothing is known."""
    groups: dict[str, list[StageId]] = {}
    for id, found in look.of(TO_RUN):
        if found.message is not None:
            alike = found.message.replace(f"job {found.job}", "its job")
            groups.setdefault(alike, []).append(id)
    for message, ids in groups.items():
        yield f"{_kinds(Counter(stage for stage, _ in ids))}: {message}"


def _stopped(overview: Overview, look: Look, width: int) -> Iterator[str]:
    stopped = look.of(STOPPED)
    if stopped:
        yield ""
        yield "stopped, and goes on with the next run"
    for id, found in stopped[:_ROWS]:
        yield from _folded(f"  {title(overview.graph.stages[id])}: {found.message}", width)
    if len(stopped) > _ROWS:
        yield f"  and {len(stopped) - _ROWS:,} more"


def _failed(
    overview: Overview, look: Look, call: Callable[[StageId], str], width: int
) -> Iterator[str]:
    groups = failures(look)
    for (cause, _), members in groups[:_GROUPS]:
        id, found = members[0]
        yield ""
        names = ", ".join(title(overview.graph.stages[each]) for each, _ in members[:_NAMED])
        more = f" and {len(members) - _NAMED:,} more" if len(members) > _NAMED else ""
        yield from _folded(f"failed, {cause}: {names}{more}", width)
        where = [f"attempt {found.attempts}"] if found.attempts else []
        where += [f"job {found.job}"] if found.job else []
        where += [f"on {found.node}"] if found.node else []
        said = (found.message or "").partition("\n")[0]
        yield from _folded(f"  {said}" + (f" ({', '.join(where)})" if where else ""), width)
        if found.log is not None:
            lines = last_lines(found.log)
            if lines != [said]:
                yield f"  the end of {found.log}:"
                yield from (f"    {line}"[:width] for line in lines)
            yield f"  {call(id)}"
    if len(groups) > _GROUPS:
        left = sum(len(members) for _, members in groups[_GROUPS:])
        yield ""
        yield f"failed: {left:,} more of {len(groups) - _GROUPS:,} causes, in --format csv"


def _blocked(overview: Overview, look: Look, width: int) -> Iterator[str]:
    waiting: dict[StageId, Counter[str]] = {}
    for (stage, _), found in look.of(BLOCKED):
        if found.because is not None:
            waiting.setdefault(found.because, Counter())[stage] += 1
    if waiting:
        yield ""
    largest = sorted(waiting.items(), key=lambda item: -item[1].total())
    for because, kinds in largest[:_GROUPS]:
        name = title(overview.graph.stages[because])
        yield from _folded(f"blocked by {name}: {_kinds(kinds)}", width)
    others = sum((kinds for _, kinds in largest[_GROUPS:]), Counter())
    if others:
        told = f"blocked by {len(largest) - _GROUPS:,} other stages that failed"
        yield from _folded(f"{told}: {_kinds(others)}", width)


def failures(look: Look) -> list[Group]:
    """Failed stages by cause and by what they said, numbers and keys apart; the largest first."""
    groups: dict[tuple[str, str], list[tuple[StageId, Standing]]] = {}
    for id, found in look.of(FAILED):
        said = re.sub(r"\d+", "#", (found.message or "").partition("\n")[0])
        groups.setdefault((found.cause or "unknown", said), []).append((id, found))
    return sorted(groups.items(), key=lambda item: -len(item[1]))


def last_lines(log: Path) -> Sequence[str]:
    """The last lines of a log that say anything."""
    return [line for line in tail(log, 4000).splitlines() if line.strip()][-_LINES:]


def _kinds(kinds: Counter[str]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())


def _folded(text: str, width: int) -> list[str]:
    return tables.fold(text, width)
