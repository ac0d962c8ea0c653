"""The test cluster itself: it starts, runs jobs, survives its daemons, and leaves nothing."""

import getpass
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.daemons import ACCOUNT, Cluster
from tests.grid.processes import ROOT, wait_for

pytestmark = pytest.mark.cluster


def submitted(cluster: Cluster, folder: Path, command: str, *options: str) -> str:
    return cluster.call(
        "sbatch", "--parsable", f"--output={folder}/%j.out", *options, f"--wrap={command}"
    )


def test_jobs_run_on_every_node(cluster: Cluster, tmp_path: Path) -> None:
    for node in cluster.nodes:
        submitted(cluster, tmp_path, f"hostname; touch {tmp_path}/{node}", f"-w{node}")
    cluster.wait_for(lambda: not cluster.jobs(), "end of the jobs")
    assert all((tmp_path / node).exists() for node in cluster.nodes)


def test_a_killed_node_and_a_restarted_controller_come_back(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.kill("node1")
    cluster.restart("slurmctld")
    cluster.reset()
    submitted(cluster, tmp_path, f"touch {tmp_path}/there", "-wnode1")
    cluster.wait_for(lambda: not cluster.jobs(), "end of the job")
    assert (tmp_path / "there").exists(), "the job ran on the node that had been killed"


def test_accounting_knows_what_ended(accounting_cluster: Cluster, tmp_path: Path) -> None:
    job = submitted(accounting_cluster, tmp_path, "exit 3")
    sacct = ["sacct", "-n", "-X", "-P", "-j", job, "-o"]
    accounting_cluster.wait_for(
        lambda: accounting_cluster.call(*sacct, "State") not in ("", "PENDING", "RUNNING"),
        "record of the job's end",
    )
    record = accounting_cluster.call(*sacct, "State,ExitCode,Account")
    assert record == f"FAILED|3:0|{ACCOUNT}"


@pytest.mark.skipif(getpass.getuser() != "root", reason="only root may start others' processes")
def test_it_runs_without_root(cluster: Cluster) -> None:
    with Cluster(nodes=1, user="nobody") as other:
        other.call("sbatch", f"--output={other.folder}/out", "--wrap=id -un")
        other.wait_for(lambda: not other.jobs(), "end of the job")
        assert (other.folder / "out").read_text() == "nobody\n"


SESSION = """\
import time
from tests.cluster.daemons import Cluster
with Cluster(nodes=1) as cluster:
    cluster.call("sbatch", "--output=/dev/null", "--wrap=sleep 4321")
    cluster.wait_for(lambda: "RUNNING" in cluster.jobs().values(), "job")
    print(cluster.folder, flush=True)
    time.sleep(600)
"""


def test_nothing_outlives_a_killed_session(cluster: Cluster) -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert session.stdout is not None
    folder = Path(session.stdout.readline().strip())
    marks = [str(folder), "sleep 4321"]
    assert len(processes_with(*marks)) >= 4
    os.killpg(session.pid, signal.SIGKILL)
    session.wait()
    wait_for(lambda: not processes_with(*marks))
    assert not folder.exists()


def processes_with(*texts: str) -> list[str]:
    """Command lines of the living processes that name one of these."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if any(text in line for text in texts):
            lines.append(line)
    return lines
