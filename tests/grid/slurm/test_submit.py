"""`run --launcher slurm` where there is no Slurm: dry runs, and mistakes in the call."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grid.studies import Studies, load_studies
from tests.grid.processes import ROOT

STUDY = "studies/sampling_alpha.yaml"


def grid(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """`python -m grid` without any command of Slurm's."""
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "grid", *words, "--store", str(folder / "runs")],
        cwd=ROOT,
        env={**os.environ, "PATH": str(empty)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_prints_scripts_and_writes_nothing(tmp_path: Path) -> None:
    done = grid(tmp_path, "run", STUDY, "--scale", "smoke", "--launcher", "slurm", "--dry-run",
                "execution.slurm.job_minutes=0.02")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("#!/bin/bash") >= 3
    assert "--dependency='afterany:<" in done.stdout
    assert "scontrol: command not found" in done.stderr
    assert "pretraining" in done.stderr and not (tmp_path / "runs").exists()


def test_a_dry_run_places_ranks_on_nodes(tmp_path: Path) -> None:
    done = grid(tmp_path, "run", STUDY, "--scale", "smoke", "--launcher", "slurm", "--dry-run",
                "execution.tensor_parallel=2", "execution.slurm.ranks_per_node=1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=1\n" in done.stdout


def test_a_dry_run_needs_no_text(tmp_path: Path) -> None:
    done = grid(tmp_path, "run", "studies/xlmr_xxl.yaml", "--scale", "paper", "--launcher", "slurm",
                "--dry-run")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "#SBATCH --gpus-per-node=8\n" in done.stdout
    assert "#SBATCH --time=10080\n" in done.stdout  # a week, after which it is requeued


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--launcher", "slurm", "--scale", "smoke"], "scontrol: command not found"),
        (["--launcher", "slurm"], "--scale: expected one of paper, laptop, gpu, smoke, real"),
        (["--dry-run"], "--dry-run: expected --launcher slurm"),
        (["--launcher", "slurm", "--scale", "smoke", "--workers", "2"], "execution.slurm.cpus"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = grid(tmp_path, "run", STUDY, *words)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs" / "studies" / "sampling_alpha" / "smoke" / "submissions").exists()


def test_a_study_without_scales_needs_none(tmp_path: Path) -> None:
    study = tmp_path / "plain.yaml"
    study.write_text(
        "cell: {languages: [en, sw], corpus: {synthetic: {size: 60_000}}}\n", encoding="utf-8"
    )
    done = grid(tmp_path, "run", str(study), "--launcher", "slurm", "--dry-run")
    assert done.returncode == 0, done.stderr


def small(folder: Path) -> Studies:
    return load_studies([ROOT / STUDY], "blocks=[alpha]", scale="smoke", store=folder / "runs")


def test_what_another_process_works_on_is_left_to_it(tmp_path: Path) -> None:
    studies = small(tmp_path)
    graph = studies.graph()
    (tokenizer,) = [id for id in graph.stages if id[0] == "tokenizer"]
    held = studies.open_store().acquire(*tokenizer)
    assert held is not None
    sent, _ = studies.submit(dry_run=True)
    assert [stage.id for stage in sent.held] == [tokenizer]
    assert sent.submission is not None
    submitted = {id for _, _, share in sent.submission.elements for id in share}
    assert {name for name, _ in submitted} == {"corpus", "task"}
    assert sent.blocked + len(submitted) + 1 == sent.open == len(graph.stages)
    held.release()
    sent, _ = studies.submit(dry_run=True)
    assert not sent.held and not sent.blocked


def test_a_stage_that_runs_out_of_memory_gets_more_until_it_is_enough(tmp_path: Path) -> None:
    studies = small(tmp_path)
    store = studies.open_store()
    (tokenizer,) = [id for id in studies.graph().stages if id[0] == "tokenizer"]

    def memory(*, again: bool = False) -> int | None:
        sent, _ = studies.submit(again=again, dry_run=True)
        assert sent.submission is not None
        return next(
            (
                array.resources.memory_mb
                for array, _, share in sent.submission.elements
                if tokenizer in share
            ),
            None,
        )

    asked = []
    for _ in range(3):
        asked.append(memory() or 0)
        folder = store.new_attempt(*tokenizer, {"batch": {"memory_mb": asked[-1]}})
        outcome = {"state": "failed", "kind": "memory", "message": "killed for its memory"}
        (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    assert asked[1] >= 2 * asked[0] and asked[2] >= 2 * asked[1]
    sent, _ = studies.submit(dry_run=True)
    assert sent.exhausted[tokenizer].message == "killed for its memory" and sent.blocked
    assert memory() is None
    assert (memory(again=True) or 0) >= 2 * asked[2]


def test_a_repeated_submission_has_nothing_to_do_when_all_is_there(tmp_path: Path) -> None:
    studies = small(tmp_path)
    graph = studies.graph()
    corpora = {id for id in graph.stages if id[0] == "corpus"}
    studies.run(only=corpora)
    sent, report = studies.submit(only=corpora)
    assert sent.open == 0 and sent.submission is None
    assert {stage.id for stage in report.cached} >= corpora
