"""The smoke study is the same to the bit wherever, whenever and by how many workers it is run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
STUDY = ROOT / "studies" / "curse_of_multilinguality.yaml"
HERE = {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"}
THERE = {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"}
"""An odd time zone, and a locale whose small I has no dot where it is installed."""


def run(folder: Path, workers: int, variables: dict[str, str], umask: int) -> None:
    folder.mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    environment.pop("GRID_STORE", None)
    command = [sys.executable, "-m", "grid", "run", STUDY, "--scale", "smoke"]
    done = subprocess.run(
        [*command, "--workers", str(workers), "--store", "runs"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        umask=umask,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def payloads(store: Path) -> dict[str, dict[str, str]]:
    """The SHA-256 of every file of every artifact, by the artifact's place."""
    found = {}
    for manifest in (store / "artifacts").glob("*/*/*/manifest.json"):
        files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        place = manifest.parent.relative_to(store).as_posix()
        found[place] = {name: file["sha256"] for name, file in files.items()}
    return found


def test_the_smoke_study_twice(tmp_path: Path) -> None:
    run(tmp_path / "here", 1, HERE, 0o022)
    run(tmp_path / "a folder" / "of another name" / "é", 2, THERE, 0o077)
    first, second = (
        tmp_path / "here" / "runs",
        tmp_path / "a folder" / "of another name" / "é" / "runs",
    )
    expected, found = payloads(first), payloads(second)
    assert len(expected) > 50 and {place.split("/")[1] for place in expected} >= {
        "corpus", "evaluation", "finetuning", "pretraining", "shards", "task", "tokenizer",
    }  # fmt: skip
    assert found.keys() == expected.keys()
    different = [place for place in expected if found[place] != expected[place]]
    assert not different
    (one,), (other,) = (store.glob("studies/*/*/results.parquet") for store in (first, second))
    assert pl.read_parquet(one).equals(pl.read_parquet(other), null_equal=True)
    assert one.read_bytes() == other.read_bytes()
