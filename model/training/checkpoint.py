"""Resumable state of a run: written whole or not at all, checksummed, the last two kept.

<work>/checkpoints/00001200/state.json      what the stage counts (step, exposure, curve)
                            engine/...      DeepSpeed's own files
                            checksums.json  SHA-256 of each file above
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from model.training.engine import Engine

KEPT = 2
_CHECKSUMS = "checksums.json"
_UNFINISHED = ".unfinished"


def save(work: Path, step: int, engine: Engine, state: dict[str, Any]) -> Path:
    """Writes the checkpoint of `step` finished updates and drops all but the last two."""
    parent = work / "checkpoints"
    parent.mkdir(parents=True, exist_ok=True)
    unfinished = parent / f"{step:08d}{_UNFINISHED}"
    final = parent / f"{step:08d}"
    for leftover in [*parent.glob(f"*{_UNFINISHED}"), final]:
        if leftover.exists():
            shutil.rmtree(leftover)
    unfinished.mkdir()
    engine.save(unfinished / "engine")
    text = json.dumps({"step": step, **state}, sort_keys=True)
    (unfinished / "state.json").write_text(text, encoding="utf-8")
    checksums = {name: _sha256(unfinished / name) for name in _files(unfinished)}
    (unfinished / _CHECKSUMS).write_text(json.dumps(checksums, indent=1), encoding="utf-8")
    for name in [*checksums, _CHECKSUMS]:
        _sync(unfinished / name)
    for folder in [unfinished, *(path for path in unfinished.rglob("*") if path.is_dir())]:
        _sync(folder)
    unfinished.rename(final)
    _sync(parent)
    for old in _finished(work)[KEPT:]:
        shutil.rmtree(old)
    return final


def restore(work: Path, engine: Engine) -> dict[str, Any] | None:
    """Loads the newest whole checkpoint into the engine; None if there is none.

    A broken one is named on stderr and left aside for the one before it.
    """
    for folder in _finished(work):
        fault = _fault(folder)
        if fault is None:
            engine.restore(folder / "engine")
            return json.loads((folder / "state.json").read_text(encoding="utf-8"))
        print(f"checkpoint {folder} is broken ({fault}): trying an older one", file=sys.stderr)
    return None


def _finished(work: Path) -> list[Path]:
    """Checkpoints by step, newest first."""
    folders = (work / "checkpoints").glob("[0-9]*")
    return sorted((path for path in folders if path.name.isdigit()), reverse=True)


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def _fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        checksums = json.loads((folder / _CHECKSUMS).read_text(encoding="utf-8"))
        if "state.json" not in checksums:
            return f"{_CHECKSUMS} does not list state.json"
        for name, expected in checksums.items():
            if _sha256(folder / name) != expected:
                return f"{name} has another checksum"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return str(error)
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
