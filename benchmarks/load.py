"""A large store and a large study: what each command takes, and whether time grows with the cells.

    python benchmarks/load.py [--store DIR] [--artifacts N] [--cells N] [--sizes N ...]

The store is filled as if its studies had run (tests/grid/finished_store.py), with an attempt at
each stage: above a million files and folders for 100,000 artifacts. A folder that has been filled
is used again. Prints tables in Markdown. Every figure is of a whole process, from the start of
Python; CPU seconds are user and system together, and the better of two runs is shown. System calls
are counted with strace, where it is installed, as the difference of two studies of different size.
"""

import argparse
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import grid  # noqa: E402
from tests.grid.finished_store import fill, fill_scores  # noqa: E402  # not installed

SETS = ("xlm-7", "xlm-15")
ALPHAS = tuple(round(0.05 * step, 2) for step in range(20))
SEEDS = (1, 2, 3, 4, 5)
STEP = len(SETS) * len(ALPHAS) * len(SEEDS)
"""Cells of one number of updates: studies have a multiple of it."""
STAGES = 3
"""That a cell has to itself: pretraining, evaluation and a fine-tuning on XNLI."""
OTHERS = 1001
"""The first number of updates of the study that the rest of the store belongs to."""
DAY = 86_400.0
COUNTED = (200, 1000)
"""Cells of the two studies whose system calls are counted."""

COMMANDS = (
    ("run, nothing to do", "run {study}"),
    ("status", "status {study}"),
    ("results", "results {study}"),
    ("plan", "plan {study}"),
    ("prune", "prune"),
    ("verify --quick", "verify --quick"),
)
PLAN = "import grid, sys; assert len(grid.load(sys.argv[1], store=sys.argv[2]).plan()) == {cells}"
RESULTS = (
    "import grid, sys; found = grid.load(sys.argv[1], store=sys.argv[2]).results(); "
    "assert found['cell'].n_unique() == {cells}"
)


@dataclass(kw_only=True)
class Measured:
    """A whole process: seconds of CPU and by the clock, and bytes of memory at most."""

    cpu: float
    clock: float
    memory: int


