"""grid.lease: one holder at a time, with real processes that are killed and stopped."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from grid import lease
from tests.grid.processes import ROOT, python, wait_for

HOLD = """
import sys, time
from pathlib import Path
from grid import lease
lease.BEAT = 0.05
held = lease.acquire(Path(sys.argv[1]))
print("held" if held else "refused", flush=True)
for line in sys.stdin:
    print(held.confirm(), flush=True)
"""

RACE = """
import os, sys, time
from pathlib import Path
from grid import lease
folder = Path(sys.argv[1])
stale = lease.read(folder)
start = time.time() + 0.2
answers, answer = os.pipe()
end, ending = os.pipe()
for _ in range(8):
    if os.fork() == 0:
        os.close(ending)
        while time.time() < start:
            pass
        held = lease.acquire(folder, stale=stale)
        os.write(answer, b"1" if held else b"0")
        os.read(end, 1)  # the winner lives until all have tried
        os._exit(0)
print(sum(os.read(answers, 1) == b"1" for _ in range(8)))
os.close(ending)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    process = python(HOLD, str(folder), stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_only_one_holds_and_release_lets_the_next_in(tmp_path: Path) -> None:
    first = lease.acquire(tmp_path / "l")
    assert first is not None
    assert lease.acquire(tmp_path / "l") is None
    assert first.confirm() and first.confirm()
    first.release()
    second = lease.acquire(tmp_path / "l")
    assert second is not None
    assert not first.confirm()
    second.remove()
    assert not (tmp_path / "l").exists()


def test_a_killed_holder_on_this_machine_is_replaced_at_once(tmp_path: Path) -> None:
    process = holder(tmp_path / "l")
    assert lease.acquire(tmp_path / "l") is None
    process.kill()
    process.wait()
    assert lease.Observer(tmp_path / "l").available()
    held = lease.acquire(tmp_path / "l")
    assert held is not None
    held.remove()


def test_a_killed_holder_that_nobody_has_reaped_is_dead(tmp_path: Path) -> None:
    process = holder(tmp_path / "l")
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: lease.Observer(tmp_path / "l").available())
    held = lease.acquire(tmp_path / "l")
    assert held is not None
    held.remove()
    process.wait()


def test_a_stopped_holder_is_replaced_after_the_expiry_and_finds_out(tmp_path: Path) -> None:
    process = holder(tmp_path / "l")
    observer = lease.Observer(tmp_path / "l", expiry=0.5)
    os.kill(process.pid, signal.SIGSTOP)
    assert not observer.available()
    wait_for(observer.available)
    held = lease.acquire(tmp_path / "l", stale=observer.seen)
    assert held is not None
    os.kill(process.pid, signal.SIGCONT)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "False\n"
    assert held.confirm()
    held.remove()
    process.kill()
    process.wait()


def test_a_working_holder_is_never_replaced(tmp_path: Path) -> None:
    process = holder(tmp_path / "l")
    observer = lease.Observer(tmp_path / "l", expiry=0.3)
    seen = observer.available()
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        seen = seen or observer.available()
        time.sleep(0.02)
    assert not seen
    process.kill()
    process.wait()


def test_a_holder_in_another_process_namespace_is_judged_by_its_counter(tmp_path: Path) -> None:
    command = [shutil.which("unshare") or "", "--pid", "--fork", "--kill-child"]
    if not command[0] or subprocess.run([*command, "true"], check=False).returncode != 0:
        pytest.skip("NOT TESTED: no process namespace can be made here")
    process = subprocess.Popen(
        [*command, sys.executable, "-c", HOLD, str(tmp_path / "l")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    seen = lease.read(tmp_path / "l")
    assert seen is not None and not seen.alive and not seen.dead
    observer = lease.Observer(tmp_path / "l", expiry=3.0)
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        assert not observer.available()
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not observer.available(), "that it is dead cannot be seen from here"
    wait_for(observer.available)


UNSEEN = """
import os, signal, sys
from pathlib import Path
from grid import lease
folder = Path(sys.argv[1])
ready, told = os.pipe()
child = os.fork()
if child == 0:
    lease.acquire(folder)
    os.write(told, b"1")
    signal.pause()
os.read(ready, 1)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
seen = lease.read(folder)
print(seen.alive, seen.dead, lease.Observer(folder, expiry=0.0).available() or "waits")
"""


def test_where_proc_shows_other_processes_nobody_is_taken_for_alive(tmp_path: Path) -> None:
    """A namespace without a /proc of its own: the numbers there are those of strangers."""
    command = [shutil.which("unshare") or "", "--pid", "--fork", "--kill-child"]
    if not command[0] or subprocess.run([*command, "true"], check=False).returncode != 0:
        pytest.skip("NOT TESTED: no process namespace can be made here")
    command += [sys.executable, "-c", UNSEEN, str(tmp_path / "l")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split()[:2] == ["False", "False"]


def test_who_has_lost_a_lease_is_told_and_leaves_the_other_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.02)
    told = threading.Event()
    first = lease.acquire(tmp_path / "l")
    assert first is not None
    first.when_lost(told.set)
    second = None
    while second is None:  # its counter may change between the look and the take
        second = lease.acquire(tmp_path / "l", stale=lease.read(tmp_path / "l"))
    wait_for(told.is_set)
    first.remove()
    assert second.confirm()
    second.remove()
    assert not (tmp_path / "l").exists()


def test_of_many_takers_one_wins(tmp_path: Path) -> None:
    for round in range(5):
        folder = tmp_path / str(round)
        process = holder(folder)
        os.kill(process.pid, signal.SIGSTOP)
        race = python(RACE, str(folder))
        assert race.communicate(timeout=120)[0].strip() == "1"
        process.kill()
        process.wait()


def test_a_lease_cut_short_while_it_was_written_expires(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    folder.mkdir()
    (folder / "1").write_bytes(b"")
    assert lease.acquire(folder) is None
    observer = lease.Observer(folder, expiry=0.2)
    assert not observer.available()
    wait_for(observer.available)
    held = lease.acquire(folder, stale=observer.seen)
    assert held is not None
    held.remove()


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_a_holder_that_proc_hides_is_not_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    """/proc mounted with hidepid shows nothing of other users' processes, or refuses a look."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        held = lease.acquire(tmp_path / "a.lease")
        assert held is not None
        held.release()
        record = tmp_path / "a.lease" / "1"
        content = record.read_bytes().replace(b"released", b"00000000")
        own = f'"pid": {os.getpid()}'.encode()
        assert own in content
        record.write_bytes(content.replace(own, f'"pid": {other.pid}'.encode()))
        assert lease.read(tmp_path / "a.lease").dead, "by its start time it is another process"

        def hides(path: Path, *arguments: object, **options: object) -> str:
            if str(path) == f"/proc/{other.pid}/stat":
                raise error(path)
            return read_text(path, *arguments, **options)

        read_text = Path.read_text
        monkeypatch.setattr(Path, "read_text", hides)
        seen = lease.read(tmp_path / "a.lease")
        assert not seen.dead and not seen.alive
        assert lease.acquire(tmp_path / "a.lease") is None
        other.kill()
        other.wait()
        assert lease.read(tmp_path / "a.lease").dead, "there is no such process"
    finally:
        other.kill()
        other.wait()
