"""What one GPU does with the encoder and a study: all of it in one command and under ten minutes.

`PYTHONPATH=FOLDER_OF_ACCELERATE python benchmarks/gpu.py [--text DIR --language-sets FILE]` prints
a page in Markdown; what it prints in between, on the other stream, is progress.

1. Pretraining beside Trainer, model FLOPs utilisation and memory (benchmarks/pretraining.py).
2. Where the distance to the peak lies: the GPU's time by operation (benchmarks/step_profile.py).
3. Batches of a GPU's size, made by one core of the host (as in benchmarks/batches.py).
4. The curse study at scale `gpu` on the text in DIR, which is in CC-100's layout, at a part of its
   updates: the seconds of each stage of pretraining, and bits per byte.

Each part is a process of its own. A part that fails, or for which no time is left, says so in its
place, and the others follow. `--device cpu` goes through the same parts at a CPU's sizes.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LIMIT = 570.0
"""Seconds for all parts."""
STUDY = ROOT / "studies" / "curse_of_multilinguality.yaml"
BATCH, LENGTH = 512, 512
"""Of the batches that are timed; the published ones have 8,192 sequences."""


def lines_of(title: str, command: list[str], left: float) -> Iterator[str]:
    """A part of the page: what a command prints, or why it did not."""
    yield f"\n## {title}\n"
    if left < 20:
        yield f"Not run: {left:.0f} of {LIMIT:.0f} seconds were left."
        return
    began = time.monotonic()
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that what it started can be ended with it
    )
    try:
        printed, _ = process.communicate(timeout=left)
    except subprocess.TimeoutExpired:
        yield end(process)
        yield f"Ended after {left:.0f} seconds, when the time was up."
        return
    yield printed.strip()
    if process.returncode:
        yield f"\nFailed with status {process.returncode}."
    yield f"\n({time.monotonic() - began:.0f} s)"


def end(process: "subprocess.Popen[str]") -> str:
    """Ends a part and all that it has started, for it would disturb the next. What it printed."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        return process.communicate(timeout=10)[0].strip()
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0].strip()


def head(device: str) -> Iterator[str]:
    """Hardware and versions."""
    import torch

    yield f"# On a GPU, {datetime.now(UTC):%d %B %Y}\n"
    yield f"`python {' '.join(['benchmarks/gpu.py', *sys.argv[1:]])}`"
    card = torch.cuda.get_device_name() if device != "cpu" else "no GPU: a trial of the script"
    yield (
        f"Python {sys.version.split()[0]}, torch {torch.__version__}, CUDA {torch.version.cuda}, "
        f"DeepSpeed {version('deepspeed')}, {card}, {os.cpu_count()} cores."
    )


def batches() -> None:
    """Prints how fast one core makes batches."""
    import batches as made

    with tempfile.TemporaryDirectory() as folder:
        source = made.our_batches(made.write_shards(Path(folder)), BATCH, LENGTH, words=True)
        source.batch(0)
        count, began = 20, time.process_time()
        for step in range(count):
            source.batch(step)
        seconds = (time.process_time() - began) / count
    print(
        f"{BATCH} sequences of {LENGTH}, whole words masked: {1000 * seconds:.2f} ms of a core, "
        f"{BATCH * LENGTH / seconds / 1e6:.1f} M tokens a second."
    )


def study(options: argparse.Namespace) -> None:
    """Runs the study's first block on real text, and prints what it took and what came of it."""
    scale = "gpu" if options.device != "cpu" else "smoke"
    settings = [
        "blocks=[fixed width]",
        "replicates.seed=[1]",
        "cell.tasks.xnli=null",
        f"cell.pretraining.updates={options.updates}",
        "cell.corpus.source=cc100",
        f"locations.cc100={options.text}",
        f"execution.device={options.device}",
    ]
    if options.language_sets:
        settings.append(f"language_sets={options.language_sets}")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "grid", "run", str(STUDY), *settings]
        command += ["--scale", scale, "--store", folder]
        subprocess.run(command, stdout=sys.stderr, check=True)
        shown(Path(folder))


def shown(store: Path) -> None:
    """Prints what the stages of pretraining took, and bits per byte by number of languages."""
    import json

    import polars as pl

    print("| pretraining | seconds | tokens/s, start and end included |\n|---|---|---|")
    for path in sorted(store.glob("artifacts/pretraining/*/*/manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        tokens = json.loads((path.parent / "exposure.json").read_text(encoding="utf-8"))["tokens"]
        wall, name = manifest["wall_seconds"], path.parent.name.rpartition("-")[0]
        print(f"| {name} | {wall:.0f} | {tokens / wall:,.0f} |")
    (results,) = store.glob("studies/*/*/results.parquet")
    scores = pl.read_parquet(results).filter(
        pl.col("metric").is_in(["bits_per_byte", "unigram_bits_per_byte"])
    )
    means = scores.pivot("metric", index="n_languages", values="value", aggregate_function="mean")
    print(
        "\n| languages | bits per byte, mean of the seven | own-language unigram |\n|---|---|---|"
    )
    for row in means.sort("n_languages").iter_rows(named=True):
        print(
            f"| {row['n_languages']} | {row['bits_per_byte']:.3f} "
            f"| {row['unigram_bits_per_byte']:.3f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--text", type=Path, help="a folder in CC-100's layout; without it, no study"
    )
    parser.add_argument("--language-sets", type=Path, help="a JSON file of sets of languages")
    parser.add_argument(
        "--updates", type=int, default=1000, help="of each cell of the study (1000)"
    )
    parser.add_argument("--part", choices=("batches", "study"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "batches":
        return batches()
    if options.part == "study":
        return study(options)
    device = ["--device", options.device]
    beside, alone = (
        ["Base, V=250,002", "Base, V=32,000"],
        ["Large, V=250,002", "XL, 6 of 36 layers"],
    )
    if options.device == "cpu":
        beside, alone = ["tiny"], ["small"]
    pretraining = ["benchmarks/pretraining.py", *device, "--turns", "1"]
    parts = [
        ("Pretraining beside Trainer", [*pretraining, *beside], 240),
        ("Larger models", [*pretraining, *alone, "--sides", "ours"], 90),
        ("Where the time goes", ["benchmarks/step_profile.py", *device, *beside, *alone], 80),
        ("Batches", ["benchmarks/gpu.py", "--part", "batches"], 40),
    ]
    if options.text:
        title = f"The curse study on real text, {options.updates} updates"
        parts.append((title, ["benchmarks/gpu.py", "--part", "study", *sys.argv[1:]], 300))
    limit = time.monotonic() + LIMIT
    print("\n".join(head(options.device)), flush=True)
    for title, command, seconds in parts:
        left = min(seconds, limit - time.monotonic())
        print("\n".join(lines_of(title, command, left)), flush=True)
    return None


if __name__ == "__main__":
    main()
