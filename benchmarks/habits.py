"""What one waits for every day: `--help`, a study that is finished already, and the smoke scale.

    python benchmarks/habits.py [--repeats N] [--workers N] [--store DIR]

Prints a table on standard output: the median of the repeats (the smoke study runs once, in a new
store), the limit that the project sets itself, and their ratio. An empty Python is timed between
the repeats: it says how fast this machine is, and how quiet it was. Memory is that of the whole
process tree, looked at every tenth of a second: `shared once` counts a page that several processes
map once (PSS), as the machine does; `summed` adds up what each has resident (RSS).
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STUDY = ROOT / "studies" / "curse_of_multilinguality.yaml"
HELP_SECONDS, REPEAT_SECONDS, SMOKE_SECONDS, SMOKE_GIB = 0.5, 3.0, 60.0, 2.0
_LOOK = 0.1


@dataclass(kw_only=True)
class Measured:
    """One command: wall time, CPU seconds of the tree, and its peak memory in bytes."""

    seconds: float
    cpu_seconds: float
    pss: int
    rss: int


def measure(*command: object, look: bool = False) -> Measured:
    """Runs a Python command in a session of its own; `look` samples its memory as well."""
    before = os.times()
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        pss = rss = 0
        while look and process.poll() is None:
            now = _memory(process.pid)
            pss, rss = max(pss, now[0]), max(rss, now[1])
            time.sleep(_LOOK)
        status = process.wait()
        seconds = time.perf_counter() - began
        if status != 0:
            output.seek(0)
            sys.exit(f"{command} ended with {status}:\n{output.read().decode()[-2000:]}")
    after = os.times()
    cpu = after.children_user + after.children_system
    return Measured(
        seconds=seconds,
        cpu_seconds=cpu - before.children_user - before.children_system,
        pss=pss,
        rss=rss,
    )


def _memory(session: int) -> tuple[int, int]:
    """PSS and RSS, in bytes, of the processes of a session."""
    pss = rss = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[3]) != session:
                continue
            for line in (folder / "smaps_rollup").read_text().splitlines():
                name, *value = line.split()
                pss += int(value[0]) * 1024 if name == "Pss:" else 0
                rss += int(value[0]) * 1024 if name == "Rss:" else 0
        except OSError:
            continue  # it ended while we looked
    return pss, rss


def _row(what: str, value: float, limit: float | None, unit: str) -> str:
    bound = "" if limit is None else f"{limit:7.1f} {unit:<4}{value / limit:6.2f}"
    return f"{what:<44}{value:8.2f} {unit:<4}{bound}".rstrip()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Measures daily commands.")
    parser.add_argument("--repeats", type=int, default=5, help="of the short commands (5)")
    parser.add_argument("--workers", type=int, default=2, help="of the smoke study (2)")
    parser.add_argument("--store", type=Path, help="an empty folder (a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        store = options.store or Path(temporary) / "runs"
        run: list[object] = ["-m", "grid", "run", STUDY, "--scale", "smoke", "--store", store]
        run += ["--workers", options.workers]
        load = os.getloadavg()[0]
        smoke = measure(*run, look=True)
        empty, help_, again = [], [], []
        for _ in range(options.repeats):
            empty.append(measure("-c", "").seconds)
            help_.append(measure("-m", "grid", "--help").seconds)
            again.append(measure(*run).seconds)
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    print(f"{time.strftime('%Y-%m-%d')}, commit {revision}, Python {platform.python_version()}")
    print(f"{os.cpu_count()} cores, load {load:.2f} before it began, {options.workers} workers\n")
    print(f"{'what':<44}{'measured':>13}{'limit':>7}{'ratio':>11}")
    print(_row("an empty Python", statistics.median(empty), None, "s"))
    print(_row("grid --help", statistics.median(help_), HELP_SECONDS, "s"))
    print(_row("the smoke study again", statistics.median(again), REPEAT_SECONDS, "s"))
    print(_row("the smoke study", smoke.seconds, SMOKE_SECONDS, "s"))
    print(_row("  CPU time of its processes", smoke.cpu_seconds, None, "s"))
    print(_row("  peak memory, shared pages once", smoke.pss / 2**30, SMOKE_GIB, "GiB"))
    print(_row("  peak memory, summed", smoke.rss / 2**30, None, "GiB"))


if __name__ == "__main__":
    main()
