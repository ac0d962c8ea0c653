"""Studies on Slurm end with the very bytes of the local launcher, whatever the cluster does."""

from pathlib import Path

import pytest

from tests.cluster.daemons import Cluster
from tests.cluster.studies import SMALL, Study
from tests.grid.processes import ROOT
from tests.test_killed import STAGES
from tests.test_killed import STUDY as EVERY_STAGE
from tests.test_several_ranks import STUDY as PRETRAINING
from tests.test_several_ranks import TWO

pytestmark = pytest.mark.cluster
LONG = PRETRAINING.replace("updates: 300", "updates: 6000")
"""A pretraining that takes longer than the 30 s between two looks of Slurm at time limits."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The long pretraining with the local launcher."""
    study = Study(tmp_path_factory.mktemp("undisturbed"), LONG, None)
    study.call("run")
    return study


def test_every_stage_has_the_bytes_of_a_local_run(cluster: Cluster, tmp_path: Path) -> None:
    local = Study(tmp_path / "local", EVERY_STAGE, None)
    local.call("run", "--workers", "2")
    study = Study(tmp_path / "slurm", EVERY_STAGE, cluster, *SMALL)
    study.finish()
    assert {name.split()[0] for name in study.payloads()} == STAGES
    assert study.payloads() == local.payloads()
    assert study.leftovers() == []


class Smoke(Study):
    """A published study at its smallest scale."""

    scale = "smoke"


def test_the_curse_of_multilinguality_has_the_bytes_of_a_local_run(
    cluster: Cluster, tmp_path: Path
) -> None:
    text = f"extends: {ROOT}/studies/curse_of_multilinguality.yaml\n"
    local = Smoke(tmp_path / "local", text, None)
    local.call("run", "--workers", "2")
    study = Smoke(tmp_path / "slurm", text, cluster, *SMALL)
    study.finish()
    assert len(study.payloads("pretraining")) >= 3
    assert study.payloads() == local.payloads()


@pytest.mark.parametrize("nodes", [1, 2])
def test_two_ranks_are_two_tasks(cluster: Cluster, tmp_path: Path, nodes: int) -> None:
    local = Study(tmp_path / "local", PRETRAINING, None, TWO)
    local.call("run")
    spread = f"execution.slurm.stages.pretraining.ranks_per_node={2 // nodes}"
    study = Study(tmp_path / "slurm", PRETRAINING, cluster, *SMALL, TWO, spread)
    study.finish()
    assert study.payloads("pretraining") == local.payloads("pretraining")
    assert len(study.payloads("pretraining")) == 1


def test_near_the_time_limit_it_saves_and_is_requeued(
    cluster: Cluster, tmp_path: Path, undisturbed: Study
) -> None:
    study = Study(tmp_path, LONG, cluster, *SMALL)
    study.submit()
    cluster.wait_for(study.work, "progress")
    (work,) = study.work().values()
    cluster.call("scontrol", "update", f"JobId={work.id}", "TimeLimit=1")  # and so it is near
    cluster.wait_for(lambda: cluster.jobs().get(work.id) == "PENDING", "requeued job")
    cluster.call("scontrol", "update", f"JobId={work.id}", "TimeLimit=10")
    study.call("wait")
    (ends,) = study.outcomes("pretraining").values()
    assert ends == ["time", "done"]
    assert study.payloads("pretraining") == undisturbed.payloads("pretraining")


def test_preempted_it_saves_and_is_requeued(
    cluster: Cluster, tmp_path: Path, undisturbed: Study
) -> None:
    study = Study(tmp_path, LONG, cluster, *SMALL, "execution.slurm.partition=low")
    study.submit()
    cluster.wait_for(lambda: study.steps() > 0, "step")
    job = cluster.call("sbatch", "--parsable", "--exclusive", "--nodes=2", "--output=/dev/null",
                       "--partition=main", "--wrap=true")  # fmt: skip
    cluster.wait_for(lambda: job not in cluster.jobs(), "end of the higher job")
    study.call("wait")
    (ends,) = study.outcomes("pretraining").values()
    assert ends == ["preempted", "done"]
    assert study.payloads("pretraining") == undisturbed.payloads("pretraining")
