"""The grid's own cost a stage, and how well its launcher keeps the workers at work.

Stages do nothing, or sleep for a known time, so all else is the grid's: attempt, fork, lease,
checksums, syncing and publishing. The start of Python with its imports comes once a run and not
once a stage: it is taken out as the difference of two runs of different length.

    python benchmarks/grid_overhead.py [--stages 100] [--workers 2] [--store DIR]

Prints tables in Markdown. CPU seconds are those of all processes; the time by the clock depends on
what else the machine does, and on how fast its disk syncs.
"""

import argparse
import io
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.timed_stages import graph, timed  # noqa: E402  # not installed
from grid.execution import ExecutionConfig  # noqa: E402
from grid.graph import Stage  # noqa: E402
from grid.launch.local import run  # noqa: E402
from grid.launch.report import Report  # noqa: E402
from grid.store import Store  # noqa: E402

SHORT = 20
"""Stages of the shorter of two runs."""
LENGTH = 0.2
"""Seconds of stages that sleep."""
LENGTHS = (2.0, 0.1, 0.4, 0.8, 0.1, 0.2, 0.4, 0.1, 0.2, 0.2)
"""Seconds of the last stage of each chain; the two before it take a quarter of that each."""


@dataclass(kw_only=True)
class Measured:
    """A run: what it reports, and its seconds by the clock and of CPU, start included."""

    report: Report
    clock: float
    cpu: float


def measured(stages: Sequence[Stage], folder: Path, workers: int) -> Measured:
    """Runs the stages in a new store."""
    store = Store(tempfile.mkdtemp(dir=folder))
    before, began = _cpu(), time.perf_counter()
    report = run(
        graph(list(stages)),
        store,
        execution=ExecutionConfig(workers=workers),
        stream=io.StringIO(),
        live=False,
    )
    clock = time.perf_counter() - began
    if not report.ok or len(report.done) != len(stages):
        raise SystemExit(f"not all stages ran: {report.failed}")
    return Measured(report=report, clock=clock, cpu=_cpu() - before)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def overhead(count: int, folder: Path, workers: int) -> None:
    """What a stage costs that does nothing."""
    print("| stages that do nothing | number | clock, s | clock a stage, s | CPU a stage, s |")
    print("|---|---|---|---|---|")
    for torch in (False, True):
        runs = [
            measured([timed(i, needs_torch=torch) for i in range(size)], folder, workers)
            for size in (SHORT, count)
        ]
        clock, cpu = (
            (getattr(runs[1], name) - getattr(runs[0], name)) / (count - SHORT)
            for name in ("clock", "cpu")
        )
        kind = "forked with torch loaded" if torch else "forked without torch"
        print(f"| {kind} | {count} | {runs[1].clock:.2f} | {clock:.4f} | {cpu:.4f} |", flush=True)


def utilisation(count: int, folder: Path, workers: int) -> None:
    """How near a run comes to the shortest time that its stages allow."""
    alike = [timed(i, seconds=LENGTH) for i in range(count)]
    chains = []
    for length in LENGTHS:
        before: list[Stage] = []
        for seconds in (length / 4, length / 4, length):
            before = [timed(len(chains), *before, seconds=seconds)]
            chains += before
    longest = 1.5 * max(LENGTHS)
    print("\n| stages that sleep | first to last, s | at best, s | workers hold one | they sleep |")
    print("|---|---|---|---|---|")
    for what, stages, least in (
        (f"{count} of {LENGTH} s", alike, 0.0),
        (f"{len(LENGTHS)} chains of three, 0.15 to {longest:g} s", chains, longest),
    ):
        total = sum(stage.seconds for stage in stages)
        report = measured(stages, folder, workers).report
        best = max(total / workers, least)
        asleep = total / (report.span * workers)
        print(f"| {what} | {report.span:.2f} | {best:.2f} | {report.busy:.1%} | {asleep:.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stages", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", type=Path, help="where the stores are made (a temporary folder)")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {options.workers} workers\n")
    with tempfile.TemporaryDirectory(dir=options.store) as name:
        overhead(options.stages, Path(name), options.workers)
        utilisation(options.stages, Path(name), options.workers)


if __name__ == "__main__":
    main()
