"""What a job asks Slurm for: estimates with margins, in few steps, fitted to the partition."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from grid.errors import StudyError
from grid.execution import ExecutionConfig
from grid.graph import Stage
from grid.slurm.estimates import Estimate
from grid.slurm.history import Lesson
from grid.slurm.partitions import Partition
from grid.slurm.settings import SlurmStage

_MINUTES = (15, 60, 240, 720, 1440, 2880, 4320, 10080)
"""Steps of time limits, so that few classes of jobs arise: up to a week, from there on weeks."""
_START_SECONDS = 120.0
"""Of a job before its first stage: Python from a shared file system, the libraries."""
_UNKNOWN_HOURS = 24.0
"""Time limit where nobody knows what a program takes."""
_NODE_GPUS = 8
_MB = 1e6


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The resources of one job: all jobs of an array have the same."""

    minutes: int
    """Its time limit."""
    memory_mb: int | None = None
    """On each node; 0 for all that a node has; None if memory is not asked for."""
    cpus: int = 1
    """CPU cores of each task."""
    nodes: int = 1
    tasks_per_node: int = 1
    """Ranks on each node."""
    gpus_per_node: int = 0
    placement: SlurmStage = field(default_factory=SlurmStage)
    """Partition, account and what else `execution.slurm` says of where it runs."""

    @property
    def ranks(self) -> int:
        return self.nodes * self.tasks_per_node


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one stage asks for, before it is put into a job with others."""

    stage: Stage
    seconds: float | None
    """Estimated; None if nobody knows."""
    memory_mb: float
    """Estimated, on each node, with what its last failure taught and the margin."""
    least_mb: float
    """The same without a margin."""
    lesson: Lesson
    """What its last failures taught."""
    base: Resources
    """Everything but time and memory."""
    partition: Partition | None
    """What is known of where it runs."""
    own_lines: bool = False
    """Whether `setup` or `extra` are said for this kind of stage, and so must hold for it."""

    @cached_property
    def kind(self) -> str:
        """Equal for stages whose jobs differ in time and memory only."""
        return repr(self.base)

    @property
    def gpus(self) -> int:
        return self.base.nodes * self.base.gpus_per_node


def need(
    stage: Stage,
    estimate: Estimate,
    execution: ExecutionConfig,
    partition: Partition | None,
    lesson: Lesson | None = None,
) -> Need:
    """What a stage asks for, and more where its last failures taught that."""
    lesson = lesson or Lesson()
    slurm = execution.slurm
    placement = slurm.of_stage(stage.name)
    on_gpus = execution.device.startswith("cuda")
    uses_gpus = on_gpus and (stage.needs_torch or stage.command is not None)
    nodes, per_node = spread(stage.ranks, uses_gpus, placement, partition)
    base = Resources(
        minutes=0,
        cpus=placement.cpus or max(stage.threads, execution.threads),
        nodes=nodes,
        tasks_per_node=per_node,
        gpus_per_node=per_node if uses_gpus else 0,
        placement=placement,
    )
    least = estimate.rank_bytes * per_node / _MB
    asked = least * slurm.memory_margin
    if placement.memory_gb is not None:
        least = asked = placement.memory_gb * 1000
    own = slurm.stages.get(stage.name)
    return Need(
        stage=stage,
        seconds=estimate.seconds,
        memory_mb=lesson.megabytes(asked),
        least_mb=lesson.megabytes(least),
        lesson=lesson,
        base=base,
        partition=partition,
        own_lines=own is not None and (own.setup is not None or own.extra is not None),
    )


def spread(
    ranks: int, on_gpus: bool, placement: SlurmStage, partition: Partition | None
) -> tuple[int, int]:
    """Nodes, and ranks on each: as few nodes as hold them, with equally many on each."""
    room = placement.ranks_per_node
    if room is None:
        known = partition.gpus if partition is not None else None
        room = (known or _NODE_GPUS) if on_gpus else ranks
    nodes = -(-ranks // room)
    while ranks % nodes:
        nodes += 1
    return nodes, ranks // nodes


def job_seconds(needs: Sequence[Need]) -> float | None:
    """Expected seconds of a job with these stages; None if nobody knows."""
    if any(each.seconds is None for each in needs):
        return None
    seconds = [each.seconds or 0.0 for each in needs]
    return max(seconds) + (sum(seconds) - max(seconds)) / side_by_side(needs)


def side_by_side(needs: Sequence[Need]) -> int:
    """Stages of a job that run at once: as many as have cores, one where there are GPUs."""
    first = needs[0].base
    if first.gpus_per_node or first.ranks > 1:
        return 1
    threads = max(each.stage.threads for each in needs)
    return max(1, min(len(needs), first.cpus // threads))


def job(needs: Sequence[Need], execution: ExecutionConfig) -> Resources:
    """The resources of a job with these stages, in steps, and fitted to its partition.

    Raises StudyError for a stage that cannot be done there.
    """
    base = max(needs, key=lambda each: (each.gpus, each.base.ranks)).base
    minutes = _minutes(needs, base, execution.slurm.time_margin)
    return replace(base, minutes=minutes, memory_mb=_memory(needs, base, execution))


def _minutes(needs: Sequence[Need], base: Resources, margin: float) -> int:
    """The time limit. Work that can be resumed may take longer than any job: it is requeued."""
    if base.placement.hours is not None:
        said = base.placement.hours * 60
        return max(1, round(max(each.lesson.minutes(said) for each in needs)))
    seconds = job_seconds(needs)
    if seconds is None:
        wanted = round(_UNKNOWN_HOURS * 60)
    else:
        estimate = (_START_SECONDS + margin * seconds) / 60
        minutes = max(each.lesson.minutes(estimate) for each in needs)
        wanted = next((step for step in _MINUTES if minutes <= step), 0) or (
            math.ceil(minutes / _MINUTES[-1]) * _MINUTES[-1]
        )
    limit = _limit(needs, base.placement)
    return wanted if limit is None else min(wanted, limit)


def _limit(needs: Sequence[Need], placement: SlurmStage) -> int | None:
    """The longest that a job may ask for. Raises StudyError for a stage that needs more at once."""
    partition = needs[0].partition
    limits = [] if partition is None or partition.minutes is None else [partition.minutes]
    limits += [] if placement.max_hours is None else [round(placement.max_hours * 60)]
    if not limits:
        # No site wants to be asked for a year: what can be resumed is requeued every week.
        resumable = any(each.stage.resumable for each in needs)
        return _MINUTES[-1] if resumable else None
    limit = min(limits)
    for each in needs:
        if not each.stage.resumable and (each.seconds or 0.0) > limit * 60:
            raise StudyError(
                f"{each.stage}: takes about {(each.seconds or 0.0) / 3600:.1f} h, but jobs "
                f"{_where(placement, partition)} end after {limit / 60:g} h, and this stage cannot "
                f"be resumed; name another with execution.slurm.stages.{each.stage.name}.partition"
            )
    return limit


def _memory(needs: Sequence[Need], base: Resources, execution: ExecutionConfig) -> int | None:
    """MB on each node. Stages that run side by side need their memory at once."""
    if not execution.slurm.ask_memory:
        return None
    if base.placement.memory_gb == 0:
        return 0
    count = side_by_side(needs)
    asked = sum(sorted((each.memory_mb for each in needs), reverse=True)[:count])
    least = sum(sorted((each.least_mb for each in needs), reverse=True)[:count])
    if base.placement.memory_gb is not None:
        return math.ceil(max(each.memory_mb for each in needs))
    wanted = memory_step(asked)
    partition = needs[0].partition
    known = None if partition is None else partition.memory_mb
    if known is None or wanted <= known:
        return wanted
    if least <= known:
        return known
    kind = max(needs, key=lambda each: each.least_mb).stage
    raise StudyError(
        f"{kind}: needs about {least / 1000:.1f} GB of memory, but nodes "
        f"{_where(base.placement, partition)} have {known / 1000:.1f} GB; name another with "
        f"execution.slurm.stages.{kind.name}.partition, or say what it needs with "
        f"execution.slurm.stages.{kind.name}.memory_gb"
    )


def memory_step(megabytes: float) -> int:
    """The next of 1, 2, 4, 8, 16, 24, 32, 48, 64, 96, ... GB."""
    step = 1000
    while step < megabytes:
        if step >= 16000 and step * 1.5 >= megabytes:
            return step * 3 // 2
        step *= 2
    return step


def _where(placement: SlurmStage, partition: Partition | None) -> str:
    if placement.partition is not None:
        return f"of partition {placement.partition}"
    return "of the default partition" + (f" {partition.name}" if partition else "")
