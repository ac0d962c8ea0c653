"""A study that is killed at random moments ends with the same bytes as one that is left alone.

The whole process group is ended by SIGKILL, ten times, and started again each time: a random while
after the start, or after a stage drawn at random is seen to go on, for a run may spend most of its
time on imports, and how much differs by machine. The undisturbed run keeps the default interval
between checkpoints, so that it shows too that saving changes nothing. To repeat the draws of a
failure: GRID_TEST_SEED=N, with the seed that it printed.
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
AWAITED = ["", "", "shards", "pretraining", "evaluation", "finetuning"]
"""What a kill waits for; "" for nothing."""
PATIENCE = 60.0
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

    def done(self, stage: str) -> int:
        """Something that changes whenever the stage gets on: its checkpoints for pretraining, for
        any other what its attempts have written."""
        if stage == "pretraining":
            pattern = "work/pretraining/*/checkpoints/*[0-9]"
            return hash(frozenset(self.store.glob(pattern)))
        return len(list(self.store.glob(f"attempts/{stage}/*/*/job.json")))

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


def _kill(run: Run, awaited: str, delay: float) -> bool:
    """Starts the study and kills its group `delay` seconds after it, or after the awaited stage has
    done something. False if the study ended before that: then its store is complete."""
    before = run.done(awaited)
    process = run.start("execution.checkpoint_seconds=0.1")
    limit = time.monotonic() + PATIENCE
    while awaited and process.poll() is None and run.done(awaited) == before:
        assert time.monotonic() < limit, f"{awaited} did nothing: {run.said()}"
        time.sleep(0.005)
    try:
        process.wait(timeout=delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        wait_for(lambda: not living(process.pid))
        return True
    assert process.returncode == 0, run.said()
    return False


@pytest.mark.slow
def test_ten_kills_change_no_bit(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(STUDY)
    undisturbed = Run(tmp_path, "undisturbed")
    began = time.monotonic()
    undisturbed.finish(undisturbed.start())
    whole = time.monotonic() - began
    assert {name.split()[0] for name in undisturbed.payloads()} == STAGES
    assert undisturbed.leftovers() == []
    assert set(undisturbed.first_steps("pretraining")) == {0}
    seed = int(os.environ.get("GRID_TEST_SEED", random.SystemRandom().randrange(10**6)))
    draw = random.Random(seed)
    print(f"seed {seed}: undisturbed {whole:.1f} s")

    runs = [Run(tmp_path, "killed")]
    kills = 0
    while kills < KILLS:
        # The first two see a checkpoint, so that at least one pretraining goes on from one.
        awaited = "pretraining" if kills < 2 else draw.choice(AWAITED)
        delay = draw.uniform(0, 0.2) if awaited else draw.uniform(0.2, whole / 2)
        run = runs[-1]
        killed = _kill(run, awaited, delay)
        artifacts = len(list((run.store / "artifacts").glob("*/*/*/manifest.json")))
        print(
            f"{awaited or 'start'} + {delay:.2f} s: {'killed' if killed else 'ended'},"
            f" {artifacts} artifacts, pretraining began at {run.first_steps('pretraining')}"
        )
        kills += killed
        if not killed:  # the rest of the kills meet a store of its own
            runs.append(Run(tmp_path, f"killed-{len(runs)}"))
    runs[-1].finish(runs[-1].start("execution.checkpoint_seconds=0.1"))
    resumed = [step for run in runs for step in run.first_steps("pretraining") if step > 0]
    print(f"{kills} kills, {len(runs)} stores, pretraining resumed at {resumed}")
    assert resumed, "at least one attempt went on from a checkpoint"
    for run in runs:
        _same(run, undisturbed)
        print(f"left in TMPDIR: {sorted(path.name for path in run.temporary.iterdir())}")
