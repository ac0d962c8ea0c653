"""A large study: what a command asks of the file system is so much for each cell, and no more."""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import grid
from grid import prune
from grid.artifact import RESOLUTION, settle
from grid.overview import Overview
from grid.studies import Studies
from grid.study import Study
from grid.verify import places, verify_store
from tests.grid.finished_store import fill

STUDY = """\
cell:
  languages: [en, sw]
  encoder: {{layers: 1, width: 8, heads: 2}}
  tasks: {{xnli: {{}}}}
axes:
  - {{name: sweep, product: {{pretraining.updates: {{range: [1, {updates}]}}}}}}
replicates: {{seed: [1, 2, 3, 4]}}
"""
SMALL, LARGE = 20, 200
"""Cells. Each has three stages of its own: pretraining, evaluation and fine-tuning."""


class Calls:
    """Counts the calls to the file system that Python makes while it is on; opens in the store."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.on = False
        self.store = ""
        sys.addaudithook(self._audit)  # for good, so there is only one

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        # Python itself may open a file of its own at any time; a number is open already.
        if event == "open" and str(arguments[0]).startswith(self.store):
            self.made["open"] += 1
        elif event in ("os.scandir", "os.listdir"):
            self.made["list"] += 1

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A call that no audit event tells of."""

        def made(*arguments: Any, **options: Any) -> Any:
            self.made["stat"] += self.on
            return call(*arguments, **options)

        return made

    def of(self, command: Callable[[Study], object], study: Study) -> Counter[str]:
        self.store = str(study.open_store().root)
        self.made, self.on = Counter(), True
        try:
            command(study)
        finally:
            self.on = False
        return self.made


@pytest.fixture(scope="module")
def calls() -> Calls:
    return Calls()


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[Study]:
    """A small and a large study, each finished in a store of its own."""
    found = []
    for cells in (SMALL, LARGE):
        folder = tmp_path_factory.mktemp(str(cells))
        path = folder / "sweep.yaml"
        path.write_text(STUDY.format(updates=cells // 4), encoding="utf-8")
        study = grid.load(path, store=folder / "runs")
        assert len(study.cells) == cells
        fill(study.open_store(), study.graph(), age=30 * 86400.0)
        for place in places(study.open_store().root):
            settle(place, time.time_ns() + 2 * RESOLUTION)  # however fast they were written
        assert study.run().ok
        found.append(study)
    return found


def _status(study: Study) -> None:
    overview = Overview(Studies(studies=(study,)))
    assert overview.look().counts.keys() == {"done"}
    assert overview.planned


def _prune(study: Study) -> None:
    store = study.open_store()
    assert prune.survey(store, prune.studies(store)[0], keep_days=7).removable


def _verify(study: Study) -> None:
    whole, damaged = verify_store(study.open_store(), quick=True)
    assert len(whole) == len(study.graph().stages) and not damaged


COMMANDS: dict[str, tuple[Callable[[Study], object], dict[str, float]]] = {
    # Of a cell: exposure, curve and two files of scores. Artifacts are found with one listing for
    # each kind of stage and beginning of a key, of which there are 256 at most.
    # What is read is compared with its manifest, of which there are three; a run looks at every
    # artifact first.
    "run": (lambda study: study.run(), {"open": 11, "stat": 23, "list": 10}),
    "results": (lambda study: study.results(), {"open": 7, "stat": 4, "list": 3}),
    # The attempts at its stages are listed, and their outcomes read.
    "status": (_status, {"open": 4, "stat": 0, "list": 6}),
    # Each folder is listed once: artifact, attempts, attempt; a file is looked at as an entry.
    "prune": (_prune, {"open": 0, "stat": 6, "list": 12}),
    # Manifests are read. Folders that are listed are links or not.
    "verify --quick": (_verify, {"open": 3, "stat": 10, "list": 6}),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_calls_grow_by_so_many_a_cell(
    name: str, calls: Calls, studies: list[Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, most = COMMANDS[name]
    for function in ("stat", "lstat"):
        monkeypatch.setattr(os, function, calls.counted(getattr(os, function)))
    small, large = (calls.of(command, study) for study in studies)
    each = {kind: (large[kind] - small[kind]) / (LARGE - SMALL) for kind in most}
    assert all(each[kind] <= bound for kind, bound in most.items()), each


def test_what_is_filled_in_is_whole(studies: list[Study]) -> None:
    """What the counts, and the benchmarks, rest on: artifacts as a run leaves them."""
    small = studies[0]
    whole, damaged = verify_store(small.open_store())
    assert len(whole) == len(small.graph().stages) and not damaged
    assert Path(small.folder / "results.parquet").is_file()
