"""What runs inside a job: shares, ranks by srun, warnings, requeueing, and every way to die."""

import json
from pathlib import Path

import pytest

from grid.slurm.resources import Resources
from tests.cluster.daemons import Cluster
from tests.cluster.sending import send
from tests.grid import rank_stages
from tests.grid.tiny_stages import graph, stage

pytestmark = pytest.mark.cluster


def test_shares_are_run_and_failures_block_only_what_needs_them(
    cluster: Cluster, tmp_path: Path
) -> None:
    a, wrong = stage("a", value=1), stage("wrong", does="input")
    b, after = stage("b", a, value=2), stage("after", wrong)
    sent = send(cluster, tmp_path, graph(a, b, wrong, after), [[a.id, b.id], [wrong.id, after.id]])
    sent.wait()
    assert sent.store.has(*b.id), sent.log()
    first, second = sent.start(0), sent.start(1)
    assert first is not None and first.why == "finished" and len(first.done) == 2
    assert second is not None and second.failed == [[*wrong.id, "input"]], second
    assert second.left == [list(after.id)] and second.why == "blocked"
    (attempt,) = sent.store.attempts(*a.id)
    batch = json.loads((attempt / "job.json").read_text())["batch"]
    assert batch["array"] == "all" and batch["index"] == 0 and batch["job"]


def test_an_element_without_its_inputs_ends_and_names_them(
    cluster: Cluster, tmp_path: Path
) -> None:
    wrong = stage("wrong", does="input")
    after = stage("after", wrong)
    made = graph(wrong, after)
    send(cluster, tmp_path, made, [[wrong.id]]).wait()
    sent = send(cluster, tmp_path, made, [[after.id]])
    sent.wait()
    end = sent.start()
    assert end is not None and end.why == "blocked" and "tiny wrong" in end.message


@pytest.mark.parametrize("nodes", [1, 2])
def test_ranks_are_tasks_of_the_job(cluster: Cluster, tmp_path: Path, nodes: int) -> None:
    made = rank_stages.stage("a", ranks=2)
    resources = Resources(minutes=10, nodes=nodes, tasks_per_node=2 // nodes)
    sent = send(cluster, tmp_path, graph(made), [[made.id]], resources=resources)
    sent.wait()
    assert sent.store.has(*made.id), sent.log()
    ranks = json.loads((sent.store.path(*made.id) / "ranks.json").read_text())["ranks"]
    assert [each["rank"] for each in ranks] == [0, 1]
