"""Checksums of source files, computed once: cached by path, size and time of change."""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from grid.confine import read_file
from grid.errors import StoreError

_FRESH_NS = 2_000_000_000
"""A file changed so recently might change again within the resolution of its time stamp."""
_SAVE_SECONDS = 10.0
"""Work since the last save that may be lost."""


def checksums(files: Iterable[Path], cache: Path) -> dict[Path, tuple[int, str]]:
    """Size and SHA-256 of each file. A cache that cannot be written is done without."""
    known = _load(cache)
    found: dict[str, list[object]] = {}
    saved = time.monotonic()
    result = {}
    for path in files:
        name = os.path.realpath(path)
        stat = os.stat(name)
        stamp = [stat.st_size, stat.st_mtime_ns]
        record = known.get(name)
        if isinstance(record, list) and len(record) == 3 and record[:2] == stamp:
            result[path] = (stat.st_size, str(record[2]))
            continue
        with open(name, "rb") as stream:
            value = hashlib.file_digest(stream, "sha256").hexdigest()
        after = os.stat(name)
        result[path] = (after.st_size, value)
        if [after.st_size, after.st_mtime_ns] == stamp and _settled(stat.st_mtime_ns):
            found[name] = [*stamp, value]
        if time.monotonic() - saved > _SAVE_SECONDS:
            _save(cache, found)
            saved = time.monotonic()
    if found:
        _save(cache, found)
    return result


def _settled(mtime_ns: int) -> bool:
    return abs(time.time_ns() - mtime_ns) > _FRESH_NS


def _load(cache: Path) -> dict[str, object]:
    try:
        content = json.loads(read_file(cache))
    except (OSError, ValueError, RecursionError, StoreError):
        return {}
    return content if isinstance(content, dict) else {}


def _save(cache: Path, found: dict[str, list[object]]) -> None:
    # Read again, for another process may have added to it; what both write at once is recomputed.
    content = json.dumps({**_load(cache), **found}, indent=1, sort_keys=True)
    private = cache.with_name(f".{cache.name}~{uuid.uuid4().hex}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        private.write_text(content, encoding="utf-8")
        os.replace(private, cache)
    except OSError:
        with suppress(OSError):
            private.unlink(missing_ok=True)
