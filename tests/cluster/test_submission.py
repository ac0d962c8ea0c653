"""What `run --launcher slurm` submits to a real cluster: once, all of it, or nothing."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from grid.slurm.submission import Submission, read_submission, submissions
from tests.cluster.daemons import ACCOUNT, Cluster
from tests.grid.processes import ROOT

pytestmark = pytest.mark.cluster

STUDY = """
title: Small
cell:
  languages: [en, sw]
  corpus:
    synthetic: {size: 30_000, smallest: 10_000, concepts: 60}
    held_out: {fraction: 0.2, max_bytes: 2_000}
  tokenizer: {vocab_size: 150, sample_bytes: 50_000, character_coverage: 0.98}
  encoder: {layers: 1, width: 16, heads: 2, max_positions: 32}
  pretraining: {updates: 3, batch_size: 4, sequence_length: 32, precision: fp32}
  evaluation: {max_bytes: 500, passes: 2}
replicates: {seed: {range: [1, 12]}}
scales: {smoke: {}}
"""
SHORT_JOBS = "execution.slurm.job_minutes=0.02"
"""So that each stage has a job of its own, and arrays wait for arrays."""
HELD = "execution.slurm.extra=[--hold]"
"""So that jobs stay in the queue."""


def grid(
    cluster: Cluster, folder: Path, *words: str, path: str = ""
) -> "subprocess.CompletedProcess[str]":
    """`python -m grid` on the small study; `path`: a folder whose commands are found first."""
    study = folder / "small.yaml"
    if not study.exists():
        study.write_text(STUDY, encoding="utf-8")
    environment = cluster.environment
    search = os.pathsep.join([path, environment["PATH"]]) if path else environment["PATH"]
    command, *rest = words
    return subprocess.run(
        [sys.executable, "-m", "grid", command, str(study), "--scale", "smoke",
         "--store", str(folder / "runs"), *rest],
        cwd=ROOT,
        env={**environment, "PATH": search, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


def run(
    cluster: Cluster, folder: Path, *words: str, path: str = ""
) -> "subprocess.CompletedProcess[str]":
    return grid(cluster, folder, "run", "--launcher", "slurm", *words, path=path)


def sent(folder: Path) -> list[Submission]:
    study = folder / "runs" / "studies" / "small" / "smoke"
    return [read_submission(each) for each in submissions(study)]


def stages_in_queue(cluster: Cluster, folder: Path) -> Counter[tuple[str, str]]:
    """How many of the jobs that wait or run have each stage, by what Slurm says."""
    lines = cluster.call("squeue", "-h", "-r", "-o", "%K %k").splitlines()
    known = {each.id: each for each in sent(folder)}
    counts: Counter[tuple[str, str]] = Counter()
    for line in lines:
        index, _, id, array = line.split()
        counts.update(known[id].array(array).shares[int(index)])
    return counts


def test_a_study_is_submitted_once_and_only_once(cluster: Cluster, tmp_path: Path) -> None:
    first = run(cluster, tmp_path, SHORT_JOBS, HELD)
    assert first.returncode == 0, first.stderr
    (submission,) = sent(tmp_path)
    assert "status" in first.stderr and "--watch" in first.stderr
    classes = Counter((repr(each.resources), each.waits) for each in submission.arrays)
    assert max(classes.values()) <= 3
    assert len(submission.arrays) >= 3 and all(each.job for each in submission.arrays)
    assert all(str(each.job) in first.stdout for each in submission.arrays)
    counts = stages_in_queue(cluster, tmp_path)
    assert set(counts.values()) == {1} and Counter(name for name, _ in counts) == {
        "corpus": 2, "tokenizer": 1, "shards": 2, "pretraining": 12, "evaluation": 12,
    }  # fmt: skip

    again = run(cluster, tmp_path, SHORT_JOBS, HELD)
    assert again.returncode == 0 and "29 stages in the queue" in again.stderr
    assert len(sent(tmp_path)) == 1 and stages_in_queue(cluster, tmp_path) == counts

    (lost,) = [each for each in submission.arrays if each.name == "pretraining"]
    cluster.call("scancel", f"{lost.job}_[0-3]")
    cluster.wait_for(
        lambda: sum(stages_in_queue(cluster, tmp_path).values()) < 29, "end of the jobs"
    )
    gone = set(counts) - set(stages_in_queue(cluster, tmp_path))
    third = run(cluster, tmp_path, SHORT_JOBS, HELD)
    assert third.returncode == 0, third.stderr
    newest = sent(tmp_path)[-1]
    assert {id for array in newest.arrays for share in array.shares for id in share} == gone
    assert any(name.startswith(f"{submission.id}/") for each in newest.arrays
               for name, _ in each.waits)  # fmt: skip
    assert stages_in_queue(cluster, tmp_path) == counts


def test_jobs_of_a_killed_submission_are_found(cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    real = cluster.call("which", "sbatch")
    # The submitting process is killed when its second job is submitted and it does not know yet.
    wrapper = folder / "sbatch"
    wrapper.write_text(
        f'#!/bin/sh\n{real} "$@"\necho x >> {tmp_path}/calls\n'
        f"[ $(wc -l < {tmp_path}/calls) -ge 2 ] && kill -KILL $PPID\nexit 0\n"
    )
    wrapper.chmod(0o755)
    killed = run(cluster, tmp_path, SHORT_JOBS, HELD, path=str(folder))
    assert killed.returncode == -signal.SIGKILL
    (submission,) = sent(tmp_path)
    assert [each.job is not None for each in submission.arrays][:2] == [True, False]
    before = stages_in_queue(cluster, tmp_path)
    assert len(before) == sum(len(share) for each in submission.arrays[:2] for share in each.shares)

    after = run(cluster, tmp_path, SHORT_JOBS, HELD)
    assert after.returncode == 0, after.stderr
    found, rest = sent(tmp_path)
    assert found.arrays[1].job is not None
    counts = stages_in_queue(cluster, tmp_path)
    assert set(counts.values()) == {1} and len(counts) == 29
    assert not {id for each in rest.arrays for share in each.shares for id in share} & set(before)


IMPOSSIBLE = {
    "partition": ("partition=mian", r"unknown partition 'mian' (did you mean main?)"),
    "memory": ("memory_gb=10000", "memory"),
    "time": ("hours=1000", "time limit"),
    "node": ("nodelist=nowhere", "Invalid node name"),
    "constraint": ("constraint=nosuch", "feature"),
    "gpus": ("extra=[--gres=gpu:4]", "gres"),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_impossible_requests_are_told_and_leave_nothing(
    cluster: Cluster, tmp_path: Path, what: str
) -> None:
    setting, expected = IMPOSSIBLE[what]
    done = run(cluster, tmp_path, f"execution.slurm.{setting}")
    assert done.returncode == 2, done.stderr
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert expected.lower() in message.lower() and "Traceback" not in done.stderr
    assert not cluster.jobs()
    assert all(each.failed for each in sent(tmp_path))


def test_an_unknown_account_is_told(accounting_cluster: Cluster, tmp_path: Path) -> None:
    done = run(accounting_cluster, tmp_path, "execution.slurm.account=nosuch")
    assert done.returncode == 2 and "Invalid account" in done.stderr
    assert "execution.slurm.account" in done.stderr
    known = run(accounting_cluster, tmp_path, f"execution.slurm.account={ACCOUNT}", HELD)
    assert known.returncode == 0, known.stderr


def test_one_refused_array_withdraws_the_others(cluster: Cluster, tmp_path: Path) -> None:
    refused = "execution.slurm.stages.evaluation.memory_gb=10000"
    done = run(cluster, tmp_path, SHORT_JOBS, refused)
    assert done.returncode == 2 and "arrays submitted before it: cancelled" in done.stderr
    (submission,) = sent(tmp_path)
    assert submission.failed is not None and "cancelled" in submission.failed
    assert [each.job is not None for each in submission.arrays].count(True) >= 2
    cluster.wait_for(lambda: not cluster.jobs(), "end of the jobs")
    again = run(cluster, tmp_path, SHORT_JOBS, HELD)
    assert again.returncode == 0, again.stderr
    assert set(stages_in_queue(cluster, tmp_path).values()) == {1}


def test_without_a_controller_nothing_is_submitted(cluster: Cluster, tmp_path: Path) -> None:
    cluster.kill("slurmctld")
    done = run(cluster, tmp_path)
    assert done.returncode == 2 and not sent(tmp_path), done.stderr
    assert "error: s" in done.stderr and "Traceback" not in done.stderr
    dry = run(cluster, tmp_path, "--dry-run")
    assert dry.returncode == 0 and "#SBATCH --array=0-" in dry.stdout
    assert "limits and its queue are not known" in dry.stderr


def test_what_is_in_a_script_is_what_slurm_understood(cluster: Cluster, tmp_path: Path) -> None:
    settings = ["partition=low", "cpus=2", "memory_gb=3", "hours=0.5", "comment=false",
                "max_parallel=2", "retries=0"]  # fmt: skip
    done = run(cluster, tmp_path, SHORT_JOBS, HELD, *(f"execution.slurm.{s}" for s in settings))
    assert done.returncode == 0, done.stderr
    (submission,) = sent(tmp_path)
    (array,) = [each for each in submission.arrays if each.name == "pretraining"]
    told = cluster.call("squeue", "-h", "-j", str(array.job), "-o", "%P %C %m %l %i").split()
    assert told == ["low", "2", "3000M", "30:00", f"{array.job}_[0-11%2]"]
    again = run(cluster, tmp_path, SHORT_JOBS, HELD, "execution.slurm.comment=false")
    assert "29 stages in the queue" in again.stderr and len(sent(tmp_path)) == 1


@pytest.mark.slow
def test_a_submitted_study_ends_with_its_results(cluster: Cluster, tmp_path: Path) -> None:
    done = run(cluster, tmp_path, "replicates.seed=[1, 2]")
    assert done.returncode == 0, done.stderr
    waited = grid(cluster, tmp_path, "wait", "replicates.seed=[1, 2]")
    assert waited.returncode == 0, waited.stderr
    shown = run(cluster, tmp_path, "replicates.seed=[1, 2]", "--format", "json")
    assert shown.returncode == 0 and {row["seed"] for row in json.loads(shown.stdout)} == {1, 2}
    (submission,) = sent(tmp_path)
    assert len(sent(tmp_path)) == 1 and submission.failed is None


def test_no_more_jobs_are_submitted_than_the_user_may_have(
    accounting_cluster: Cluster, tmp_path: Path
) -> None:
    cluster = accounting_cluster
    limit = ["sacctmgr", "-i", "-Q", "modify", "user", cluster.user, "set"]
    cluster.call(*limit, "MaxSubmitJobs=8")
    try:
        done = run(cluster, tmp_path, SHORT_JOBS, HELD)
        assert done.returncode == 0, done.stderr
        assert "left for the next run" in done.stderr and "MaxSubmitJobs" in done.stderr
        assert len(cluster.jobs()) == 8
        full = run(cluster, tmp_path, SHORT_JOBS, HELD)
        assert full.returncode == 2 and "lets this user have 8 jobs" in full.stderr
        assert len(cluster.jobs()) == 8 and len(sent(tmp_path)) == 1
    finally:
        cluster.call(*limit, "MaxSubmitJobs=-1")
    rest = run(cluster, tmp_path, SHORT_JOBS, HELD)
    assert rest.returncode == 0, rest.stderr
    counts = stages_in_queue(cluster, tmp_path)
    assert len(counts) == 29 and set(counts.values()) == {1}


def test_retry_submits_what_failed(cluster: Cluster, tmp_path: Path) -> None:
    small = "cell.tokenizer.vocab_size=5_000"  # more than the text can fill
    assert run(cluster, tmp_path, small, "replicates.seed=[1]").returncode == 0
    assert grid(cluster, tmp_path, "wait", small, "replicates.seed=[1]").returncode == 1
    again = grid(
        cluster, tmp_path, "retry", "--launcher", "slurm", HELD, small, "replicates.seed=[1]"
    )
    assert again.returncode == 0, again.stderr
    assert "again: tokenizer" in again.stderr
    counts = stages_in_queue(cluster, tmp_path)
    assert Counter(name for name, _ in counts) == {
        "tokenizer": 1, "shards": 2, "pretraining": 1, "evaluation": 1,
    }  # fmt: skip
