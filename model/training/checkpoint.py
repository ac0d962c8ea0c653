"""Resumable state of a run: written whole or not at all, checksummed, the last two kept.

<work>/checkpoints/00001200/state.json      what the stage counts (step, exposure, curve)
                            layout.json     tensor- and data-parallel degree, and the model's shape
                            engine/...      DeepSpeed's own files, of every rank
                            checksums.json  SHA-256 of each file above

All ranks save and restore together; rank 0 alone writes state and checksums, and decides which
checkpoint is read. One that was written in another layout of ranks is converted first, to
DeepSpeed's universal form, in <work>/universal; numbers then agree within rounding.
"""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model.errors import InputError
from model.training import distributed
from model.training.engine import TAG, Engine
from model.training.unpickling import ANYTHING, ONLY_WEIGHTS

KEPT = 2
MOST_TIME = 0.05
"""Share of a run's time that saving may take at most."""
_CHECKSUMS = "checksums.json"
_LAYOUT = "layout.json"
_UNFINISHED = ".unfinished"
_ENGINE = "engine"
_NONE = -1
_ROOT = Path(__file__).resolve().parents[2]


def wait_after(seconds: float, took: float) -> float:
    """Seconds until the next save is due after one that took so long: `seconds`, or more where
    saving would otherwise take over a twentieth of the time; 0 if every update is to be saved."""
    return max(seconds, took * (1 / MOST_TIME - 1)) if seconds > 0 else 0.0


class Pace:
    """When the next checkpoint is due."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._wait = seconds
        self._last = clock()

    def due(self) -> bool:
        return self._clock() - self._last >= self._wait

    def saved(self, began: float) -> None:
        """Takes note of a save that began at this time of the clock and has just ended."""
        self._last = self._clock()
        self._wait = wait_after(self._seconds, self._last - began)


def save(work: Path, step: int, engine: Engine, state: dict[str, Any]) -> Path:
    """Writes the checkpoint of `step` finished updates and drops all but the last two."""
    parent = work / "checkpoints"
    unfinished = parent / f"{step:08d}{_UNFINISHED}"
    final = parent / f"{step:08d}"
    if distributed.is_first():
        parent.mkdir(parents=True, exist_ok=True)
        for leftover in [*parent.glob(f"*{_UNFINISHED}"), final]:
            if leftover.exists():
                shutil.rmtree(leftover)
        unfinished.mkdir()
    distributed.barrier()
    engine.save(unfinished / _ENGINE)
    distributed.barrier()
    if distributed.is_first():
        _write(unfinished / "state.json", {"step": step, **state})
        _write(unfinished / _LAYOUT, _layout() | {"model": engine.architecture})
        _publish(unfinished, final)
        for old in _finished(work)[KEPT:]:
            shutil.rmtree(old)
    distributed.barrier()
    return final


def _publish(unfinished: Path, final: Path) -> None:
    """Adds checksums, forces everything to the disk, and gives the folder its name."""
    checksums = {name: _sha256(unfinished / name) for name in _files(unfinished)}
    _write(unfinished / _CHECKSUMS, checksums)
    for name in [*checksums, _CHECKSUMS]:
        _sync(unfinished / name)
    for folder in [unfinished, *(path for path in unfinished.rglob("*") if path.is_dir())]:
        _sync(folder)
    unfinished.rename(final)
    _sync(final.parent)


def restore(work: Path, engine: Engine) -> dict[str, Any] | None:
    """Loads the newest whole checkpoint into the engine; None if there is none.

    A broken one is named on stderr and left aside for the one before it. Raises InputError for one
    of another model.
    """
    newest = _newest(work) if distributed.is_first() else None
    step = distributed.first_says(_NONE if newest is None else int(newest.name))
    if step == _NONE:
        return None
    folder = work / "checkpoints" / f"{step:08d}"
    layout = _read(folder / _LAYOUT)
    _check_model(folder, layout.pop("model"), engine.architecture)
    if layout == _layout():
        engine.restore(folder / _ENGINE)
    else:
        _restore_converted(folder / _ENGINE, work / "universal", engine, layout)
    return _read(folder / "state.json")


@contextmanager
def understood(work: Path) -> Iterator[None]:
    """Within it a state is read. Raises InputError for one of the right checksums that makes no
    sense, as damage before it was saved, another version or somebody's will can leave it."""
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError) as error:
        raise _senseless(work, error) from error
    except (TypeError, ValueError) as error:
        raise _senseless(work, error) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # PyTorch seeks where a file tells it to
            raise
        raise _senseless(work, error) from error
    except RuntimeError as error:
        # Other ranks that are gone, and want of memory, are told by the same class.
        if distributed.ranks() > 1 or "memory" in str(error):
            raise
        raise _senseless(work, error) from error


