"""Publishing: a temporary folder becomes an artifact, whole or not at all."""

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from grid.artifact import CONFIG, MANIFEST, json_text, manifest_text
from grid.errors import StoreError
from grid.lease import Lease

RESERVED = (CONFIG, MANIFEST)
"""What the store itself writes into an artifact."""
_SYNCS = 8
_PRESENT = (errno.ENOTEMPTY, errno.EEXIST)


def publish(
    temporary: Path,
    place: Path,
    *,
    config: Mapping[str, Any],
    manifest: Mapping[str, Any],
    held: Lease,
) -> bool:
    """Syncs a folder's files, adds config.json and manifest.json, and renames it to its place.

    False, with the copy discarded, if the lease is no longer held. An artifact that is there
    already stays, and the copy is discarded: both are the same content. Raises StoreError if the
    stage has written a file of a name that the store needs.
    """
    for name in RESERVED:
        if (temporary / name).exists():
            raise StoreError(
                f"the output has a file {name}, which is a name that the store keeps for itself: "
                "write it under another name, or into a folder below the output"
            )
    write_records(temporary, config=config, manifest=manifest)
    return commit(temporary, place, held)


def write_records(folder: Path, *, config: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Adds config.json, and manifest.json with the size and checksum of every file."""
    write_json(folder / CONFIG, dict(config))
    files = {
        name: {"bytes": path.stat().st_size, "sha256": _checksum(path)}
        for name, path in sorted(_files(folder))
    }
    # Last, for what is written to after it has been changed.
    (folder / MANIFEST).write_text(manifest_text({**manifest, "files": files}), encoding="utf-8")


def commit(temporary: Path, place: Path, held: Lease) -> bool:
    """Syncs a complete folder and renames it to its place; False as in `publish`."""
    _sync_all(temporary)
    if not held.confirm():
        discard(temporary)
        return False
    try:
        os.rename(temporary, place)
    except OSError as error:
        if error.errno not in _PRESENT:
            raise
        discard(temporary)
    _sync(place.parent)
    return True


def discard(folder: Path) -> None:
    """Removes a temporary folder as far as that is possible.

    First out of its maker's reach: one that was stopped and wakes up must not publish half of it.
    """
    gone = folder.with_name(f"{folder.name.rpartition('~')[0]}~{uuid.uuid4().hex[:12]}")
    with suppress(OSError):
        os.rename(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)


def write_json(path: Path, value: Any, *, private: bool = False) -> None:
    """Writes JSON as everywhere in the store, in UTF-8.

    private: in a new file that nobody else may read.
    """
    if private:
        path.touch(0o600, exist_ok=False)
    path.write_text(json_text(value), encoding="utf-8")


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path}: an artifact holds files and folders only")
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_all(folder: Path) -> None:
    """Syncs every file and folder, side by side: one journal commit serves many of them."""
    paths = [folder, *folder.rglob("*")]
    with ThreadPoolExecutor(min(len(paths), _SYNCS)) as pool:
        for done in [pool.submit(_sync, path) for path in paths]:
            done.result()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; their renames are in order without it.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(descriptor)
