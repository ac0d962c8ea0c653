"""A study that loses ranks, jobs, nodes, daemons and its submitter, all at once, loses nothing."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import started
from tests.cluster.daemons import Cluster
from tests.cluster.studies import SMALL, Study
from tests.grid.processes import wait_for
from tests.test_several_ranks import STUDY, TWO

pytestmark = pytest.mark.cluster
SEEDS = 4
TEXT = STUDY + f"replicates: {{seed: {{range: [1, {SEEDS}]}}}}\n"
ALONE = "execution.slurm.job_minutes=0.01"
SAVING = "execution.checkpoint_seconds=0.5"


@pytest.fixture
def fragile() -> Iterator[Cluster]:
    """Four nodes with room for one job of two ranks each; one that is silent is soon down."""
    yield from started(nodes=4, cpus=2, node_seconds=30, return_to_service=1)


def test_nothing_is_lost_doubled_or_left_pending(fragile: Cluster, tmp_path: Path) -> None:
    local = Study(tmp_path / "local", TEXT, None, TWO)
    local.call("run", "--workers", "8")
    study = Study(tmp_path / "slurm", TEXT, fragile, TWO, SAVING, *SMALL, ALONE)
    submitter = study.start("run", "--launcher", "slurm")
    wait_for(lambda: bool(fragile.jobs()))
    os.killpg(submitter.pid, signal.SIGKILL)
    study.submit()
    fragile.wait_for(lambda: len(study.work()) == SEEDS, "progress of all", 240.0)
    jobs = study.work()
    killed, cancelled, downed, orphaned = sorted(jobs)

    os.kill(jobs[killed].ranks[1], signal.SIGKILL)
    fragile.call("scancel", jobs[cancelled].id)
    fragile.restart("slurmctld")
    fragile.call("scontrol", "update", f"NodeName={jobs[downed].node}", "State=DOWN", "Reason=test")
    fragile.kill(jobs[orphaned].node)

    study.call("wait", status=1)
    ends = study.outcomes("pretraining")
    assert ends[killed] == ["killed", "done"], study.logs()
    assert ends[cancelled] == ["cancelled"]
    assert ends[downed][0] == "node" and ends[downed][-1] == "done"
    assert ends[orphaned].count("done") == 1
    assert fragile.jobs() == {}

    fragile.reset()
    study.finish()
    assert study.outcomes("pretraining")[cancelled] == ["cancelled", "done"]
    assert study.payloads() == local.payloads()
    assert study.leftovers() == []
