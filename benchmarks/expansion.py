"""Speed of expansion: a study's cells read, typed, checked and keyed, beside hydra-core's compose.

Each of our figures is a whole process, from the start of Python to the keys of every stage. Hydra
needs another OmegaConf than ours, so its interpreter is named; only its `compose` is timed, not its
start.

    python benchmarks/expansion.py [HYDRA_PYTHON] [--sizes 10000 100000]

    python -m venv hydra && hydra/bin/pip install hydra-core    # for HYDRA_PYTHON
"""

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from model.config import CellConfig
from model.task_config import TaskConfig

ROOT = Path(__file__).parents[1]
SETS = ("xlm-7", "xlm-15", "xlm-30", "xlm-60", "xlm-100")
ALPHAS = tuple(round(0.05 * step, 2) for step in range(20))
COMPOSED = 400

LOAD = "import grid, sys; study = grid.load(sys.argv[1]); assert len(study.cells) == {cells}"
KEYS = LOAD + "; graph = study.graph(); assert len(graph.cells) == {cells}"
HYDRA = """
import sys, time
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

count, alphas = int(sys.argv[2]), [float(text) for text in sys.argv[3].split(",")]
sweep = [
    [f"languages={name}", f"sampling.alpha={alpha}", f"pretraining.updates={updates}"]
    for name in sys.argv[4].split(",")
    for alpha in alphas
    for updates in range(1, 101)
]
with initialize_config_dir(sys.argv[1], version_base=None):
    compose("cell", sweep[0])  # what it does once
    start = time.process_time()
    for overrides in sweep[:: len(sweep) // count][:count]:
        OmegaConf.to_container(compose("cell", overrides), resolve=True)
    print((time.process_time() - start) / count)
"""


def study(cells: int) -> str:
    """A product of five language sets, twenty exponents, and as many updates as it takes."""
    updates = cells // (len(SETS) * len(ALPHAS))
    axes = {
        "languages": list(SETS),
        "sampling.alpha": list(ALPHAS),
        "pretraining.updates": {"range": [1, updates]},
    }
    block = {"name": "sweep", "product": axes}
    return yaml.safe_dump(
        {"cell": {"languages": "xlm-100", "tasks": {"xnli": {}}}, "axes": [block]}
    )


def measured(program: str, *arguments: str) -> tuple[float, float, float]:
    """Seconds of CPU, seconds by the clock, and MB of memory at most, of a whole process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"ended with {process.returncode}: {program}")
    seconds = time.perf_counter() - start
    return usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss / 1024


def hydra_seconds(interpreter: str, folder: Path) -> float:
    """CPU seconds that hydra-core takes to compose one cell of the same sweep."""
    config = dataclasses.asdict(CellConfig(languages=["en"], tasks={"xnli": TaskConfig()}))
    (folder / "cell.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    arguments = [str(folder), str(COMPOSED), ",".join(map(str, ALPHAS)), ",".join(SETS)]
    done = subprocess.run(
        [interpreter, "-c", HYDRA, *arguments], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hydra", nargs="?", help="a Python that has hydra-core")
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000])
    options = parser.parse_args()
    per_cell = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| | cells | CPU, s | clock, s | memory, MB | CPU a cell, ms |")
        print("|---|---|---|---|---|---|")
        for cells in options.sizes:
            file = folder / f"{cells}.yaml"
            file.write_text(study(cells), encoding="utf-8")
            for what, program in (("cells keyed", LOAD), ("and their stages keyed", KEYS)):
                cpu, clock, memory = measured(program.format(cells=cells), str(file))
                each = per_cell[what, cells] = cpu / cells
                row = f"{cpu:.2f} | {clock:.2f} | {memory:.0f} | {1000 * each:.3f}"
                print(f"| {what} | {cells:,} | {row} |", flush=True)
        if options.hydra:
            composed = hydra_seconds(options.hydra, folder)
            print(f"| hydra-core's compose | {COMPOSED} | | | | {1000 * composed:.3f} |\n")
            for (what, cells), each in per_cell.items():
                print(f"{what}, {cells:,} cells: {composed / each:.0f} times as fast a cell")


if __name__ == "__main__":
    main()
