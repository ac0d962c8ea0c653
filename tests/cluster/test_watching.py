"""`status`, `wait` and `cancel` against a real Slurm: jobs that sleep stand for those that work."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import grid
from grid.graph import Graph, StageId
from grid.slurm.queue import INTERVAL, Queue, QueueError
from grid.slurm.submission import Submission, comment, write_submission
from grid.slurm.watch import Watch
from tests.cluster.daemons import Cluster
from tests.grid.processes import ROOT
from tests.grid.slurm.written import submission

pytestmark = pytest.mark.cluster
STUDY = """\
title: Sizes
cell:
  languages: [en, sw]
  corpus: {synthetic: {size: 12_000, smallest: 10_000, concepts: 60}}
  tokenizer: {vocab_size: 120, sample_bytes: 20_000}
  encoder: {layers: 1, width: 8, heads: 2, norm: pre, max_positions: 32}
  pretraining: {updates: 3, batch_size: 2, sequence_length: 16, precision: fp32}
axes:
  - name: width
    product: {encoder.width: [8, 16]}
replicates: {seed: [1, 2]}
"""


def run_grid(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "grid", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def sent(
    cluster: Cluster, made: Submission, array: str, *options: str, seconds: int = 600
) -> Submission:
    """An array of a submission, sent to Slurm as jobs that sleep, its number written down."""
    last = len(made.array(array).shares) - 1
    number = cluster.call(
        "sbatch",
        "--parsable",
        f"--array=0-{last}",
        f"--comment={comment(made.id, array)}",
        f"--job-name={made.study}-{array}",
        "--output=/dev/null",
        "--mem=10",
        *options,
        f"--wrap=sleep {seconds}",
    )
    made = made.with_job(array, number)
    write_submission(made)
    return made


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Graph:
    """Of a study sizes.yaml in the working folder, its store `runs`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sizes.yaml").write_text(STUDY)
    return grid.load("sizes.yaml").graph()


def shares(graph: Graph, kind: str) -> Sequence[Sequence[StageId]]:
    return [[id] for id in graph.stages if id[0] == kind]


def test_status_tells_what_slurm_has_and_why_it_waits(
    cluster: Cluster, tmp_path: Path, graph: Graph
) -> None:
    made = submission(
        tmp_path / "runs",
        graph,
        {"text": shares(graph, "corpus"), "train": shares(graph, "pretraining")},
        study="sizes",
    )
    made = sent(cluster, made, "text")
    made = sent(cluster, made, "train", f"--dependency=afterany:{made.array('text').job}")
    text = made.array("text").job
    cluster.wait_for(lambda: cluster.jobs().get(f"{text}_0") == "RUNNING", "job")

    done = run_grid(tmp_path, "status", "sizes.yaml")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "cells:  4 queued" in lines
    assert "  4 pretraining: Dependency (its inputs are being made)" in lines
    assert "  2 corpus: its job works on other stages" in lines
    rows = run_grid(tmp_path, "status", "sizes.yaml", "--format", "csv").stdout.splitlines()
    assert sum(f",{text}_" in row for row in rows) == 2


def test_cancel_ends_the_jobs_of_the_chosen_cells_and_then_all_also_orphans(
    cluster: Cluster, tmp_path: Path, graph: Graph
) -> None:
    foreign = cluster.call("sbatch", "--parsable", "--output=/dev/null", "--wrap=sleep 600")
    made = submission(
        tmp_path / "runs",
        graph,
        {
            "train": [*shares(graph, "pretraining")],
            "both": [[id for id in graph.stages if id[0] == "evaluation"]],
        },
        study="sizes",
    )
    made = sent(cluster, made, "train")
    made = sent(cluster, made, "both")
    write_submission(made.with_job("both", None))  # as if the submitter had been killed
    train, both = made.array("train").job, made.array("both").job
    cluster.wait_for(lambda: len(cluster.jobs()) == 6, "jobs")

    one = run_grid(tmp_path, "cancel", "sizes.yaml", "--where", "encoder.width > 8 and seed == 1")
    assert one.returncode == 0, one.stderr
    assert one.stdout.startswith(f"cancelled: job {train} (train), 1 of 4 elements, ")
    assert f"not cancelled, for they also have stages that other cells need: {both}_0" in one.stderr
    cluster.wait_for(lambda: len(cluster.jobs()) == 5, "end of one job")

    rest = run_grid(tmp_path, "cancel", "sizes.yaml")
    assert rest.returncode == 0, rest.stderr
    assert f"cancelled: job {both} (both), 1 of 1 elements" in rest.stdout
    cluster.wait_for(lambda: cluster.jobs() == {foreign: "RUNNING"}, "end of all but another's")
    again = run_grid(tmp_path, "cancel", "sizes.yaml")
    assert again.returncode == 0 and again.stdout == ""
    assert "nothing to cancel: no such job of sizes at scale laptop" in again.stderr

    waited = run_grid(tmp_path, "wait", "sizes.yaml")
    assert waited.returncode == 1, waited.stderr
    assert "was cancelled" in waited.stderr


