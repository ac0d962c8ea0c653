"""A finished study of every kind of stage is damaged in every way; the next run mends it.

To repeat the draws of a failure: GRID_TEST_SEED=N, with the seed that it printed.
"""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import grid
from grid.graph import TO_RUN
from grid.store import Store
from grid.verify import identity, verify_store
from tests.corruption import KINDS, fill, spoil, unnoticed
from tests.grid.processes import ROOT
from tests.test_killed import Run, _same

SINGLE = 44


def said(run: Run, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "grid", *words, "--store", str(run.store)],
        cwd=run.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_damage_to_real_artifacts_is_found_told_and_mended(tmp_path: Path) -> None:
    seed = int(os.environ.get("GRID_TEST_SEED", random.SystemRandom().randrange(10**6)))
    draw = random.Random(seed)
    print(f"seed {seed}")
    whole = fill(tmp_path)
    for number in range(SINGLE):
        shutil.copytree(whole.store, tmp_path / "one")
        spoilt = spoil(tmp_path / "one", KINDS[number % len(KINDS)], draw)
        assert list(unnoticed(Store(tmp_path / "one"), spoilt)) == []
        shutil.rmtree(tmp_path / "one")

    damaged = Run(tmp_path, "damaged")
    shutil.copytree(whole.store, damaged.store)
    spared: set[Path] = set()
    lost: set[Path] = set()
    for kind in draw.sample(KINDS, 5):
        spoilt = spoil(damaged.store, kind, draw, spared)
        spared |= spoilt.places
        lost |= spoilt.artifacts
        print(kind, spoilt.told)
    told = said(damaged, "verify")
    assert told.returncode == 1
    _, found = verify_store(Store(damaged.store))
    assert set(found) == spared
    for place in found:
        assert str(place) in told.stdout
    study = grid.load(tmp_path / "all.yaml", store=damaged.store)
    graph = study.graph()
    for cell, roles in graph.cells.items():
        if {identity(place) for place in lost} & set(roles.values()):
            assert cell in told.stdout
    expected = wanted_without(lost, damaged, tmp_path / "without")
    before = attempts(damaged)
    again = said(damaged, "run", "all.yaml")
    assert again.returncode == 0, again.stderr
    assert f"{len(expected)} stages run, " in again.stderr
    assert attempts(damaged) - before == {f"{stage}/{key}" for stage, key in expected}
    for place in lost:
        assert f"damaged: {' '.join(identity(place))}: " in again.stderr
    for place in spared:  # copies where nothing is looked for
        if place.exists() and place != Store(damaged.store).path(*identity(place)):
            shutil.rmtree(place)
    assert said(damaged, "verify").returncode == 0
    present = damaged.payloads()
    assert present.items() <= whole.payloads().items()
    shutil.rmtree(whole.store / "attempts")
    for name in set(whole.payloads()) - set(present):  # nothing needed it any more
        stage, key = name.split()
        shutil.rmtree(Store(whole.store).path(stage, key))
    _same(damaged, whole)


def wanted_without(lost: set[Path], run: Run, copy: Path) -> set[tuple[str, str]]:
    """What a study has to compute if these artifacts are not there."""
    shutil.copytree(run.store, copy)
    for place in lost:
        gone = copy / place.relative_to(run.store)
        shutil.rmtree(gone, ignore_errors=True)
        gone.unlink(missing_ok=True)
    graph = grid.load(run.folder / "all.yaml", store=copy).graph()
    states = graph.states(Store(copy))
    return {id for id, state in states.items() if state == TO_RUN}


def attempts(run: Run) -> set[str]:
    """Stages that have been tried more than once."""
    return {
        path.parent.relative_to(run.store / "attempts").as_posix()
        for path in run.store.glob("attempts/*/*/2")
    }
