"""One of the processes that share a store: it runs one study after the other until its time is up.

    python -m tests.contention.worker STORE --seed 1 --began T --until T

A study is the last layer of the present round, or of the one before, or a part of it. With --rounds
N it runs everything of the first N rounds once and ends with status 0 if all of it is there.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from grid import lease
from grid.execution import ExecutionConfig
from grid.launch.local import run
from grid.launch.report import Report
from grid.store import Store
from tests.contention.stages import graph, note

EXPECTED = ("killed", "hung")
"""Kinds of failure that being killed explains."""


class Lines:
    """What the launcher says: what it waits for goes into the log."""

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if "waiting for it" in line:
                note("waits", title=line.partition(":")[0].rpartition(" ")[2])
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def launched(call: Callable[[], Report]) -> Report:
    """A run, with its end in the log."""
    report = call()
    failed = [
        (each.stage.key, each.kind, each.message)
        for each in report.failed
        if each.kind not in EXPECTED and "server ended with status -9" not in each.message
    ]
    note("ran", done=len(report.done), cached=len(report.cached), failed=failed)
    return report


def main() -> int:
    """The command `python -m tests.contention.worker`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--draw", help="seed of what this process chooses")
    parser.add_argument("--began", type=float, default=0.0)
    parser.add_argument("--until", type=float, default=0.0)
    parser.add_argument("--round-seconds", type=float, default=1.0)
    parser.add_argument("--expiry", type=float, default=lease.EXPIRY)
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    lease.EXPIRY = options.expiry
    store, execution = Store(options.store), ExecutionConfig(workers=2)
    stream = Lines()
    if options.rounds is not None:
        every = graph(options.seed, range(options.rounds))
        report = launched(lambda: run(every, store, execution=execution, stream=stream, live=False))
        return 0 if report.ok else 1
    draw = random.Random(options.draw)
    while time.monotonic() < options.until:
        now = int((time.monotonic() - options.began) / options.round_seconds)
        round = max(0, draw.choice([now - 1, now, now]))
        study = graph(options.seed, range(round, round + 1))
        wanted = sorted(study.targets)
        study.targets = set(draw.sample(wanted, draw.randint(3, len(wanted))))
        report = launched(
            lambda study=study: run(study, store, execution=execution, stream=stream, live=False)
        )
        if not report.done:
            time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
