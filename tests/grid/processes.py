"""Real processes and file systems for the tests of the store and the launcher."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0
"""Seconds."""


def python(code: str, *arguments: str, **options: object) -> subprocess.Popen[str]:
    """Another Python that runs `code` in a session of its own, with the repository's packages."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **options,  # type: ignore[call-overload]
    )


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits until something is so; fails the test if it never is, however busy the machine."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@contextmanager
def small_disk(folder: Path, size: str = "4m") -> Iterator[Path]:
    """A real file system of a few megabytes; the test is skipped where none can be mounted."""
    folder.mkdir(exist_ok=True)
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("NOT TESTED: there is no mount command here")
    command = [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"NOT TESTED: no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run([unmount, "-l", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """Makes a `small_disk` read-only, for root too."""
    subprocess.run([shutil.which("mount") or "", "-o", "remount,ro", str(folder)], check=True)


def living(group: int) -> dict[int, int]:
    """The processes of a process group that live, each with its parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, own = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(own) == group and state not in "ZX":
            found[int(folder.name)] = int(parent)
    return found
