"""Keeps what is done in a store inside of it: names are names, and links are not followed.

A store may come from somebody else. Nothing that it says may lead to a file outside of it.
"""

import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from grid.errors import StoreError


def require_names(root: Path, *parts: str) -> None:
    """Raises StoreError if one of these cannot be the name of a folder, such as `..` or `a/b`."""
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\0" in part:
            raise StoreError(
                f"store {root}: expected the name of a stage or key, found {part!r}: a file in the "
                "store is damaged, or was made to mislead"
            )


def refuse_bytes(path: Path) -> None:
    """Raises StoreError for a path that is no text: records, which are UTF-8, could not hold it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise StoreError(
            f"{str(path)!r}: expected a path of text, found bytes that are none in this locale "
            f"({sys.getfilesystemencoding()}). Rename the folder, or set LC_ALL=C.UTF-8"
        ) from None


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


LARGEST = 1 << 28
"""Bytes of a file of records; a manifest that lists a million files has about half of that."""


def read_file(path: Path | str, most: int = LARGEST) -> bytes:
    """What a file of the store holds. Raises StoreError and OSError as `open_file` does, and
    StoreError for a file of more bytes than that."""
    descriptor, size = _opened(path)
    try:
        if size > most:
            raise StoreError(f"{path}: expected at most {most:,} bytes, found {size:,}")
        # Without a stream, which would ask for its kind and size again: there are many files.
        content = os.read(descriptor, size + 1)
        if len(content) == size:
            return content
        return content + b"".join(iter(lambda: os.read(descriptor, size + 1), b""))
    finally:
        os.close(descriptor)


def open_file(path: Path) -> BinaryIO:
    """A file of the store. Raises StoreError for a link, a pipe or a device: they lead out of the
    store, or are never at their end; OSError as `open` does."""
    return open(_opened(path)[0], "rb")


def listing(folder: Path | str, hidden: bool = False) -> list[os.DirEntry[str]]:
    """What a folder holds; nothing if there is none. Hidden names are not told unless asked for."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if hidden or not entry.name.startswith(".")]
    except FileNotFoundError:
        return []


def _opened(path: Path | str) -> tuple[int, int]:
    """A descriptor of a file, and its bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise StoreError(f"{path}: expected a file, found a link") from None
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return descriptor, found.st_size
    os.close(descriptor)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise StoreError(f"{path}: expected a file, found a pipe or device")


def _link(root: Path, place: Path) -> StoreError:
    return StoreError(
        f"store {root}: {place} is a link, and a store holds files and folders only. Remove the "
        "link; to keep a store on another disk, move all of it there and name it with --store"
    )