def test_hundreds_of_cells_cost_the_scheduler_one_question_in_five_seconds(
    cluster: Cluster, tmp_path: Path, graph: Graph
) -> None:
    (tmp_path / "sizes.yaml").write_text(STUDY.replace("[1, 2]", "{range: [1, 250]}"))
    many = grid.load("sizes.yaml").graph()
    made = submission(
        tmp_path / "runs", many, {"train": shares(many, "pretraining")}, study="sizes"
    )
    sent(cluster, made, "train", "--dependency=singleton", "--hold")
    asked, began = questions(cluster), time.monotonic()
    watching = subprocess.Popen(
        [sys.executable, "-m", "grid", "status", "sizes.yaml", "--watch"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    cluster.wait_for(lambda: questions(cluster) - asked >= 4, "fourth question", seconds=300)
    seconds, count = time.monotonic() - began, questions(cluster) - asked
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=60)

    assert (count - 1) * INTERVAL <= seconds, "as Slurm itself counts them"
    assert "500 queued" in said, said
    assert watching.returncode == 130 and "Traceback" not in said


def questions(cluster: Cluster) -> int:
    """How often the controller has been asked about jobs, by its own count."""
    lines = cluster.call("sdiag").splitlines()
    counts = [
        int(line.split("count:")[1].split()[0])
        for line in lines
        if "JOB_INFO" in line or "JOB_USER_INFO" in line
        if "count:" in line
    ]
    return sum(counts)


def test_without_the_controller_files_are_told_and_slurm_is_asked_again(
    cluster: Cluster, tmp_path: Path, graph: Graph
) -> None:
    made = submission(tmp_path / "runs", graph, {"text": shares(graph, "corpus")}, study="sizes")
    made = sent(cluster, made, "text")
    cluster.wait_for(lambda: cluster.saved(comment(made.id, "text")), "saved state")
    cluster.kill("slurmctld")

    done = run_grid(tmp_path, "status", "sizes.yaml")
    assert done.returncode == 0, done.stderr
    assert "Slurm: squeue" in done.stdout and "This is what the files say" in done.stdout
    assert "Traceback" not in done.stderr
    cancelled = run_grid(tmp_path, "cancel", "sizes.yaml")
    assert cancelled.returncode == 1
    assert cancelled.stderr.startswith("error: squeue")

    watch = Watch(grid.load("sizes.yaml").open_store())
    ids = list(graph.stages)
    assert watch.look(ids).trouble is not None
    cluster.start("slurmctld")
    cluster.wait_for(lambda: watch.look(ids).active, "answer")
    assert watch.look(ids).trouble is None


def test_the_limits_of_the_cluster_are_read(cluster: Cluster) -> None:
    queue = Queue()
    assert queue.limits().array_size == 1001 and queue.limits().submit_jobs is None
    assert queue.history(["1"]) == []
    with pytest.raises(QueueError, match="scontrol requeue: Slurm says: Invalid job id"):
        queue.requeue("999999")


def test_accounting_remembers_what_squeue_does_not(
    accounting_cluster: Cluster, tmp_path: Path
) -> None:
    cluster = accounting_cluster
    job = cluster.call(
        "sbatch", "--parsable", "--array=0-1", "--output=/dev/null",
        "--wrap=exit $SLURM_ARRAY_TASK_ID",
    )  # fmt: skip
    queue = Queue()

    def over() -> bool:
        past = queue.history([job])
        return len(past) == 2 and all(each.over for each in past)

    cluster.wait_for(over, "records of the job")
    past = {each.id: each for each in queue.history([job])}
    assert (past[f"{job}_0"].state, past[f"{job}_1"].state) == ("COMPLETED", "FAILED")
    assert past[f"{job}_1"].exit == "1:0" and past[f"{job}_1"].node.startswith("node")
