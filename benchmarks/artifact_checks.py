"""What it costs to read no wrong artifact: the checks before a run and before each stage.

    python benchmarks/artifact_checks.py STORE

STORE is a finished store, which is copied. Prints a table on standard output, in seconds of the
processor, which other work on the machine hardly changes: for a look at the times of every
artifact's files, as before each run; for reading every byte, as after a copy; and both for the
inputs of every stage. The last column is their share of what the stages themselves took, as their
attempts have written it down.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from grid import artifact
from grid.artifact import check
from grid.graph import StageId
from grid.store import Store
from grid.verify import identity, places

ROUNDS = 5


def seconds(work: Callable[[], None]) -> float:
    """The fastest of the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def main() -> None:
    """The command `python benchmarks/artifact_checks.py`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("store", type=Path)
    options = parser.parse_args()
    artifact.RESOLUTION = 0
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(options.store / "artifacts", Path(folder) / "artifacts")
        store = Store(folder)
        ids = [identity(place) for place in places(store.root)]
        manifests = [store.manifest(*id) for id in ids]
        inputs = [tuple(id) for each in ids for id in store.config(*each)["inputs"].values()]
        total = sum(file["bytes"] for each in manifests for file in each["files"].values())
        outcomes = options.store.glob("attempts/*/*/*/outcome.json")
        work = sum(json.loads(each.read_text())["cpu_seconds"] for each in outcomes)

        def look(every: list[StageId], known: bool) -> None:
            for id in every:
                place = store.path(*id)
                if not known:
                    (place / "manifest.json").touch()
                    (place / "config.json").touch()
                check(place, id)

        print(f"{len(ids)} artifacts, {total / 1e6:.1f} MB, read {len(inputs)} times as inputs")
        print(f"{work:.1f} s of the processor for the stages\n")
        print("| | s | ms an artifact | of the work |")
        print("|---|---|---|---|")
        for name, every in (("before a run", ids), ("before the stages", inputs)):
            for known in (True, False):
                took = seconds(lambda every=every, known=known: look(every, known))
                what = "times looked at" if known else "every byte read"
                share = took / work
                print(
                    f"| {name}, {what} | {took:.3f} | {1e3 * took / len(every):.2f} | {share:.2%} |"
                )
        block = bytes(1 << 26)
        took = seconds(lambda: artifact._sha256(block))
        print(f"\nSHA-256: {len(block) / took / 1e9:.2f} GB/s")


if __name__ == "__main__":
    main()
