"""The supervisor: it sees every process and thread, and does to a call what it is told to."""

import errno
import sys
from pathlib import Path

import pytest

from tests.faults import injector
from tests.faults.injector import KILL, KILL_ALL, PASS, TEAR, Answer, Call

WRITES = """
import os, subprocess, sys, threading
with open("a", "w") as stream:
    stream.write("0123456789")
thread = threading.Thread(target=os.mkdir, args=("b",))
thread.start()
thread.join()
os.rename("a", "b/c")
subprocess.run([sys.executable, "-S", "-c", "import os; os.unlink('b/c'); os.rmdir('b')"])
print("at the end", flush=True)
"""


@pytest.fixture(autouse=True)
def _possible() -> None:
    if reason := injector.missing():
        pytest.skip(f"NOT TESTED: {reason}")


def run(folder: Path, answers: dict[str, Answer]) -> tuple[injector.Ended, list[tuple[str, str]]]:
    """The program with an answer to the first call of each name; the calls on files there."""
    calls = []

    def decide(call: Call) -> Answer:
        if Path(call.path).is_relative_to(folder):
            calls.append((call.name, Path(call.path).relative_to(folder).as_posix()))
            return answers.pop(call.name, PASS)
        return PASS

    command = [sys.executable, "-S", "-c", WRITES]
    return injector.run(command, decide, cwd=folder, timeout=60), calls


def test_every_process_and_thread_is_seen(tmp_path: Path) -> None:
    ended, calls = run(tmp_path, {})
    assert (ended.status, ended.output, ended.survivors) == (0, "at the end\n", [])
    assert calls == [
        ("openat", "a"),
        ("write", "a"),
        ("mkdir", "b"),
        ("rename", "b/c"),
        ("unlink", "b/c"),
        ("rmdir", "b"),
    ]
    assert not any(tmp_path.iterdir())


def test_a_call_fails_with_the_error_that_is_asked_for(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, {"rename": errno.ENOSPC})
    assert ended.status == 1 and "No space left on device" in ended.output
    assert (tmp_path / "a").read_text() == "0123456789"


def test_a_process_dies_before_its_call(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, {"rename": KILL})
    assert ended.status == -9 and (tmp_path / "a").exists()


def test_a_process_dies_within_a_write(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, {"write": TEAR})
    assert ended.status == -9 and (tmp_path / "a").read_text() == "01234"


def test_one_process_dies_or_all(tmp_path: Path) -> None:
    ended, _ = run(tmp_path, {"rmdir": KILL})
    assert ended.status == 0 and ended.output == "at the end\n"
    (tmp_path / "b").rmdir()
    ended, _ = run(tmp_path, {"rmdir": KILL_ALL})
    assert ended.status == -9 and ended.output == "" and (tmp_path / "b").exists()


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    ended = injector.run(command, lambda _: PASS, cwd=tmp_path, timeout=0.5)
    assert ended.status is None
