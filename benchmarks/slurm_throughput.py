"""Short cells a second on Slurm: this project's jobs beside a plain `sbatch --array`.

Each cell is one start of Python, which writes one number: a command stage of a study. The plain
array starts the same program with the same configuration once an element, as one would by hand; it
keeps no lease, log or checksum. Both run on a test cluster of this machine with one CPU for each of
its cores, from the call of sbatch, or of `run`, until the queue is empty.

    python benchmarks/slurm_throughput.py [--cells 500]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.cluster.daemons import Cluster  # noqa: E402  # not installed: it is of the tests

STUDY = """\
title: Short cells
cell:
  languages: [en]
  corpus: {{synthetic: {{size: 20_000, smallest: 20_000, concepts: 60}}}}
  tokenizer: {{vocab_size: 80, sample_bytes: 20_000, character_coverage: 0.98}}
  commands:
    mine: {{takes: [tokenizer], replaces_pretraining: true, settings: {{rate: 1}}}}
axes:
  - name: rates
    product: {{commands.mine.settings.rate: {{range: [1, {cells}]}}}}
scales:
  small: {{}}
"""
SITE = """\
commands:
  mine: {{run: ["{python}", "{program}", "{{config}}"], version: 1, seconds: 0.1}}
execution:
  slurm: {{memory_gb: 0.5}}
"""
PROGRAM = """\
import json, pathlib, sys

config = json.loads(pathlib.Path(sys.argv[1]).read_text())
score = {"metric": "rate", "value": config["settings"]["rate"]}
pathlib.Path(config["output"], "metrics.json").write_text(json.dumps([score]))
"""
PLAIN = """\
#!/bin/bash
mkdir $SLURM_ARRAY_TASK_ID
echo '{"settings": {"rate": '$SLURM_ARRAY_TASK_ID'}, "output": "'$SLURM_ARRAY_TASK_ID'"}' \
> $SLURM_ARRAY_TASK_ID/config.json
exec %s train.py $SLURM_ARRAY_TASK_ID/config.json
"""


def plain(cluster: Cluster, folder: Path, cells: int) -> float:
    """Seconds of a plain array."""
    (folder / "plain.sh").write_text(PLAIN % sys.executable)
    began = time.monotonic()
    cluster.call("sbatch", f"--array=1-{cells}", "--output=/dev/null", "--mem=500",
                 f"--chdir={folder}", str(folder / "plain.sh"))  # fmt: skip
    wait(cluster)
    seconds = time.monotonic() - began
    check(folder.glob("*/metrics.json"), cells)
    return seconds


def ours(cluster: Cluster, folder: Path, cells: int) -> tuple[float, float]:
    """Seconds until `run` has returned, and until all cells are done; their inputs are there."""
    (folder / "grid.yaml").write_text(
        SITE.format(python=sys.executable, program=folder / "train.py")
    )
    study = folder / "short.yaml"
    study.write_text(STUDY.format(cells=1))
    grid(cluster, folder)
    study.write_text(STUDY.format(cells=cells + 1))
    began = time.monotonic()
    grid(cluster, folder, "--launcher", "slurm")
    submitted = time.monotonic() - began
    wait(cluster)
    seconds = time.monotonic() - began
    check(folder.glob("runs/artifacts/command/*/*"), cells + 1)
    return submitted, seconds


def grid(cluster: Cluster, folder: Path, *words: str) -> None:
    """`run` on the study."""
    subprocess.run(
        [sys.executable, "-m", "grid", "run", "short.yaml", "--scale", "small", *words],
        cwd=folder,
        env={**cluster.environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def check(found: Iterable[Path], cells: int) -> None:
    """That every cell was run."""
    if (count := len(list(found))) != cells:
        raise SystemExit(f"expected {cells} cells, found {count}")


def wait(cluster: Cluster) -> None:
    """Until the queue is empty."""
    while cluster.jobs():
        time.sleep(0.2)


def main() -> None:
    """Both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=500)
    cells = parser.parse_args().cells
    os.environ["OMP_NUM_THREADS"] = "1"
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(nodes=1, cpus=os.cpu_count() or 1) as cluster,
    ):
        places = [Path(folder, name) for name in ("plain", "ours")]
        for place in places:
            place.mkdir()
            (place / "train.py").write_text(PROGRAM)
        submitted, seconds = ours(cluster, places[1], cells)
        print(
            f"ours:  {cells / seconds:.2f} cells/s, {seconds:.1f} s, submitted in {submitted:.1f} s"
        )
        alone = plain(cluster, places[0], cells)
        print(f"plain: {cells / alone:.2f} cells/s, {alone:.1f} s")
        print(f"ours are {alone / seconds:.2f} times as fast")


if __name__ == "__main__":
    main()
