"""Processes on one store that are killed, stopped and woken; a holder that lost its lease."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grid import lease
from grid.execution import ExecutionConfig
from grid.launch.jobs import job_of
from grid.store import Store
from tests.contention.campaign import Campaign
from tests.contention.record import judge
from tests.contention.stages import BEAT, LOG, WORKER, graph
from tests.grid.processes import ROOT, wait_for


@pytest.mark.slow
def test_processes_that_die_and_sleep_compute_every_stage_once_at_a_time(tmp_path: Path) -> None:
    campaign = Campaign(
        folder=tmp_path, processes=5, seed=3, seconds=25, expiry=3, beat=0.3, pause=0.6
    )
    found = campaign.run()
    print(*campaign.acts.items(), *found.lines(), sep="\n")
    assert not found.faults
    assert found.ended >= 36 and campaign.acts, "something was computed, and disturbed"


def test_a_holder_that_has_lost_its_lease_ends_and_does_not_publish(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made = next(iter(graph(1, range(1)).stages.values()))
    made.config.seconds = 600.0
    attempt = store.new_attempt(*made.id, job_of(made, store, ExecutionConfig()))
    names = {LOG: str(tmp_path / "log"), WORKER: "p0", BEAT: "0.05", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE, str(attempt)], cwd=ROOT, env={**os.environ, **names}
    )
    try:
        wait_for((tmp_path / "log").exists)
        folder = store.lease_folder(*made.id)
        other = lease.acquire(folder, stale=lease.read(folder))
        while other is None:  # its counter has changed since the look
            other = lease.acquire(folder, stale=lease.read(folder))
        work = store.work(*made.id)
        wait_for(work.is_dir)
        assert process.wait(timeout=300) == 3
    finally:
        process.kill()
        process.wait()
    assert json.loads((attempt / "outcome.json").read_text())["state"] == "held"
    assert not store.has(*made.id) and work.is_dir() and other.confirm()
    other.remove()


STAGE = """
import sys
from pathlib import Path
import tests.contention.stages
from grid.stage import main
sys.exit(main([sys.argv[1]]))
"""


def line(event: str, time: float, **facts: object) -> dict[str, object]:
    return {"event": event, "time": time, **facts}


def computed(worker: str, start: float, end: float | None) -> list[dict[str, object]]:
    own = {"key": "a", "token": worker, "pid": 1, "worker": worker}
    lines = [line("start", start, lease=1, **own)]
    return lines if end is None else [*lines, line("end", end, **own)]


STOP = [line("stop", 1.0, on="p0.1", pid=1)]
WAKE = [line("continue", 50.0, on="p0.1", pid=1)]


@pytest.mark.parametrize(
    ("lines", "published", "fault"),
    [
        (computed("p0.1", 0, 2) + computed("p1.1", 3, 4), "p1.1", None),
        (computed("p0.1", 0, 4) + computed("p1.1", 3, 5), "p1.1", "at once"),
        (computed("p0.1", 0, None) + computed("p1.1", 3, 5), "p1.1", "at once"),
        (computed("p0.1", 0, None) + STOP + computed("p1.1", 32, 35), "p1.1", None),
        (computed("p0.1", 0, 51) + STOP + WAKE + computed("p1.1", 32, 35), "p1.1", None),
        (computed("p0.1", 0, 51) + STOP + WAKE + computed("p1.1", 32, 35), "p0.1", "displaced"),
        (computed("p0.1", 0, None) + STOP + computed("p1.1", 3, 5), "p1.1", "too short"),
    ],
)
def test_the_judge_tells_one_at_a_time_from_two(
    lines: list[dict[str, object]], published: str, fault: str | None
) -> None:
    lines.sort(key=lambda each: float(str(each["time"])))
    faults = judge(lines, {"a": published}, 30.0).faults
    assert (faults == []) if fault is None else (len(faults) == 1 and fault in faults[0])
