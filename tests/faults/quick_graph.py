"""A graph of tiny stages and nothing around it: the store and the launcher, at a third of the time.

`python -m tests.faults.quick_graph` runs it in the working folder.
"""

import sys
from pathlib import Path

from grid.errors import StoreError
from grid.execution import ExecutionConfig
from grid.launch.local import run as launch
from grid.store import Store
from tests.faults.campaign import Bench, Command, contents, replace, run
from tests.grid.tiny_stages import graph, stage


def bench(folder: Path) -> Bench:
    """The graph in `folder`/place, and beside it the store that a failed run has left."""
    line = [sys.executable, "-m", "tests.faults.quick_graph"]
    made = Bench(
        folder=folder / "place",
        commands=[
            Command(name="launch", line=line, store=None, mended=False),
            Command(name="launch again", line=line, store=folder / "failed"),
        ],
        again=line,
        expected={},
    )
    made.folder.mkdir(parents=True)
    for store, mended in (("failed", False), ("finished", True)):
        made.mend(mended)
        result = run(made.folder, line)
        assert result.returncode == (not mended), result.stdout
        replace(folder / store, made.store)
    made.expected.update(contents(folder / "finished"))
    return made


def main() -> int:
    """Runs what is missing, two stages at a time. Status 1: a stage has failed, 2: the store."""
    place = Path.cwd()
    first, second = stage("first", value=1), stage("second", does="slow", takes=0.05, value=2)
    wrong = stage("wrong", first, second, does="crash", fixed_by=str(place / "mended"), value=4)
    last = stage("last", wrong, second, value=8)
    store = Store(place / "disk" / "runs")
    made = graph(first, second, wrong, last)
    try:
        report = launch(made, store, execution=ExecutionConfig(workers=2))
    except StoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
