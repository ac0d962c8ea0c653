"""Keeps what is done in a store inside of it: names are names, and links are not followed.

A store may come from somebody else. Nothing that it says may lead to a file outside of it.
"""

import errno
import os
import stat
from pathlib import Path

from grid.errors import StoreError


def require_names(root: Path, *parts: str) -> None:
    """Raises StoreError if one of these cannot be the name of a folder, such as `..` or `a/b`."""
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\0" in part:
            raise StoreError(
                f"store {root}: expected the name of a stage or key, found {part!r}: a file in the "
                "store is damaged, or was made to mislead"
            )


def refuse_links(root: Path, path: Path) -> None:
    """Raises StoreError if `path`, or a folder between it and the store's root, is a link."""
    place = path
    while place not in (root, place.parent):
        if place.is_symlink():
            raise _link(root, place)
        place = place.parent


def refuse_links_below(root: Path, folder: Path) -> None:
    """Raises StoreError if a folder of the store holds a link, at any depth."""
    refuse_links(root, folder)
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise _link(root, path)


def read_file(path: Path | str, most: int | None = None) -> bytes:
    """What a file of the store holds, of at most so many bytes. Raises StoreError for a larger one,
    a link, a pipe or a device: they lead out of the store, or are never at their end; OSError as
    `open` does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise StoreError(f"{path}: expected a file, found a link") from None
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise StoreError(f"{path}: expected a file, found a pipe or device")
        if most is not None and found.st_size > most:
            raise StoreError(f"{path}: expected at most {most:,} bytes, found more")
        # Without a stream, which would ask for its kind and size again: there are many files.
        return b"".join(iter(lambda: os.read(descriptor, found.st_size + 1), b""))
    finally:
        os.close(descriptor)


def _link(root: Path, place: Path) -> StoreError:
    return StoreError(
        f"store {root}: {place} is a link, and a store holds files and folders only. Remove the "
        "link; to keep a store on another disk, move all of it there and name it with --store"
    )
