"""A whole study, small but real, through the command line and from Python."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import grid

ROOT = Path(__file__).resolve().parents[2]
STUDY = """\
title: Two languages
cell:
  languages: [en, sw]
  corpus: {synthetic: {size: 30_000, smallest: 20_000, concepts: 60}}
  tokenizer: {vocab_size: 120, sample_bytes: 40_000}
  encoder: {layers: 1, width: 8, heads: 2, norm: pre, max_positions: 32}
  pretraining: {updates: 3, batch_size: 2, sequence_length: 16, precision: fp32}
  evaluation: {max_bytes: 300, passes: 2}
axes:
  - name: sizes
    product: {tokenizer.vocab_size: [120, 5_000]}
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run_grid(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "grid", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def ran(
    tmp_path_factory: pytest.TempPathFactory,
) -> "tuple[Path, subprocess.CompletedProcess[str]]":
    folder = tmp_path_factory.mktemp("study")
    (folder / "two.yaml").write_text(STUDY)
    return folder, run_grid(folder, "run", "two.yaml", "--workers", "2")


def test_a_failed_cell_does_not_stop_the_others(
    ran: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    _, result = ran
    assert result.returncode == 1
    assert "5000 pieces are more than the sample can fill" in result.stderr
    assert "  log: " in result.stderr
    assert "blocked by tokenizer" in result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "Two languages, scale laptop (synthetic text): means over seeds"
    assert "bits/byte all" in lines[1]
    assert [line.split()[:2] for line in lines[3:]] == [["sizes", "120"]]


def test_the_same_run_again_recomputes_nothing(
    ran: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    folder, first = ran
    only = "axes.sizes.product.tokenizer.vocab_size=[120]"
    second = run_grid(folder, "run", "two.yaml", only)
    assert second.returncode == 0, second.stderr
    assert "0 stages run" in second.stderr
    assert second.stdout == first.stdout


def test_status_names_what_failed(
    ran: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    folder, _ = ran
    result = run_grid(folder, "status", "two.yaml")
    assert result.returncode == 1
    assert "stages: 7 done, 1 failed, 4 blocked" in result.stdout
    assert "failed, input: tokenizer 2-languages-5000-unigram-" in result.stdout
    assert result.stderr == ""
    logs = run_grid(folder, "logs", "two.yaml", "2")
    assert "5000 pieces are more than the sample can fill" in logs.stdout


def test_python_gives_the_same_results(
    ran: "tuple[Path, subprocess.CompletedProcess[str]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = ran
    monkeypatch.chdir(folder)
    study = grid.load(
        "two.yaml", "axes.sizes.product.tokenizer.vocab_size=[120]", store=folder / "runs"
    )
    assert study.plan()["tokenizer.vocab_size"].to_list() == [120]
    report = study.run(workers=1)
    assert report.ok and not report.done
    frame = study.results()
    assert frame.equals(pl.read_parquet(study.folder / "results.parquet"))
    scores = frame.filter(pl.col("metric") == "bits_per_byte")
    assert sorted(scores["language"].to_list()) == ["en", "sw"]
    assert min(scores["value"].to_list()) > 0
    tokens = frame.filter(pl.col("metric") == "tokens")["value"].to_list()
    assert [sum(scores["tokens_seen"].to_list())] == tokens


def test_an_interrupt_ends_with_130_and_goes_on_from_there(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(STUDY.replace("updates: 3,", "updates: 3_000_000,"))
    process = subprocess.Popen(
        [sys.executable, "-m", "grid", "run", "two.yaml"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    shards = tmp_path / "runs" / "artifacts" / "shards"
    deadline = time.monotonic() + 120
    while not shards.is_dir() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert output == b""
    assert b"finished in this run and are kept" in errors
    assert b"Traceback" not in errors
