"""The commands of a study on Slurm, one after the other, as its user types them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.cluster.daemons import Cluster
from tests.grid.processes import ROOT

pytestmark = pytest.mark.cluster
STUDY = """\
title: A vocabulary for few and for many
cell:
  languages: [en, sw]
  corpus: {synthetic: {size: 12_000, smallest: 10_000, concepts: 60}}
  tokenizer: {sample_bytes: 20_000}
  encoder: {layers: 1, width: 8, heads: 2, norm: pre, max_positions: 32}
  pretraining: {updates: 3, batch_size: 2, sequence_length: 16, precision: fp32}
  evaluation: {max_bytes: 300, passes: 2}
axes:
  - name: vocabulary
    product: {tokenizer.vocab_size: [120, 5_000]}
scales:
  small: {}
"""
FIXED = "axes.vocabulary.product.tokenizer.vocab_size=[120]"


def run_grid(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "grid", *arguments, "--scale", "small"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def training(folder: Path) -> bool:
    """Whether a pretraining has reported progress."""
    files = folder.glob("runs/attempts/pretraining/*/*/progress.jsonl")
    return any(file.stat().st_size for file in files)


def elements(folder: Path) -> list[int]:
    """The processes of the elements that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        if b"grid.slurm.element" in words and any(str(folder).encode() in word for word in words):
            found.append(int(path.parent.name))
    return found


def test_run_wait_status_logs_and_cancel_of_a_study_in_which_a_tokenizer_fails(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "few.yaml").write_text(STUDY)
    sent = run_grid(tmp_path, "run", "few.yaml", "--launcher", "slurm")
    assert sent.returncode == 0, sent.stderr

    waited = run_grid(tmp_path, "wait", "few.yaml")
    assert waited.returncode == 1, waited.stderr
    (failed,) = (
        line for line in waited.stderr.splitlines() if line.startswith("failed: tokenizer ")
    )
    assert "nothing more happens by itself: 7 done, 1 failed, 4 blocked" in waited.stderr

    told = run_grid(tmp_path, "status", "few.yaml")
    assert told.returncode == 1, told.stderr
    assert "cells:  1 cached, 1 blocked" in told.stdout
    assert "failed, input: tokenizer 2-languages-5000-unigram-" in told.stdout
    assert "5000 pieces are more than the sample can fill" in told.stdout
    assert "2 shards, 1 pretraining, 1 evaluation" in told.stdout
    command = failed.rpartition("python -m grid ")[2].split()
    logs = run_grid(tmp_path, *(word for word in command if word not in ("--scale", "small")))
    assert "5000 pieces are more than the sample can fill" in logs.stdout, logs.stderr

    again = run_grid(tmp_path, "wait", "few.yaml", "--resubmit")
    assert again.returncode == 1, "what fails the same way again is not submitted"
    assert "submitted again" not in again.stderr

    done = run_grid(tmp_path, "wait", "few.yaml", FIXED)
    assert done.returncode == 0, done.stderr
    assert "all is done; python -m grid run few.yaml" in done.stderr
    results = run_grid(tmp_path, "run", "few.yaml", FIXED, "--format", "csv")
    assert results.returncode == 0, results.stderr
    assert "0 stages run, 7 found in the store" in results.stderr
    assert pl.read_parquet(next(tmp_path.rglob("results.parquet"))).height > 0


def test_wait_submits_again_what_was_killed_and_status_watches_until_the_end(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "few.yaml").write_text(STUDY.replace("updates: 3,", "updates: 2_000,"))
    sent = run_grid(tmp_path, "run", "few.yaml", FIXED, "--launcher", "slurm")
    assert sent.returncode == 0, sent.stderr
    cluster.wait_for(lambda: training(tmp_path), "training", seconds=300)
    for process in elements(tmp_path):
        os.kill(process, signal.SIGKILL)
    cluster.wait_for(lambda: not cluster.jobs(), "end of the jobs", seconds=300)
    told = run_grid(tmp_path, "status", "few.yaml", FIXED)
    assert "failed, killed: " in told.stdout, told.stdout

    done = run_grid(tmp_path, "wait", "few.yaml", FIXED, "--resubmit")
    assert done.returncode == 0, done.stderr
    assert "submitted again: " in done.stderr
    watched = run_grid(tmp_path, "status", "few.yaml", FIXED, "--watch", "--format", "csv")
    assert watched.returncode == 0, watched.stderr
    assert {line.split(",")[2] for line in watched.stdout.splitlines()[1:]} == {"done"}


def test_a_job_whose_setup_fails_is_told_with_what_it_printed(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "few.yaml").write_text(STUDY)
    (tmp_path / "grid.yaml").write_text(
        "execution: {slurm: {setup: ['echo no such module >&2; exit 7']}}\n"
    )
    sent = run_grid(tmp_path, "run", "few.yaml", FIXED, "--launcher", "slurm")
    assert sent.returncode == 0, sent.stderr

    waited = run_grid(tmp_path, "wait", "few.yaml", FIXED)
    assert waited.returncode == 1, waited.stderr
    told = run_grid(tmp_path, "status", "few.yaml", FIXED)
    assert told.returncode == 1, told.stderr
    assert "failed, crash: corpus " in told.stdout
    assert " failed (job " in told.stdout
    assert "    no such module" in told.stdout
    logs = run_grid(tmp_path, "logs", "few.yaml", "corpus", FIXED)
    assert logs.stdout.startswith("==> never tried: corpus en-")
    assert logs.stdout.endswith("\nno such module\n")


def test_what_is_cancelled_saves_its_state_and_stays_cancelled(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "few.yaml").write_text(STUDY.replace("updates: 3,", "updates: 300_000,"))
    sent = run_grid(tmp_path, "run", "few.yaml", FIXED, "--launcher", "slurm")
    assert sent.returncode == 0, sent.stderr
    cluster.wait_for(lambda: training(tmp_path), "training", seconds=300)
    told = run_grid(tmp_path, "status", "few.yaml", FIXED)
    (row,) = (line for line in told.stdout.splitlines() if line.startswith("pretraining "))
    assert "/300,000" in row and f"  {cluster.host}" in row
    cancelled = run_grid(tmp_path, "cancel", "few.yaml", FIXED)
    assert cancelled.returncode == 0 and "pretraining" in cancelled.stdout, cancelled.stderr
    cluster.wait_for(lambda: not cluster.jobs(), "end of the jobs")

    waited = run_grid(tmp_path, "wait", "few.yaml", FIXED, "--resubmit")
    assert waited.returncode == 1, waited.stderr
    assert "submitted again" not in waited.stderr, "it was meant to end"
    assert cluster.jobs() == {}
    told = run_grid(tmp_path, "status", "few.yaml", FIXED)
    assert "1 stopped" in told.stdout, told.stdout
