"""Whether a process ended for want of memory: by its own error, or by the kernel's count of kills.

A process that the kernel kills for want of memory cannot say so. But the kernel counts such kills
for each control group, so a launcher that sees one of its processes die by SIGKILL looks whether
the count has grown.
"""

import errno
import re
from collections.abc import Iterator
from pathlib import Path

MEMORY = "memory"
"""The cause, as an outcome's `kind`."""

_CGROUPS = Path("/sys/fs/cgroup")
_TOLD = re.compile(
    r"slurmstepd\S*: error: .*(?:oom[_-]kill|exceeded.* memory limit)|srun: error: .*Out Of Memory",
    re.IGNORECASE,
)
"""`Detected 1 oom_kill event in StepId=4.0`, `Exceeded job memory limit`, or of a task,
`Out Of Memory`."""
_CPU_ALLOCATOR = "DefaultCPUAllocator: can't allocate memory"


def lacked(error: BaseException) -> bool:
    """Whether an exception says that the machine's memory did not suffice."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and _CPU_ALLOCATOR in str(error)


def told(text: str) -> bool:
    """Whether Slurm says in a job's output that something was killed for want of memory."""
    return _TOLD.search(text) is not None


def kills(process: Path = Path("/proc/self/cgroup"), groups: Path = _CGROUPS) -> int:
    """How many processes of this one's control group, or of its Slurm job, the kernel has killed
    for want of memory; of the whole machine where no group counts. Compare two calls."""
    counted = [_number(file, "oom_kill") for file in _counters(process, groups)]
    found = [count for count in counted if count is not None]
    if not found:
        found = [_number(Path("/proc/vmstat"), "oom_kill") or 0]
    return max(found)


def _counters(process: Path, groups: Path) -> Iterator[Path]:
    """The files that count for this process's group and those around it, up to its Slurm job's."""
    try:
        lines = process.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = groups / "memory" if controllers else groups
        name = "memory.oom_control" if controllers else "memory.events"
        own = base / path.strip("/")
        yield own / name
        job = next((each for each in own.parents if each.name.startswith("job_")), None)
        if job is not None:
            yield job / name


def _number(file: Path, name: str) -> int | None:
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    except (OSError, ValueError):
        return None
    return None
