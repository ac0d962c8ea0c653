"""A job that Slurm kills for holding too much memory: told apart, and given more the next time.

The kernel's control groups are not to be had here, so Slurm's accounting of memory does it: real
measurements, and a real SIGKILL of the whole job.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import started
from tests.cluster.daemons import Cluster
from tests.cluster.studies import Study

pytestmark = pytest.mark.cluster
STUDY = """\
title: Large
cell:
  languages: [en]
  corpus: {synthetic: {size: 20_000, smallest: 20_000, concepts: 60}}
  tokenizer: {vocab_size: 80, sample_bytes: 20_000, character_coverage: 0.98}
  commands:
    mine: {takes: [tokenizer], replaces_pretraining: true}
"""
SITE = """\
commands:
  mine: {{run: ["{python}", "{program}", "{{config}}"], version: 1}}
"""
PROGRAM = """\
import json, pathlib, sys, time

config = json.loads(pathlib.Path(sys.argv[1]).read_text())
held = b"x" * 600_000_000
time.sleep(4)  # Slurm measures every second
score = {"metric": "size", "value": len(held)}
pathlib.Path(config["output"], "metrics.json").write_text(json.dumps([score]))
"""


@pytest.fixture
def strict() -> Iterator[Cluster]:
    """One node that kills what holds more memory than it asked for."""
    yield from started(nodes=1, gather="linux")


def test_out_of_memory_is_told_and_the_next_job_has_twice_as_much(
    strict: Cluster, tmp_path: Path
) -> None:
    study = Study(tmp_path, STUDY, strict, "execution.slurm.memory_gb=0.5")
    program = tmp_path / "large.py"
    program.write_text(PROGRAM)
    (tmp_path / "grid.yaml").write_text(SITE.format(python=sys.executable, program=program))
    study.finish(status=1)
    assert "ran out of memory" in study.call("status", status=1), study.logs()
    study.finish()
    (ends,) = study.outcomes("command").values()
    assert ends == ["memory", "done"], study.logs()
