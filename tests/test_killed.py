"""A study that is killed at random moments ends with the same bytes as one that is left alone.

The whole process group is ended by SIGKILL, ten times, and started again each time. The undisturbed
run keeps the default interval between checkpoints, so that it shows too that saving changes
nothing. To repeat the moments of a failure: GRID_TEST_SEED=N, with the seed that it printed.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from tests.grid.processes import ROOT, living, wait_for

KILLS = 10
ROUNDS = 25
STUDY = """\
title: Every stage
cell:
  corpus: {synthetic: {size: 40_000, smallest: 20_000, concepts: 60}}
  tokenizer: {vocab_size: 140, sample_bytes: 60_000, character_coverage: 0.98}
  encoder: {layers: 1, width: 16, heads: 2, norm: pre, max_positions: 64}
  pretraining: {updates: 250, batch_size: 16, sequence_length: 32, learning_rate: 1e-2,
                precision: fp32}
  evaluation: {languages: [en, sw], max_bytes: 600, passes: 2}
  tasks:
    xnli: {train_examples: 600, test_examples: 60, max_length: 64, epochs: 1, learning_rate: 1e-3,
           precision: fp32}
axes:
  - name: count
    product: {languages: [[en, sw], [de, en, sw]]}
"""
STAGES = {"corpus", "tokenizer", "shards", "pretraining", "evaluation", "task", "finetuning"}


class Run:
    """The study in a store of its own, as often as it takes."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.store = folder / name
        self.temporary = folder / f"tmp-{name}"
        self.temporary.mkdir()

    def start(self, *overrides: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "grid", "run", "all.yaml", *overrides]
        with (self.folder / f"{self.store.name}.log").open("a") as log:
            return subprocess.Popen(
                [*command, "--store", str(self.store), "--workers", "2"],
                cwd=self.folder,
                env=os.environ
                | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(self.temporary)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.wait(timeout=300) == 0, self.said()

    def said(self) -> str:
        return (self.folder / f"{self.store.name}.log").read_text()

    def frame(self) -> pl.DataFrame:
        return pl.read_parquet(self.store / "studies" / "all" / "laptop" / "results.parquet")

    def payloads(self) -> dict[str, dict[str, str]]:
        """Checksums, computed anew, of every file of every artifact but its manifest."""
        return {
            f"{folder.parent.parent.name} {folder.name}": {
                path.relative_to(folder).as_posix(): _sha256(path)
                for path in sorted(folder.rglob("*"))
                if path.is_file() and path.name != "manifest.json"
            }
            for folder in (self.store / "artifacts").glob("*/*/*")
        }

    def first_steps(self, stage: str) -> list[int]:
        """The step from which each attempt at a stage went on."""
        files = sorted((self.store / "attempts" / stage).glob("*/*/progress.jsonl"))
        lines = [path.read_text().partition("\n")[0] for path in files]
        return [int(json.loads(line)["step"]) for line in lines if line.endswith("}")]

    def leftovers(self) -> list[Path]:
        """What should have been removed: resumable state, leases, temporary files."""
        return [*self.store.rglob(".*"), *(self.store / "work").glob("*/*")]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _exact(frame: pl.DataFrame) -> list[str]:
    """Each row with every digit of its floats."""
    return [repr(row) for row in frame.rows()]


def _same(run: Run, undisturbed: Run) -> None:
    frame, expected = run.frame(), undisturbed.frame()
    assert frame.schema == expected.schema
    assert _exact(frame) == _exact(expected)
    assert run.payloads() == undisturbed.payloads()
    assert run.leftovers() == [], "nothing is left of what was under way"


@pytest.mark.slow
def test_ten_kills_change_no_bit(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(STUDY)
    undisturbed = Run(tmp_path, "undisturbed")
    began, clock = time.monotonic(), time.time()
    undisturbed.finish(undisturbed.start())
    whole = time.monotonic() - began
    assert {name.split()[0] for name in undisturbed.payloads()} == STAGES
    assert undisturbed.leftovers() == []
    assert set(undisturbed.first_steps("pretraining")) == {0}
    started = min(
        json.loads(path.read_text().partition("\n")[0])["time"]
        for path in (undisturbed.store / "attempts" / "pretraining").rglob("progress.jsonl")
    )
    # Long enough for some training after the imports, and short enough for ten kills in one run.
    latest = (started - clock) + (whole - (started - clock)) / 4
    seed = int(os.environ.get("GRID_TEST_SEED", random.SystemRandom().randrange(10**6)))
    draw = random.Random(seed)
    print(f"seed {seed}: undisturbed {whole:.1f} s, moments from 0.2 to {latest:.1f} s")

    run = Run(tmp_path, "killed")
    kills, resumed = 0, 0
    finished: list[Run] = []
    for number in range(ROUNDS):
        moment = draw.uniform(0.2, latest)
        process = run.start("execution.checkpoint_seconds=0.2")
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            wait_for(lambda group=process.pid: not living(group))  # type: ignore[misc]
            kills += 1
        else:  # faster than it was undisturbed: the rest of the kills meet a store of its own
            assert process.returncode == 0, run.said()
            finished.append(run)
            run = Run(tmp_path, f"killed-{number}")
        artifacts = len(list((run.store / "artifacts").glob("*/*/*/manifest.json")))
        steps = run.first_steps("pretraining")
        resumed = sum(
            step > 0 for each in [*finished, run] for step in each.first_steps("pretraining")
        )
        print(f"after {moment:.2f} s: {artifacts} artifacts, pretraining began at {steps}")
        if kills >= KILLS and resumed:
            break
    run.finish(run.start("execution.checkpoint_seconds=0.2"))
    finished.append(run)
    print(f"{kills} kills, {len(finished)} stores, {resumed} attempts resumed from a checkpoint")
    assert kills >= KILLS
    assert resumed, "at least one attempt went on from a checkpoint"
    for each in finished:
        _same(each, undisturbed)
        print(f"left in TMPDIR: {sorted(path.name for path in each.temporary.iterdir())}")
