"""Starts the daemons of a test cluster and surely ends them: `python guardian.py FOLDER USER`.

It reads `{"command", "environment", "log"}`, one JSON object a line, and answers with the number of
the process that it started. When its input ends, because the tests are over or because they were
killed, it kills every process below it and removes the folder. Batch jobs leave their daemon's
session; as the reaper of orphans it stays their ancestor, so none of them outlives the tests.
"""

import ctypes
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Until the input ends."""
    folder, user = Path(sys.argv[1]), pwd.getpwnam(sys.argv[2])
    if user.pw_uid != os.getuid():  # here, for the other may not read this interpreter
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("this kernel has no reaper of orphans: prctl(PR_SET_CHILD_SUBREAPER)")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then close us
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    try:
        for line in sys.stdin:
            print(_start(**json.loads(line)), flush=True)
    finally:
        _end_all()
        if not os.environ.get("GRID_TEST_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


def _start(command: list[str], environment: dict[str, str], log: str) -> int:
    with open(log, "ab") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ).pid


def _reap() -> None:
    """Buries what has ended, so that a killed daemon is seen to be gone."""
    with suppress(ChildProcessError):  # raised when no child is left
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def _end_all() -> None:
    """Kills what lives below this process, until nothing does."""
    while below := _descendants():
        for process in below:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        _reap()
        time.sleep(0.02)


def _descendants() -> list[int]:
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if fields[0] not in "ZX":
            parents[int(entry)] = int(fields[1])
    found: list[int] = []
    level = {os.getpid()}
    while level:
        level = {process for process, parent in parents.items() if parent in level}
        found += level
    return found


if __name__ == "__main__":
    main()
