"""A launcher in a job: it tries again what was killed, and leaves to others their work."""

import io
import json
import os
import signal
import threading
import time
from pathlib import Path

from grid import lease
from grid.execution import ExecutionConfig
from grid.graph import Graph
from grid.launch.gpus import Pool
from grid.launch.interrupt import Interrupts
from grid.launch.local import Launcher
from grid.launch.policy import Policy
from grid.launch.report import Report
from grid.store import Store
from tests.grid import rank_stages
from tests.grid.processes import python, wait_for
from tests.grid.test_launch import STUDY
from tests.grid.tiny_stages import graph, stage


def launch(
    made: Graph, root: Path, request: Interrupts | None = None, **policy: object
) -> tuple[Report, str]:
    execution, stream = ExecutionConfig(workers=2), io.StringIO()
    own = Policy(wait=False, **policy)  # type: ignore[arg-type]
    launcher = Launcher(made, Store(root), execution, Pool(execution), own)
    return launcher.run(request or Interrupts(), stream, live=False), stream.getvalue()


def test_what_was_killed_is_tried_again_so_often_and_what_crashed_is_not(tmp_path: Path) -> None:
    killed, crash = stage("killed", does="killed"), stage("crash", does="crash")
    report, text = launch(graph(killed, crash), tmp_path, retries=2)
    assert {each.stage.key: each.kind for each in report.failed} == {
        killed.key: "killed",
        crash.key: "crash",
    }
    assert len(Store(tmp_path).attempts("tiny", killed.key)) == 3
    assert len(Store(tmp_path).attempts("tiny", crash.key)) == 1
    assert "tried again (2 of 2)" in text


def test_what_another_process_works_on_is_left_to_it(tmp_path: Path) -> None:
    other = python(STUDY, str(tmp_path))
    wait_for(lambda: any(tmp_path.glob("work/tiny/*.lease")))
    (held,) = [path.stem for path in sorted(tmp_path.glob("work/tiny/*.lease"))[:1]]
    base = [stage(f"base{i}", value=i, does="slow", takes=0.3) for i in range(6)]
    theirs = next(each for each in base if each.key == held)
    top, mine = stage("after", theirs), stage("mine", value=7)
    report, _ = launch(graph(theirs, top, mine), tmp_path)
    other.communicate(timeout=120)
    assert mine in report.done
    if theirs not in report.done:  # it was still at work on it, however short that is
        assert report.held == [theirs] and not report.ok
        assert [each.stage for each in report.blocked] == [top]


def test_an_attempt_says_which_job_made_it(tmp_path: Path) -> None:
    made = stage("a")
    launch(graph(made), tmp_path, batch={"submission": "one", "job": "12"})
    (attempt,) = Store(tmp_path).attempts(*made.id)
    assert json.loads((attempt / "job.json").read_text())["batch"]["job"] == "12"


def test_an_attempt_that_hears_of_the_end_before_its_launcher_has_the_cause_too(
    tmp_path: Path,
) -> None:
    made, store = rank_stages.stage("a", takes=2.0), Store(tmp_path)
    request = Interrupts()
    request.cause = "cancelled"

    def signal_all() -> None:
        wait_for(lambda: any(tmp_path.glob("attempts/*/*/*/progress.jsonl")))
        seen = lease.read(store.lease_folder(*made.id))
        assert seen is not None and seen.holder is not None
        os.kill(seen.holder.pid, signal.SIGTERM)
        time.sleep(0.6)
        request.asked = True

    scheduler = threading.Thread(target=signal_all)
    scheduler.start()
    report, _ = launch(graph(made), tmp_path, request)
    scheduler.join()
    assert report.stopped == [made]
    (attempt,) = store.attempts(*made.id)
    outcome = json.loads((attempt / "outcome.json").read_text())
    assert (outcome["state"], outcome["kind"]) == ("stopped", "cancelled")
