"""The site file that users copy is the one in the documents, and says what it means to say."""

import re
from dataclasses import fields
from pathlib import Path

import grid
from grid.execution import ExecutionConfig
from grid.slurm.settings import SlurmConfig

ROOT = Path(__file__).resolve().parents[3]
SITE = ROOT / "examples" / "slurm" / "grid.yaml"
CURSE = ROOT / "studies" / "curse_of_multilinguality.yaml"
PAGE = (ROOT / "docs" / "slurm.md").read_text(encoding="utf-8")


def test_the_example_of_a_site_file_loads_and_is_the_one_in_the_documents(tmp_path: Path) -> None:
    study = grid.load(CURSE, site=SITE, scale="smoke")
    slurm = study.execution.slurm
    placed = {
        kind: slurm.of_stage(kind).partition for kind in ("pretraining", "tokenizer", "shards")
    }
    assert placed == {"pretraining": "gpu", "tokenizer": "highmem", "shards": "cpu"}
    assert slurm.of_stage("pretraining").account == slurm.account == "PROJECT"
    assert SITE.read_text(encoding="utf-8") in PAGE


def test_every_piece_of_a_site_file_in_the_documents_loads(tmp_path: Path) -> None:
    pieces = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(pieces) == 4
    for piece in pieces:
        (tmp_path / "site.yaml").write_text(piece)
        study = grid.load(CURSE, site=tmp_path / "site.yaml", scale="smoke")
        assert study.execution.slurm != SlurmConfig(), piece


def test_every_key_that_the_documents_name_is_there() -> None:
    known = {field.name for field in fields(SlurmConfig)} | {
        field.name for field in fields(ExecutionConfig)
    }
    table = PAGE.partition("## Sites that forbid something")[2].partition("## What to ask")[0]
    named = set(re.findall(r"`([a-z_]+)(?::[^`]*)?`", table))
    assert named - known == {"sbatch", "run", "squeue", "status"}