def _senseless(work: Path, error: Exception) -> InputError:
    told = next(iter(str(error).splitlines()), "")[:300]
    return InputError(
        f"checkpoints in {work / 'checkpoints'}: the newest one is whole, but cannot be gone on "
        f"from ({type(error).__name__}: {told}). Remove its folder to go on from an older one, or "
        "all of them to begin anew."
    )


def _check_model(folder: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    different = [
        f"{name} {found.get(name)!r} instead of {expected.get(name)!r}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]
    if different:
        raise InputError(
            f"checkpoint {folder}: expected one of this run's model, found another: "
            f"{', '.join(different)}. Remove the folder to begin anew."
        )


def _newest(work: Path) -> Path | None:
    for folder in _finished(work):
        fault = _fault(folder)
        if fault is None:
            return folder
        print(f"checkpoint {folder} is broken ({fault}): trying an older one", file=sys.stderr)
    return None


def _restore_converted(
    source: Path, universal: Path, engine: Engine, layout: dict[str, int]
) -> None:
    """Loads a checkpoint of another layout of ranks through DeepSpeed's universal form."""
    failure = ""
    if distributed.is_first():
        print(f"checkpoint {source.parent}: converting from {_named(layout)}", file=sys.stderr)
        failure = _convert(source, universal)
    (failed,) = distributed.decide(bool(failure))
    if failed:
        raise RuntimeError(
            f"the checkpoint {source.parent} of {_named(layout)} could not be converted to "
            f"{_named(_layout())}: {failure or 'rank 0 says why'}"
        )
    engine.restore(universal, universal=True)
    distributed.barrier()
    if distributed.is_first():
        shutil.rmtree(universal)


def _convert(source: Path, universal: Path) -> str:
    """Runs DeepSpeed's converter. Returns the end of what it said if it failed."""
    if universal.exists():
        shutil.rmtree(universal)
    universal.mkdir()
    workers = str(max(1, min(4, (os.cpu_count() or 1) // 2)))
    command = [sys.executable, "-m", "model.training.universal"]
    command += ["--input_folder", str((source / TAG).absolute())]
    command += ["--output_folder", str((universal / TAG).absolute())]
    command += ["--num_extract_workers", workers, "--num_merge_workers", workers]
    # Without the ranks' variables: the converter is a program of its own, on the CPU.
    without = ("RANK", "WORLD_SIZE", "LOCAL_RANK", ANYTHING)
    kept = {k: v for k, v in os.environ.items() if k not in without}
    own = {"DS_ACCELERATOR": "cpu", ONLY_WEIGHTS: "1"}
    done = subprocess.run(
        command, env=kept | own, cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}"[-2000:] or "no message"


def _layout() -> dict[str, int]:
    layout = {
        "tensor_parallel": distributed.tensor_parallel(),
        "data_parallel": distributed.data_parallel(),
    }
    # Before, parameters stood in the model's order: such a checkpoint is read by their names.
    return layout | ({"alike_first": 1} if distributed.tensor_parallel() > 1 else {})


def _named(layout: dict[str, int]) -> str:
    tensor, data = layout["tensor_parallel"], layout["data_parallel"]
    before = " of an earlier version" if tensor > 1 and "alike_first" not in layout else ""
    return f"{tensor} tensor-parallel by {data} data-parallel ranks{before}"


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
        checksums = _read(folder / _CHECKSUMS)
        for name in ("state.json", _LAYOUT):
            if name not in checksums:
                return f"{_CHECKSUMS} does not list {name}"
        for name, expected in checksums.items():
            if _sha256(folder / name) != expected:
                return f"{name} has another checksum"
        if not isinstance(_read(folder / _LAYOUT)["model"], dict):
            return f"{_LAYOUT} describes no model"
        if _read(folder / "state.json")["step"] != int(folder.name):
            return "state.json is of another step"
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        return str(error)
    return None


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
