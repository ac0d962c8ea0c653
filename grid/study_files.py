"""The files of a study's folder: written whole or not at all, and read as they were written.

study.json holds the checksums of the frames beside it. A frame that is not what it says is not
read: decoding damaged Parquet may give wrong numbers, or end the process.
"""

import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from grid.confine import refuse_links
from grid.errors import StoreError
from grid.store import explain

DESCRIPTION = "study.json"
CHECKSUMS = "files"
"""Key of study.json: SHA-256 of the frames beside it, by name."""
MADE_FROM = "made_from"
"""Key of study.json: what the results beside it follow from (grid.made_from)."""
UNREADABLE = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises over a file that is no Parquet, or a damaged one. A panic is no Exception."""
_TRIES = 3
_PATIENCE = 2.0
"""Seconds in which another process that just writes the frames will also write study.json."""


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file into a study's folder, beside its place, and renames it.

    Raises StoreError if that cannot be, or if a link would lead it out of the store.
    """
    refuse_links(path.parents[3], path.parent)  # <store>/studies/<study>/<scale>/<file>
    temporary = path.with_name(f".{path.name}~{uuid.uuid4().hex[:12]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise explain(error, path.parent, f"writing {path.name}") or StoreError(
            f"{path}: cannot be written: {error}"
        ) from error


def write_bytes(content: bytes, path: Path) -> None:
    """As `replace_file`; a file that says the same already is left untouched."""
    try:
        same = path.is_file() and path.read_bytes() == content
    except OSError:
        same = False  # damaged: written anew
    if not same:
        replace_file(path, lambda temporary: temporary.write_bytes(content))


def parquet(frame: pl.DataFrame) -> bytes:
    """The content of a frame's file."""
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()


def write_outputs(folder: Path, contents: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Writes a study's frames, Parquet by file name, and study.json with their checksums.

    Two processes that do so at once may leave a frame of the one with the checksum of the other:
    whoever is the last finds that, and writes its own again.
    """
    checksums = {name: hashlib.sha256(each).hexdigest() for name, each in contents.items()}
    value = {**facts, CHECKSUMS: checksums}
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    for _ in range(_TRIES):
        for name, content in contents.items():
            write_bytes(content, folder / name)
        write_bytes(text.encode(), folder / DESCRIPTION)
        if not damaged_files(folder):
            return


def kept_file(path: Path, origin: str) -> bytes | None:
    """A frame's file, if it is what was written and study.json says it was made from this."""
    if _described(path.parent).get(MADE_FROM) != origin or path.name not in _listed(path.parent):
        return None
    try:
        return _checked(path)
    except (OSError, StoreError):
        return None  # damaged: made anew


def read_frame(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """A results or plan file of a study, or some of its columns.

    Raises StoreError if it is not what was written.
    """
    try:
        content = _checked(path)
        return pl.read_parquet(io.BytesIO(content), columns=columns)
    except UNREADABLE as error:
        raise StoreError(
            f"{path}: cannot be read: {error}. Run the study again: it writes the file anew"
        ) from None


def damaged_files(folder: Path) -> dict[Path, str]:
    """The frames of a study's folder that are not what was written, each with what is wrong."""
    found = {}
    for name in sorted(_listed(folder)):
        try:
            _checked(folder / name)
        except (StoreError, OSError) as error:
            found[folder / name] = str(error)
    return found


def _checked(path: Path) -> bytes:
    deadline = time.monotonic() + _PATIENCE
    while True:
        listed = _listed(path.parent).get(path.name)
        content = path.read_bytes()
        made = hashlib.sha256(content).hexdigest()
        if listed in (None, made):
            return content
        if time.monotonic() > deadline:
            raise StoreError(
                f"{path}: expected the SHA-256 {listed} of {DESCRIPTION}, found {made}. Run the "
                "study again: it writes the file anew"
            )
        time.sleep(0.1)


def _listed(folder: Path) -> dict[str, str]:
    """The checksums in study.json; none if an older version wrote it, or it cannot be read."""
    listed = _described(folder).get(CHECKSUMS)
    return listed if isinstance(listed, dict) else {}


def _described(folder: Path) -> dict[str, Any]:
    """What study.json says; nothing if it cannot be read."""
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return described if isinstance(described, dict) else {}
