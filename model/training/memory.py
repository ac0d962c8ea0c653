"""Keeps freed memory in the process: a training step asks for the same blocks again and again."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEEP = (1 << 31) - 1
"""The most that mallopt() takes: 2 GiB."""
_GROW = 64 << 20


def keep_freed_memory() -> None:
    """Tells glibc to serve large blocks from its heap and not to return them to the system.

    Otherwise each large tensor is mapped, faulted in page by page, and unmapped, every step.
    Elsewhere than on glibc it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, _KEEP)
    mallopt(_M_TRIM_THRESHOLD, _KEEP)
    mallopt(_M_TOP_PAD, _GROW)
