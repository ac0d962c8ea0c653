"""The local launcher with real servers, real attempts, real failures and real signals."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grid.errors import StoreError
from grid.execution import ExecutionConfig
from grid.graph import Graph
from grid.launch.local import run
from grid.launch.report import Report
from grid.store import Store
from tests.grid.processes import ROOT, living, make_read_only, python, small_disk, wait_for
from tests.grid.tiny_stages import graph, stage

STUDY = """
import sys
from tests.grid.tiny_stages import graph, stage
from grid.execution import ExecutionConfig
from grid.launch.local import run
from grid.store import Store

base = [stage(f"base{i}", value=i, does="slow", takes=0.3) for i in range(6)]
top = [stage(f"top{i}", base[i], base[(i + 1) % 6], value=10 * i) for i in range(6)]
report = run(graph(*base, *top), Store(sys.argv[1]), execution=ExecutionConfig(workers=2))
print("done", len(report.done), "cached", len(report.cached), "ok", report.ok, flush=True)
"""


def launch(made: Graph, root: Path, workers: int = 2) -> tuple[Report, str]:
    stream = io.StringIO()
    report = run(
        made, Store(root), execution=ExecutionConfig(workers=workers), stream=stream, live=False
    )
    return report, stream.getvalue()


def total(root: Path, key: str) -> int:
    path = Store(root).path("tiny", key) / "sum.json"
    return int(json.loads(path.read_text())["sum"])


def test_a_graph_runs_and_the_second_time_nothing_does(tmp_path: Path) -> None:
    a, b = stage("a", value=1), stage("b", value=2)
    c = stage("c", a, b, value=4)
    report, _ = launch(graph(a, b, c), tmp_path)
    assert report.ok and {each.key for each in report.done} == {a.key, b.key, c.key}
    assert total(tmp_path, c.key) == 7
    attempt = tmp_path / "attempts" / "tiny" / c.key / "1"
    assert "the sum is 7" in (attempt / "log").read_text()
    assert json.loads((attempt / "outcome.json").read_text())["state"] == "done"
    manifest = Store(tmp_path).manifest("tiny", c.key)
    assert manifest["environment"]["python"] and manifest["execution"]["threads"] == 1
    assert report.timings[c.id].seconds > 0 and report.timings[c.id].peak_bytes > 1_000_000
    assert 0 < report.busy <= 1 and report.span > 0
    assert not list((tmp_path / "work").rglob("*.lease"))

    again, text = launch(graph(a, b, c), tmp_path)
    assert again.ok and not again.done and len(again.cached) == 3 and text == ""
    assert len(list((tmp_path / "attempts" / "tiny" / c.key).iterdir())) == 1


def test_a_run_that_finds_everything_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    a, other = stage("a"), stage("other")
    assert launch(graph(a), tmp_path)[0].ok
    code = (
        "import os, sys\nfrom grid.store import Store\n"
        "store = Store(sys.argv[1])\nheld = store.acquire('tiny', sys.argv[2])\n"
        "store.temporary('tiny', sys.argv[2])\nos.kill(os.getpid(), 9)\n"
    )
    python(code, str(tmp_path), other.key).wait()
    assert list((tmp_path / "artifacts").rglob(".*~*"))
    report, _ = launch(graph(a), tmp_path)
    assert report.ok and not report.done and not list((tmp_path / "artifacts").rglob(".*~*"))


def test_what_only_finished_stages_needed_is_not_run_again(tmp_path: Path) -> None:
    a = stage("a", value=1)
    b = stage("b", a)
    made = graph(a, b)
    made.targets = {b.id}
    assert launch(made, tmp_path)[0].ok
    (removed,) = (tmp_path / "artifacts" / "tiny").glob(f"*/{a.key}")
    shutil.rmtree(removed)
    report, _ = launch(made, tmp_path)
    assert report.ok and not report.done and [each.key for each in report.cached] == [b.key]


def test_failures_are_told_and_do_not_stop_the_others(tmp_path: Path) -> None:
    wrong = stage("wrong", does="input")
    crash = stage("crash", does="crash")
    killed = stage("killed", does="killed")
    after = stage("after", wrong)
    later = stage("later", after)
    fine = stage("fine", value=3)
    report, text = launch(graph(wrong, crash, killed, after, later, fine), tmp_path)
    assert not report.ok
    assert [each.key for each in report.done] == [fine.key]
    failed = {failure.stage.key: failure for failure in report.failed}
    assert set(failed) == {wrong.key, crash.key, killed.key}
    assert failed[wrong.key].message == "tiny.value: expected something else, found this"
    assert failed[wrong.key].kind == "input"
    log = failed[wrong.key].log
    assert log is not None and "Traceback" not in log.read_text()
    assert failed[crash.key].message == "ValueError: a mistake in the program"
    log = failed[crash.key].log
    assert log is not None and "Traceback" in log.read_text()
    assert "SIGKILL" in failed[killed.key].message
    (attempt,) = Store(tmp_path).attempts("tiny", killed.key)
    outcome = json.loads((attempt / "outcome.json").read_text())
    assert outcome["state"] == "failed" and "SIGKILL" in outcome["message"]
    assert {(each.stage.key, each.because.key) for each in report.blocked} == {
        (after.key, wrong.key),
        (later.key, wrong.key),
    }
    assert "failed" in text
    assert [p.name for p in (tmp_path / "artifacts" / "tiny").rglob(".*")] == []


def test_a_failed_stage_runs_again_and_its_attempts_stay(tmp_path: Path) -> None:
    flag = tmp_path / "fixed"
    made = stage("a", does="crash", fixed_by=str(flag))
    assert not launch(graph(made), tmp_path / "runs")[0].ok
    flag.touch()
    assert launch(graph(made), tmp_path / "runs")[0].ok
    attempts = Store(tmp_path / "runs").attempts("tiny", made.key)
    states = [json.loads((each / "outcome.json").read_text())["state"] for each in attempts]
    assert states == ["failed", "done"]


def test_the_torch_server_has_torch_and_the_light_one_has_not(tmp_path: Path) -> None:
    heavy = stage("heavy", does="torch", needs_torch=True)
    light = stage("light", does="torch")
    report, _ = launch(graph(heavy, light), tmp_path)
    assert [each.key for each in report.done] == [heavy.key]
    assert [each.stage.key for each in report.failed] == [light.key]


def test_an_accelerator_is_only_met_after_the_fork(tmp_path: Path) -> None:
    made = stage("heavy", does="torch", needs_torch=True)
    execution = ExecutionConfig(workers=1, device="cuda")
    report = run(graph(made), Store(tmp_path), execution=execution, stream=io.StringIO())
    (failure,) = report.failed
    assert "torch should have been imported ahead" in failure.message


def test_long_chains_go_first(tmp_path: Path) -> None:
    short = [stage(f"short{i}", value=i) for i in range(3)]
    first = stage("first")
    long = stage("long", first, seconds=100.0)
    report, text = launch(graph(*short, first, long), tmp_path, workers=1)
    assert [each.key for each in report.done[:2]] == [first.key, long.key]
    assert "tiny long-" in text and "started" in text


def test_sigkill_of_the_whole_group_at_any_moment_and_again(tmp_path: Path) -> None:
    moments = [0.3, 0.5, 0.6, 0.7, 0.8, 1.0]
    for moment in moments:
        process = python(STUDY, str(tmp_path))
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    output = python(STUDY, str(tmp_path)).communicate(timeout=120)[0]
    assert "ok True" in output
    assert "waiting" not in output, "dead processes of this machine must not be waited for"
    sums = {}
    for path in (tmp_path / "artifacts" / "tiny").glob("*/*/sum.json"):
        sums[path.parent.name.split("-")[0]] = json.loads(path.read_text())["sum"]
    expected = {f"base{i}": i for i in range(6)}
    expected |= {f"top{i}": 10 * i + i + (i + 1) % 6 for i in range(6)}
    assert sums == expected
    assert list((tmp_path / "artifacts").rglob(".*")) == []
    assert list((tmp_path / "work" / "tiny").iterdir()) == []


def test_a_killed_stage_goes_on_from_its_saved_state(tmp_path: Path) -> None:
    code = STUDY.replace("takes=0.3", "takes=10")
    process = python(code, str(tmp_path))
    told = tmp_path / "attempts"
    wait_for(lambda: any(len(p.read_text().split("\n")) > 2 for p in told.rglob("progress.jsonl")))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (saved, *_) = (tmp_path / "work").rglob("step.txt")
    step = int(saved.read_text())
    assert 1 <= step < 10
    process = python(code, str(tmp_path))
    second = tmp_path / "attempts" / "tiny" / saved.parent.name / "2" / "progress.jsonl"
    wait_for(second.exists)
    assert json.loads(second.read_text().splitlines()[0])["step"] == step + 1
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_tidily(tmp_path: Path, number: signal.Signals) -> None:
    process = python(STUDY.replace("takes=0.3", "takes=600"), str(tmp_path))
    wait_for(lambda: len(list((tmp_path / "attempts").rglob("log"))) == 2)
    os.killpg(process.pid, number)
    output = process.communicate(timeout=120)[0]
    assert not list((tmp_path / "artifacts").rglob("sum.json")), "it waited for no stage's end"
    assert "Interrupted" in output and "goes on from here" in output
    assert "KeyboardInterrupt" in output and process.returncode != 0
    wait_for(lambda: not living(process.pid))


def test_a_killed_launcher_takes_its_stages_with_it(tmp_path: Path) -> None:
    process = python(STUDY.replace("takes=0.3", "takes=600"), str(tmp_path))
    wait_for(lambda: len(list((tmp_path / "attempts").rglob("log"))) == 2)
    process.kill()
    process.communicate(timeout=120)
    wait_for(lambda: not living(process.pid))
    assert not list((tmp_path / "artifacts").rglob("sum.json")), "nobody went on and published"


def test_two_launchers_share_the_work(tmp_path: Path) -> None:
    both = [python(STUDY, str(tmp_path)) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert all("ok True" in output for output in outputs), outputs
    attempts = list((tmp_path / "attempts" / "tiny").glob("*/*/outcome.json"))
    done = [path for path in attempts if json.loads(path.read_text())["state"] == "done"]
    assert 12 <= len(done) <= len(attempts)
    assert len(list((tmp_path / "artifacts" / "tiny").glob("*/*/sum.json"))) == 12


def test_a_stage_that_was_taken_over_is_waited_for_and_no_failure(tmp_path: Path) -> None:
    made = stage("a", value=3, does="displaced", fixed_by=str(tmp_path / "flag"))
    report, text = launch(graph(made, stage("b", made)), tmp_path / "runs")
    assert report.ok and "another process works on it" in text
    assert len(Store(tmp_path / "runs").attempts("tiny", made.key)) == 2


def test_stages_of_many_threads_have_fewer_workers(tmp_path: Path) -> None:
    execution = ExecutionConfig(threads=len(os.sched_getaffinity(0)))
    report = run(graph(stage("a")), Store(tmp_path), execution=execution, stream=io.StringIO())
    assert report.ok and report.workers == 1


def test_a_full_disk_stops_the_run_and_keeps_what_is_finished(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        flag = tmp_path / "freed"
        first = stage("first", value=1)
        full = stage("full", first, does="fill", fixed_by=str(flag))
        rest = [stage(f"rest{i}", full, value=i) for i in range(3)]
        report, _ = launch(graph(first, full, *rest), disk, workers=1)
        (failure,) = report.failed
        assert failure.kind == "store" and failure.stage.key == full.key
        assert "no space is left" in failure.message and "--store" in failure.message
        assert failure.log is not None and "Traceback" not in failure.log.read_text()
        assert [each.key for each in report.done] == [first.key]
        assert len(report.blocked) == 3
        flag.touch()
        again, _ = launch(graph(first, full, *rest), disk, workers=1)
        assert again.ok and len(again.done) == 4 and len(again.cached) == 1


def test_a_stage_that_another_holds_is_named_after_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        full = stage("full", does="fill")
        held = stage("held", does="displaced", fixed_by=str(tmp_path / "flag"), takes=2)
        report, _ = launch(graph(full, held), disk)
        assert [failure.stage.key for failure in report.failed] == [full.key]
        assert [(each.stage.key, each.because.key) for each in report.blocked] == [
            (held.key, full.key)
        ]


def test_a_read_only_store_serves_what_it_has_and_refuses_the_rest(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        a, b = stage("a"), stage("b")
        assert launch(graph(a), disk)[0].ok
        make_read_only(disk)
        assert launch(graph(a), disk)[0].cached
        with pytest.raises(StoreError, match="read-only"):
            launch(graph(a, b), disk)


def test_one_attempt_by_hand(tmp_path: Path) -> None:
    made = stage("a", does="input")
    launch(graph(made), tmp_path)
    (attempt,) = Store(tmp_path).attempts("tiny", made.key)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "grid.stage", str(attempt)]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.strip() == "tiny.value: expected something else, found this"


def test_a_stage_server_that_is_killed_fails_its_stages_and_is_replaced(tmp_path: Path) -> None:
    code = STUDY.replace("takes=0.3", "takes=2")
    process = python(code, str(tmp_path))
    wait_for(lambda: len(list((tmp_path / "attempts").rglob("log"))) == 2)
    (server,) = (pid for pid, parent in living(process.pid).items() if parent == process.pid)
    os.kill(server, signal.SIGKILL)
    output = process.communicate(timeout=120)[0]
    assert "failed" in output and "ok False" in output
    assert "done 7 cached" in output, "four of six were run after it, with what they lead to"
