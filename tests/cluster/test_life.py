"""How a job lives and dies: warned, preempted, killed, hung, out of memory, cancelled, lost."""

import json
import os
import signal
from pathlib import Path

import pytest

from grid.slurm.resources import Resources
from tests.cluster.daemons import Cluster
from tests.cluster.sending import outcomes, process_of, send, steps_of
from tests.cluster.studies import ranks_of
from tests.grid import rank_stages
from tests.grid.tiny_stages import graph, stage

pytestmark = pytest.mark.cluster
TWO = Resources(minutes=10, tasks_per_node=2)


@pytest.mark.parametrize(
    ("number", "kind", "seconds"), [(signal.SIGKILL, "killed", 60.0), (signal.SIGSTOP, "hung", 8.0)]
)
def test_a_stage_whose_rank_dies_or_hangs_is_tried_again(
    cluster: Cluster, tmp_path: Path, number: int, kind: str, seconds: float
) -> None:
    made = rank_stages.stage("a", ranks=2, takes=8.0)
    sent = send(cluster, tmp_path, graph(made), [[made.id]], resources=TWO, hang_seconds=seconds)
    cluster.wait_for(lambda: steps_of(sent) > 3, "step")
    first = ranks_of(sent.store.root)
    os.kill(first[1], number)
    sent.wait()
    ends = outcomes(sent.store, made.id)
    assert [each["state"] for each in ends] == ["failed", "done"], sent.log()
    assert ends[0]["kind"] == kind, ends
    named = "rank 1 of 2 was ended by SIGKILL" if kind == "killed" else "no progress for"
    assert named in ends[0]["message"]
    ranks = json.loads((sent.store.path(*made.id) / "ranks.json").read_text())
    assert ranks["ranks"][0]["step"] >= 3, "it went on from what was saved"
    assert not ranks_of(sent.store.root)


def test_retries_are_bounded(cluster: Cluster, tmp_path: Path) -> None:
    made, other = stage("killed", does="killed"), stage("crash", does="crash")
    sent = send(cluster, tmp_path, graph(made, other), [[made.id, other.id]], slurm={"retries": 1})
    sent.wait()
    assert [each["kind"] for each in outcomes(sent.store, made.id)] == ["killed", "killed"]
    assert [each["kind"] for each in outcomes(sent.store, other.id)] == ["crash"]
    end = sent.start()
    assert end is not None and end.why == "finished"
    assert sorted(end.failed) == [[*other.id, "crash"], [*made.id, "killed"]]


def test_a_job_near_its_limit_saves_and_goes_on_in_the_next(
    cluster: Cluster, tmp_path: Path
) -> None:
    made = rank_stages.stage("a", ranks=2, takes=50.0)  # Slurm looks at limits every 30 s
    limited = Resources(minutes=1, tasks_per_node=2)
    sent = send(cluster, tmp_path, graph(made), [[made.id]], resources=limited)
    sent.wait()
    ends = outcomes(sent.store, made.id)
    assert [each["state"] for each in ends][-1] == "done" and len(ends) > 1, sent.log()
    assert {each["kind"] for each in ends[:-1]} == {"time"}


def test_a_cancelled_job_says_so_and_stays_away(cluster: Cluster, tmp_path: Path) -> None:
    made = rank_stages.stage("a", ranks=2, takes=20.0)
    sent = send(cluster, tmp_path, graph(made), [[made.id]], resources=TWO)
    cluster.wait_for(lambda: steps_of(sent) > 1, "step")
    cluster.call("scancel", f"{sent.job}_0")
    sent.wait()
    end = sent.start()
    assert end is not None and end.why == "cancelled", (end, sent.log())
    assert [each["kind"] for each in outcomes(sent.store, made.id)] == ["cancelled"]
    assert end.left == [list(made.id)] and not ranks_of(sent.store.root)


def test_what_a_lost_element_leaves_is_done_by_another(cluster: Cluster, tmp_path: Path) -> None:
    lost = rank_stages.stage("lost", ranks=1, takes=300.0)
    mine = stage("mine", does="slow", takes=20.0)
    sent = send(cluster, tmp_path, graph(lost, mine), [[lost.id], [mine.id]])
    cluster.wait_for(lambda: steps_of(sent) > 1 and sent.start(1), "two elements at work")
    os.kill(process_of(sent, 0), signal.SIGKILL)
    cluster.wait_for(lambda: len(sent.store.attempts(*lost.id)) > 1, "another attempt")
    first = sent.start(0)
    assert first is not None and first.ended is None, "it was killed without a word"
    attempt = sent.store.attempts(*lost.id)[-1]
    assert json.loads((attempt / "job.json").read_text())["batch"]["index"] == 1


def test_a_stage_that_another_job_works_on_is_left_to_it(cluster: Cluster, tmp_path: Path) -> None:
    made = stage("a", does="slow", takes=10.0)
    first = send(cluster, tmp_path, graph(made), [[made.id]])
    cluster.wait_for(lambda: steps_of(first) > 0, "step")
    second = send(cluster, tmp_path, graph(made), [[made.id]])
    cluster.wait_for(lambda: (start := second.start()) and start.requeued, "second copy")
    start = second.start()
    assert start is not None and start.why == "held" and not start.done
    first.wait()
    cluster.wait_for(lambda: "PENDING" in cluster.jobs().values(), "second copy in the queue")
    cluster.call("scontrol", "update", f"JobId={second.job}_0", "StartTime=now")
    second.wait()
    start = second.start()
    assert start is not None and start.restart == 1 and start.why == "finished"
    assert len(outcomes(first.store, made.id)) == 1


def test_a_site_without_requeueing_is_told_why_it_ended(cluster: Cluster, tmp_path: Path) -> None:
    made = rank_stages.stage("a", ranks=1, takes=300.0)
    sent = send(
        cluster,
        tmp_path,
        graph(made),
        [[made.id]],
        resources=Resources(minutes=1),
        slurm={"requeue": False},
    )
    sent.wait()
    end = sent.start()
    assert end is not None and end.why == "time" and end.left == [list(made.id)]
    assert "it is not requeued, for execution.slurm.requeue says so" in end.message
    assert [each["kind"] for each in outcomes(sent.store, made.id)] == ["time"]


def test_what_cannot_be_resumed_and_needs_more_than_a_job_s_time_has_failed(
    cluster: Cluster, tmp_path: Path
) -> None:
    made = stage("a", does="slow", takes=600.0)
    limited = Resources(minutes=1)
    sent = send(cluster, tmp_path, graph(made), [[made.id]], resources=limited)
    sent.wait()
    (end,) = outcomes(sent.store, made.id)
    assert (end["state"], end["kind"]) == ("failed", "time"), sent.log()
    assert "its job's time was up" in end["message"]
