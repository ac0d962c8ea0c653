"""Stages of several ranks with real processes: they meet, they stop, they die, and none is left."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grid.execution import ExecutionConfig
from grid.launch.jobs import job_of
from grid.launch.local import run
from grid.launch.report import Report
from grid.lease import read
from grid.outcome import logs_of
from grid.status import standings
from grid.store import Store
from tests.grid import tiny_stages
from tests.grid.processes import ROOT, living, python, wait_for
from tests.grid.rank_stages import STEPS, stage
from tests.grid.tiny_stages import graph

STUDY = """
import sys
from tests.grid.rank_stages import stage
from tests.grid.tiny_stages import graph
from grid.execution import ExecutionConfig
from grid.launch.local import run
from grid.store import Store

made = stage("a", ranks=2, takes=float(sys.argv[2]), does=sys.argv[3])
execution = ExecutionConfig(workers=2, tensor_parallel=2, stop_seconds=float(sys.argv[4]))
report = run(graph(made), Store(sys.argv[1]), execution=execution)
print("done", len(report.done), "ok", report.ok, flush=True)
for failure in report.failed:
    print("failed", failure.message, flush=True)
"""


def launch(
    root: Path, *stages: Any, gpus: list[str] | None = None, **execution: Any
) -> tuple[Report, str]:
    stream = io.StringIO()
    placed = ExecutionConfig(**{"workers": 2, **execution})
    report = run(graph(*stages), Store(root), execution=placed, stream=stream, gpus=gpus)
    return report, stream.getvalue()


def study(root: Path, takes: float, does: str = "add", stop_seconds: float = 30) -> Any:
    return python(STUDY, str(root), str(takes), does, str(stop_seconds))


def payload(root: Path, made: Any) -> dict[str, Any]:
    return dict(json.loads((Store(root).path(*made.id) / "ranks.json").read_text()))


def ranks_of(group: int) -> list[int]:
    """The living processes of a group that are ranks, in their order."""
    found = []
    for pid in living(group):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"grid.rank" in command:
            found += [(part, pid) for part in environment if part.startswith(b"RANK=")]
    return [pid for _, pid in sorted(found)]


def step_of(root: Path) -> int:
    lines = [
        line
        for file in (root / "attempts").rglob("progress.jsonl")
        for line in file.read_text().splitlines()
    ]
    return max((json.loads(line)["step"] for line in lines), default=0)


def ranks_at_work(root: Path) -> int:
    """Ranks of whose stage the first line of its log tells that it runs."""
    return sum(file.read_text().startswith("rank ") for file in root.rglob("log*"))


def outcome(root: Path, number: int = 1) -> dict[str, Any]:
    (file,) = (root / "attempts" / "ranks").glob(f"*/{number}/outcome.json")
    return dict(json.loads(file.read_text()))


def test_every_rank_runs_and_one_writes(tmp_path: Path) -> None:
    made = stage("a", ranks=3)
    report, text = launch(
        tmp_path, made, tensor_parallel=3, monitors={"csv_monitor": {"enabled": False}}
    )
    assert report.ok
    assert payload(tmp_path, made)["sum"] == sum(range(STEPS)) * (0 + 1 + 2)
    said = payload(tmp_path, made)["ranks"]
    assert [each["rank"] for each in said] == [0, 1, 2]
    assert len({each["pid"] for each in said}) == 3, "each has a process of its own"
    (attempt,) = Store(tmp_path).attempts(*made.id)
    assert [(attempt / name).read_text() for name in ("log", "log.rank1", "log.rank2")] == [
        f"rank {rank} of 3\n" for rank in range(3)
    ]
    execution = Store(tmp_path).manifest(*made.id)["execution"]
    assert execution["ranks"] == execution["tensor_parallel"] == 3
    assert execution["data_parallel"] == 1 and execution["micro_batch"] is None
    assert execution["monitors"] == {"csv_monitor": {"enabled": False}}
    assert "3 ranks of 1 threads share" in text or len(os.sched_getaffinity(0)) >= 3


def test_a_stage_of_one_rank_has_no_process_but_its_own(tmp_path: Path) -> None:
    made = stage("a", ranks=1)
    report, _ = launch(tmp_path, made, tensor_parallel=2)
    assert report.ok
    (only,) = payload(tmp_path, made)["ranks"]
    assert only["tensor_parallel"] == 1, "the degree is for stages that have the ranks for it"
    (attempt,) = Store(tmp_path).attempts(*made.id)
    assert not (attempt / "rank0.json").exists()


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("killed", r"rank 1 of 2 was ended by SIGKILL \(out of memory\?\); the end of its log:\n"),
        ("crash", "rank 1 of 2 failed: ValueError: a mistake in one rank"),
        ("input", "tiny.value: expected something else, found this"),
        ("exit", "rank 1 of 2 ended with status 7 and no outcome; the end of its log:"),
    ],
)
def test_a_rank_that_fails_ends_the_others(tmp_path: Path, does: str, message: str) -> None:
    flag = tmp_path / "fixed"
    made = stage("a", does=does, fixed_by=str(flag))
    report, _ = launch(tmp_path / "runs", made)  # and ends, though rank 0 waits without end
    (failure,) = report.failed
    assert re.match(message, failure.message), failure.message
    assert ("its last words" in failure.message) == (does == "killed")
    assert failure.kind == (does if does in ("input", "killed") else "crash")
    assert not ranks_of(os.getpgid(0))
    seen = read(Store(tmp_path / "runs").lease_folder(*made.id))
    assert seen is not None and seen.released
    flag.touch()
    again, _ = launch(tmp_path / "runs", made)
    assert again.ok and payload(tmp_path / "runs", made)["ranks"][0]["step"] == 3, "from its save"
    assert payload(tmp_path / "runs", made)["sum"] == sum(range(STEPS))


def test_a_rank_that_hangs_is_ended_with_the_others(tmp_path: Path) -> None:
    process = python(
        STUDY.replace("stop_seconds=", "hang_seconds=15.0, stop_seconds="),
        *(str(tmp_path), "20", "add", "30"),
    )
    wait_for(lambda: step_of(tmp_path) >= 1)
    os.kill(ranks_of(process.pid)[1], signal.SIGSTOP)
    output = process.communicate(timeout=120)[0]
    assert re.search(r"failed it hung at step \d+ of 10: no progress for \d+ s", output), output
    (outcome,) = tmp_path.glob("attempts/ranks/*/1/outcome.json")
    assert json.loads(outcome.read_text())["kind"] == "hung"
    assert not living(process.pid)


def test_any_rank_that_is_killed_is_named(tmp_path: Path) -> None:
    process = study(tmp_path, takes=20)
    wait_for(lambda: step_of(tmp_path) >= 1)
    os.kill(ranks_of(process.pid)[0], signal.SIGKILL)
    output = process.communicate(timeout=120)[0]
    assert "failed rank 0 of 2 was ended by SIGKILL" in output
    assert not living(process.pid)


def test_a_killed_supervisor_takes_its_ranks_with_it(tmp_path: Path) -> None:
    process = study(tmp_path, takes=20)
    wait_for(lambda: step_of(tmp_path) >= 1)
    ranks = ranks_of(process.pid)
    assert len(ranks) == 2
    parents = {living(process.pid)[rank] for rank in ranks}
    os.kill(parents.pop(), signal.SIGKILL)
    output = process.communicate(timeout=120)[0]
    assert not parents and "SIGKILL" in output
    wait_for(lambda: not living(process.pid))
    (lease,) = (tmp_path / "work" / "ranks").glob("*.lease")
    seen = read(lease)
    assert seen is not None and seen.dead, "the next run need not wait for its expiry"


def test_a_killed_launcher_leaves_no_rank(tmp_path: Path) -> None:
    process = study(tmp_path, takes=20)
    wait_for(lambda: step_of(tmp_path) >= 1)
    process.kill()
    process.communicate(timeout=120)
    wait_for(lambda: not living(process.pid))
    assert not list((tmp_path / "artifacts").rglob("ranks.json"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_from_what_it_saved(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = study(tmp_path, takes=5)
    wait_for(lambda: step_of(tmp_path) >= 5)
    os.killpg(process.pid, number)
    output = process.communicate(timeout=120)[0]
    assert (
        "Stopping: waiting at most 30 s for the state of ranks a-" in output
        and "Interrupted" in output
    )
    assert not living(process.pid)
    reached = step_of(tmp_path)
    assert outcome(tmp_path)["state"] == "stopped"
    assert outcome(tmp_path)["message"] == f"saved after step {reached} of {STEPS}"
    assert "failed" not in output
    again = study(tmp_path, takes=5)
    assert "ok True" in again.communicate(timeout=120)[0]
    (result,) = (tmp_path / "artifacts" / "ranks").glob("*/*/ranks.json")
    value = json.loads(result.read_text())
    assert value["ranks"][0]["step"] == reached, "at the step that was saved, not an older one"
    assert value["sum"] == sum(range(STEPS))


def test_a_stopped_stage_is_told_apart_from_a_failed_one(tmp_path: Path) -> None:
    """A signal to the attempt itself, from outside: nobody asked the launcher to stop."""
    process = study(tmp_path, takes=5)
    wait_for(lambda: step_of(tmp_path) >= 2)
    supervisors = {living(process.pid)[rank] for rank in ranks_of(process.pid)}
    os.kill(supervisors.pop(), signal.SIGUSR2)
    output = process.communicate(timeout=120)[0]
    assert "done 0 ok False" in output and "failed" not in output
    made = stage("a", ranks=2, takes=5.0)
    one = graph(made)
    found = standings(one, Store(tmp_path))[made.id]
    reached = step_of(tmp_path)
    assert found.state == "stopped" and found.attempts == 1
    assert found.message == f"saved after step {reached} of {STEPS}"
    (attempt,) = Store(tmp_path).attempts(*made.id)
    assert [log.name for log in logs_of(attempt)] == ["log", "log.rank1"]


def test_a_stage_that_hears_nothing_is_ended_in_time(tmp_path: Path) -> None:
    process = study(tmp_path, takes=300, does="deaf", stop_seconds=1)
    wait_for(lambda: ranks_at_work(tmp_path) == 2)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    wait_for(lambda: not living(process.pid))
    assert outcome(tmp_path)["state"] == "stopped"
    assert outcome(tmp_path)["message"] == "stopped before it had saved its state"


def test_a_second_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    process = study(tmp_path, takes=300, does="deaf", stop_seconds=600)
    wait_for(lambda: ranks_at_work(tmp_path) == 2)
    assert process.stdout is not None
    os.killpg(process.pid, signal.SIGINT)
    assert any("Stopping: waiting at most 10 min" in line for line in process.stdout)
    assert process.poll() is None and len(ranks_of(process.pid)) == 2, "it waits for them"
    os.killpg(process.pid, signal.SIGINT)
    assert "Interrupted" in process.stdout.read()
    assert process.wait(timeout=120) != 0
    wait_for(lambda: not living(process.pid))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_an_attempt_by_hand_stops_on_a_scheduler_s_signals(
    tmp_path: Path, number: signal.Signals
) -> None:
    made = stage("a", takes=5)
    store = Store(tmp_path)
    store.prepare()
    attempt = store.new_attempt(*made.id, job_of(made, store, ExecutionConfig(), wait=True))
    process = subprocess.Popen(
        [sys.executable, "-m", "grid.stage", str(attempt)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(lambda: step_of(tmp_path) >= 1)
    process.send_signal(number)
    assert process.wait(timeout=120) == 4
    assert outcome(tmp_path)["state"] == "stopped"
    assert store.work(*made.id).is_dir() and not living(process.pid)
    seen = read(store.lease_folder(*made.id))
    assert seen is not None and seen.released


def test_gpus_are_shared_out_and_never_twice(tmp_path: Path) -> None:
    pair = [stage(f"pair{i}", ranks=2, needs_torch=True, takes=0.5) for i in range(2)]
    single = [stage(f"one{i}", ranks=1, needs_torch=True, takes=0.3) for i in range(2)]
    light = tiny_stages.stage("light")
    gpus = ["0", "3", "MIG-a"]
    report, _ = launch(tmp_path, *pair, *single, light, gpus=gpus, device="cuda", workers=8)
    assert report.ok
    spans = []
    for made in (*pair, *single):
        said = payload(tmp_path, made)["ranks"]
        (seen,) = {each["gpus"] for each in said}
        assert len(seen.split(",")) == made.ranks and set(seen.split(",")) <= set(gpus)
        expected = ["cuda"] if made.ranks == 1 else ["cuda:0", "cuda:1"]
        assert [each["device"] for each in said] == expected
        timing = report.timings[made.id]
        spans.append((timing.started, timing.ended, set(seen.split(","))))
    for start, end, mine in spans:
        others = [theirs for s, e, theirs in spans if s < end and start < e and theirs is not mine]
        assert not any(mine & theirs for theirs in others)


def test_a_stage_of_many_ranks_runs_alone(tmp_path: Path) -> None:
    wide = stage("wide", ranks=3, takes=0.3)
    others = [tiny_stages.stage(f"t{i}", value=i, does="slow", takes=0.3) for i in range(3)]
    report, _ = launch(tmp_path, wide, *others, workers=2)
    assert report.ok and report.timings[wide.id].workers == 2
    timing = report.timings[wide.id]
    for other in others:
        theirs = report.timings[other.id]
        assert theirs.ended <= timing.started + 0.01 or timing.ended <= theirs.started + 0.01
