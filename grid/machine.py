"""What this machine lets a process use: its cores and its memory."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Of a control group, in its two versions."""


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def memory() -> int:
    """Bytes that may be used: the machine's, or less if a control group says so."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in _LIMITS:
        with suppress(OSError, ValueError):  # no such control group, or no limit (`max`)
            total = min(total, int((Path("/sys/fs/cgroup") / name).read_text(encoding="ascii")))
    return total
