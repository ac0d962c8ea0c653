"""What this machine lets a process use: its cores, its memory, its instructions."""

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


@cache
def has_bf16() -> bool:
    """Whether Linux names instructions of this CPU for bf16, which make its products faster than
    those of fp32; false where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags.split())
