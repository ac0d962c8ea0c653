"""What the cluster's partitions offer, by one call of sinfo: limits that requests are fitted to."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grid.slurm.queue import Queue

_DURATION = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A partition; of unlike nodes, the largest value of each. None: not known, or no limit."""

    name: str
    default: bool = False
    """Whether jobs that name none run here."""
    minutes: int | None = None
    """Longest time limit of a job."""
    memory_mb: int | None = None
    """Of a node."""
    gpus: int | None = None
    """Of a node."""


def partitions(queue: Queue) -> dict[str, Partition]:
    """The partitions by name. Raises QueueError if Slurm does not answer."""
    return parse(queue.ask("sinfo", "--all", "--noheader", "--exact", "--format=%P|%l|%m|%G"))


def parse(text: str) -> dict[str, Partition]:
    """The partitions in what sinfo printed, a line for each kind of node."""
    found: dict[str, Partition] = {}
    for line in text.splitlines():
        name, limit, memory, gres = line.strip().split("|")
        own = found.get(name.rstrip("*"), Partition(name=name.rstrip("*")))
        digits = memory.rstrip("+")
        found[own.name] = Partition(
            name=own.name,
            default=name.endswith("*"),
            minutes=_minutes(limit),
            memory_mb=_larger(own.memory_mb, int(digits) if digits.isdecimal() else None),
            gpus=_larger(own.gpus, _gpus(gres)),
        )
    return found


def chosen(known: Mapping[str, Partition], names: str | None) -> Partition | None:
    """What holds for jobs of these partitions (`a,b`; None: the default): the lesser of each."""
    if names is None:
        return next((each for each in known.values() if each.default), None)
    own = [known[name] for name in names.split(",") if name in known]
    if not own:
        return None
    return Partition(
        name=names,
        minutes=_least(each.minutes for each in own),
        memory_mb=_least(each.memory_mb for each in own),
        gpus=_least(each.gpus for each in own),
    )


def _least(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)


def _larger(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _minutes(text: str) -> int | None:
    """`1-12:00:00`, `2:00:00`, `30:00`, `30`; None for `infinite`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    days, *parts = match.groups()
    numbers = [int(part) for part in parts if part is not None]
    if days is not None:  # days-hours[:minutes[:seconds]]
        hours, minutes = (numbers + [0, 0])[:2]
        return int(days) * 1440 + hours * 60 + minutes
    if len(numbers) == 3:
        return numbers[0] * 60 + numbers[1]
    return max(1, numbers[0])


def _gpus(gres: str) -> int | None:
    """GPUs in `gpu:4`, `gpu:a100:4(S:0-1)`, `gpu:a:2,gpu:b:2`; None for `(null)`."""
    counts = re.findall(r"(?:^|,)gpu(?::[^:,()]+)?:(\d+)", gres)
    return sum(map(int, counts)) or None