def study(file: Path, cells: int, first: int = 1) -> Path:
    """Writes a study of so many cells, whose numbers of updates begin with `first`."""
    axes = {
        "languages": list(SETS),
        "sampling.alpha": list(ALPHAS),
        "pretraining.updates": {"range": [first, first + cells // STEP - 1]},
    }
    content = {
        "cell": {"languages": "xlm-15", "tasks": {"xnli": {}}},
        "axes": [{"name": "sweep", "product": axes}],
        "replicates": {"seed": list(SEEDS)},
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def measured(*arguments: str, times: int = 2) -> Measured:
    """The better of some runs of Python with these arguments."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    found = []
    for _ in range(times):
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"ended with {process.returncode}: {' '.join(arguments)}")
        found.append(
            Measured(
                cpu=usage.ru_utime + usage.ru_stime,
                clock=time.perf_counter() - began,
                memory=usage.ru_maxrss * 1024,
            )
        )
    return min(found, key=lambda each: each.cpu)


def call(command: str, file: Path, store: Path) -> list[str]:
    """`python -m grid` with a command that may name the study."""
    words = command.format(study=file).split()
    return ["-m", "grid", *words, "--store", str(store)]


def filled(folder: Path, cells: int, artifacts: int) -> tuple[Path, Path]:
    """The study of so many cells and a store of so many artifacts; what is missing is made."""
    store = folder / "runs"
    wanted = study(folder / "load.yaml", cells)
    others = -(-(artifacts // STAGES - cells) // STEP) * STEP
    files = [wanted] + ([study(folder / "earlier.yaml", others, OTHERS)] if others > 0 else [])
    for file in files:
        apart(_fill, file, store)
        if not (store / "studies" / file.stem / "laptop" / "stages.json").is_file():
            measured(*call("run {study}", file, store), times=1)
    return wanted, store


def apart(work: Callable[[Path, Path], None], file: Path, store: Path) -> None:
    """Does it in a process of its own: what this one holds would count as its children's memory."""
    process = multiprocessing.Process(target=work, args=(file, store))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"{store} could not be filled")


def _fill(file: Path, store: Path) -> None:
    loaded = grid.load(file, store=store)
    fill(loaded.open_store(), loaded.graph(), age=30 * DAY)


def _fill_scores(file: Path, store: Path) -> None:
    loaded = grid.load(file, store=store)
    fill_scores(loaded.open_store(), loaded.graph())


def commands(folder: Path, cells: int, artifacts: int) -> None:
    """What each command takes in a large store."""
    file, store = filled(folder, cells, artifacts)
    kinds = (store / "artifacts").iterdir()
    count = sum(1 for kind in kinds for group in kind.iterdir() for _ in group.iterdir())
    print(f"{count:,} artifacts, {cells:,} cells; load {os.getloadavg()[0]:.1f}\n")
    print("| | CPU, s | clock, s | memory, GiB | CPU a cell, ms |")
    print("|---|---|---|---|---|")
    for name, command in COMMANDS:
        took = measured(*call(command, file, store))
        figures = f"{took.cpu:.1f} | {took.clock:.1f} | {took.memory / 2**30:.2f}"
        print(f"| {name} | {figures} | {1000 * took.cpu / cells:.2f} |", flush=True)
    before, began = os.times(), time.perf_counter()
    subprocess.run(["du", "-s", str(store)], stdout=subprocess.DEVNULL, check=True)  # noqa: S607
    after, clock = os.times(), time.perf_counter() - began
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    print(f"| `du -s` of the store, for comparison | {cpu:.1f} | {clock:.1f} | | |")


def calls(folder: Path) -> None:
    """System calls of each command for each further cell."""
    strace = shutil.which("strace")
    if strace is None:
        print("\nstrace is not installed: no system calls were counted")
        return
    made = [filled(_folder(folder / str(cells)), cells, cells * STAGES) for cells in COUNTED]
    print("\n| system calls a cell | open | stat | list | read and close |")
    print("|---|---|---|---|---|")
    for name, command in COMMANDS:
        found = [_counted(strace, call(command, file, store)) for file, store in made]
        each = [(b - a) / (COUNTED[1] - COUNTED[0]) for a, b in zip(*found, strict=True)]
        print(f"| {name} | {' | '.join(f'{count:.1f}' for count in each)} |", flush=True)


def _counted(strace: str, arguments: list[str]) -> list[int]:
    """How often a command opens, states, lists, and reads or closes."""
    groups = ("open|openat", ".*stat.*|statx|access|readlink", "getdents.*", "read|close|lseek")
    with tempfile.NamedTemporaryFile("r") as told:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [strace, "-f", "-c", "-U", "calls,name", "-o", told.name, sys.executable, *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        rows = [re.fullmatch(r"\s*(\d+)\s+(\w+)", line.rstrip()) for line in told]
    counts = {row[2]: int(row[1]) for row in rows if row and row[2] != "total"}
    return [
        sum(count for name, count in counts.items() if re.fullmatch(group, name))
        for group in groups
    ]


def growth(folder: Path, sizes: Sequence[int]) -> None:
    """Whether planning and collecting take time in proportion to the cells."""
    print("\n| | cells | CPU, s | clock, s | memory, GiB | CPU a cell, ms |")
    print("|---|---|---|---|---|---|")
    for cells in sizes:
        place = _folder(folder / f"scores-{cells}")
        file = study(place / "load.yaml", cells)
        apart(_fill_scores, file, place / "runs")
        for name, program in (("plan", PLAN), ("results", RESULTS)):
            took = measured("-c", program.format(cells=cells), str(file), str(place / "runs"))
            figures = f"{took.cpu:.1f} | {took.clock:.1f} | {took.memory / 2**30:.2f}"
            print(f"| {name} | {cells:,} | {figures} | {1000 * took.cpu / cells:.3f} |", flush=True)


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="where stores are made (a temporary folder)")
    parser.add_argument("--artifacts", type=int, default=100_000)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = _folder(options.store or Path(temporary))
        commands(folder, options.cells, options.artifacts)
        calls(folder)
        growth(folder, options.sizes)


if __name__ == "__main__":
    main()
