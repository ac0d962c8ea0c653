"""A study whose pretraining has two ranks: the result of one, also after a rank is killed.

And what an interrupted pretraining saves: the next run goes on at that very update.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tests.grid.processes import ROOT, living, wait_for
from tests.grid.test_ranks import ranks_of

pytestmark = pytest.mark.slow
STUDY = """\
title: Two ranks
cell:
  languages: [en, sw]
  corpus: {synthetic: {size: 40_000, smallest: 20_000, concepts: 60}}
  tokenizer: {vocab_size: 141, sample_bytes: 60_000, character_coverage: 0.98}
  encoder: {layers: 2, width: 32, heads: 4, norm: pre, max_positions: 64, dropout: 0,
            attention_dropout: 0}
  pretraining: {updates: 300, batch_size: 16, sequence_length: 32, learning_rate: 1e-3,
                precision: fp32}
  evaluation: {max_bytes: 300, passes: 2}
"""
TWO = "execution.tensor_parallel=2"
SAVING = "execution.checkpoint_seconds=0.2"


def start(folder: Path, store: str, *overrides: str) -> "subprocess.Popen[str]":
    (folder / "two.yaml").write_text(STUDY)
    return subprocess.Popen(
        [sys.executable, "-m", "grid", "run", "two.yaml", "--store", store, *overrides],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output


def weights(store: Path) -> Path:
    (file,) = store.glob("artifacts/pretraining/*/*/model.safetensors")
    return file


def checksum(store: Path) -> str:
    return hashlib.sha256(weights(store).read_bytes()).hexdigest()


def first_and_last_step(store: Path, attempt: int) -> tuple[int, int]:
    (file,) = store.glob(f"attempts/pretraining/*/{attempt}/progress.jsonl")
    steps = [int(json.loads(line)["step"]) for line in file.read_text().splitlines()]
    return steps[0], steps[-1]


def checkpoints(store: Path) -> list[Path]:
    return list(store.glob("work/pretraining/*/checkpoints/*[0-9]"))


def test_two_ranks_train_the_model_of_one_and_survive_a_kill(tmp_path: Path) -> None:
    finish(start(tmp_path, "one"))
    finish(start(tmp_path, "two", TWO))
    one, two = load_file(weights(tmp_path / "one")), load_file(weights(tmp_path / "two"))
    assert one.keys() == two.keys()
    difference = max(float(abs(one[name] - two[name]).max()) for name in one)
    print(f"largest difference of a weight: {difference:.1e}")
    assert difference < 1e-4
    (manifest,) = (tmp_path / "two").glob("artifacts/pretraining/*/*/manifest.json")
    assert json.loads(manifest.read_text())["execution"]["tensor_parallel"] == 2

    process = start(tmp_path, "killed", TWO, SAVING)
    wait_for(lambda: len(checkpoints(tmp_path / "killed")) > 0)
    os.kill(ranks_of(process.pid)[1], signal.SIGKILL)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert "rank 1 of 2 was ended by SIGKILL" in output
    assert not living(process.pid), "rank 0 was not left waiting"
    finish(start(tmp_path, "killed", TWO))
    assert first_and_last_step(tmp_path / "killed", 2)[0] > 0
    assert checksum(tmp_path / "killed") == checksum(tmp_path / "two")


@pytest.mark.parametrize("ranks", [1, 2])
def test_an_interrupted_pretraining_goes_on_where_it_was(tmp_path: Path, ranks: int) -> None:
    degree = f"execution.tensor_parallel={ranks}"
    undisturbed = start(tmp_path, "undisturbed", degree)
    process = start(tmp_path, "stopped", degree)  # saves only because it is asked to
    wait_for(lambda: any((tmp_path / "stopped").glob("attempts/pretraining/*/1/progress.jsonl")))
    wait_for(lambda: first_and_last_step(tmp_path / "stopped", 1)[1] > 0)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 130 and "for the state of pretraining" in output
    assert not living(process.pid)
    (outcome,) = (tmp_path / "stopped").glob("attempts/pretraining/*/1/outcome.json")
    assert json.loads(outcome.read_text())["state"] == "stopped"
    reached = first_and_last_step(tmp_path / "stopped", 1)[1]
    finish(start(tmp_path, "stopped", degree))
    assert first_and_last_step(tmp_path / "stopped", 2)[0] == reached
    finish(undisturbed)
    assert checksum(tmp_path / "stopped") == checksum(tmp_path / "undisturbed")
