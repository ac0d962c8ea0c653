"""Where stages stand, by files and by what Slurm says; and what a person is told of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from grid.graph import Graph, StageId
from grid.slurm.elements import Element, write
from grid.slurm.queue import Job, Past
from grid.slurm.submission import Submission
from grid.slurm.watch import View, joined
from grid.states import states_of
from grid.status import standings
from grid.store import Store
from tests.grid.slurm.written import ID, job, submission
from tests.grid.tiny_stages import graph, stage

BASE = stage("base")
LEFT, RIGHT = stage("left", BASE), stage("right", BASE)
LAST = stage("last", LEFT)
OTHER = stage("other")
STAGES = (BASE, LEFT, RIGHT, LAST, OTHER)


@pytest.fixture
def of() -> Graph:
    return graph(*STAGES)


def attempt(
    store: Store, id: StageId, outcome: dict[str, object] | None = None, element: int | None = None
) -> Path:
    """An attempt, by an element of the array a1 where that is said."""
    batch = {"submission": ID, "array": "a1", "index": element, "job": "70", "restart": 0}
    folder = store.new_attempt(*id, {"batch": None if element is None else batch})
    (folder / "log").write_text("what it said\n")
    if outcome is not None:
        (folder / "outcome.json").write_text(json.dumps({"message": "", **outcome}))
    return folder


def seen(made: Submission, *jobs: Job) -> View:
    elements = joined([made], jobs)
    return View(elements=tuple(elements), of={id: each for each in elements for id in each.share})


def states(found: dict[StageId, object]) -> dict[str, str]:
    return {key.partition("-")[0]: each.state for (_, key), each in found.items()}  # type: ignore[attr-defined]


def test_what_waits_for_a_failed_stage_is_blocked_and_says_by_whom(
    tmp_path: Path, of: Graph
) -> None:
    store = Store(tmp_path)
    attempt(store, LEFT.id, {"state": "failed", "kind": "input", "message": "tiny.value: bad"})

    found = standings(of, store)

    assert states(found) == {  # type: ignore[arg-type]
        "base": "to run",
        "left": "failed",
        "right": "to run",
        "last": "blocked",
        "other": "to run",
    }
    assert found[LAST.id].because == LEFT.id
    assert found[LAST.id].message == f"tiny {LEFT.key} failed: tiny.value: bad"
    assert found[LEFT.id].cause == "input" and found[LEFT.id].attempts == 1
    cells = states_of(of, found, [], {})
    assert cells[LAST.key].name == "blocked" and cells[LEFT.key].name == "failed"


def test_a_stage_runs_as_long_as_its_lease_is_held(tmp_path: Path, of: Graph) -> None:
    store = Store(tmp_path)
    held = store.acquire(*OTHER.id)
    assert held is not None
    folder = attempt(store, OTHER.id)

    found = standings(of, store)[OTHER.id]
    assert found.state == "running" and found.attempt == folder and found.node
    attempt(store, OTHER.id, {"state": "held"})  # another launcher's, which went away
    found = standings(of, store)[OTHER.id]
    assert found.state == "running" and found.attempt == folder and found.attempts == 2
    held.release()
    assert standings(of, store)[OTHER.id].state == "to run"


def test_slurm_adds_what_waits_and_why(tmp_path: Path, of: Graph) -> None:
    store = Store(tmp_path)
    made = submission(tmp_path, of, {"a1": [[BASE.id], [OTHER.id]], "a2": [[LEFT.id, RIGHT.id]]})
    made = made.with_job("a1", "7").with_job("a2", "8")
    view = seen(
        made,
        job("7", 0, "PENDING", reason="Priority"),
        job("7", 1, "RUNNING", node="node3"),
        job("8", 0, "PENDING", "a2", reason="Dependency"),
    )

    found = standings(of, store, view)

    assert states(found) == {  # type: ignore[arg-type]
        "base": "queued",
        "left": "queued",
        "right": "queued",
        "last": "to run",
        "other": "queued",
    }
    assert (found[BASE.id].message, found[BASE.id].job) == ("Priority", "7_0")
    assert found[LEFT.id].message == "Dependency"
    assert found[OTHER.id].message == "its job works on other stages"
    assert states_of(of, found, [], {})[LEFT.key].name == "queued"


@pytest.mark.parametrize(
    ("state", "cause", "told"),
    [
        ("OUT_OF_MEMORY", "memory", "job 7_0 on node3 ran out of memory"),
        ("TIMEOUT", "time", "job 7_0 on node3 ran out of time"),
        ("NODE_FAIL", "node", "job 7_0 on node3 lost its node, or was ended there without a word"),
        ("CANCELLED", "cancelled", "job 7_0 on node3 was cancelled"),
    ],
)
def test_a_stage_killed_without_a_word_has_the_cause_that_slurm_knows(
    tmp_path: Path, of: Graph, state: str, cause: str, told: str
) -> None:
    store = Store(tmp_path)
    attempt(store, OTHER.id)
    made = submission(tmp_path, of, {"a1": [[OTHER.id]]}).with_job("a1", "7")

    found = standings(of, store, seen(made, job("7", 0, state, node="node3")))[OTHER.id]

    assert (found.state, found.cause, found.message) == ("failed", cause, told)


def test_files_come_before_slurm(tmp_path: Path, of: Graph) -> None:
    """An outcome is what happened; a job that has not begun anew is only what will."""
    store = Store(tmp_path)
    attempt(store, OTHER.id, {"state": "failed", "kind": "input", "message": "bad"}, element=0)
    attempt(store, BASE.id, {"state": "stopped", "message": "saved after step 3"}, element=1)
    made = submission(tmp_path, of, {"a1": [[OTHER.id], [BASE.id]]}).with_job("a1", "7")

    ended = seen(made, job("7", 0, "FAILED"), job("7", 1, "TIMEOUT"))
    found = standings(of, store, ended)
    assert (found[OTHER.id].state, found[OTHER.id].cause) == ("failed", "input")
    assert (found[BASE.id].state, found[BASE.id].message) == ("stopped", "saved after step 3")

    works = seen(made, job("7", 0, "RUNNING"), job("7", 1, "PENDING", reason="BeginTime"))
    found = standings(of, store, works)
    assert found[OTHER.id].state == "failed", "its job goes on with others of its share"
    assert found[OTHER.id].job == "7_0"
    assert (found[BASE.id].state, found[BASE.id].message) == ("queued", "BeginTime")


def test_a_job_without_a_number_is_known_by_its_comment(tmp_path: Path, of: Graph) -> None:
    made = submission(tmp_path, of, {"a1": [[OTHER.id]]})

    (orphan,) = joined([made], [job("9", 0, "PENDING")])
    assert orphan.id == "9_0" and orphan.waiting
    foreign = job("9", 0, "PENDING", comment="grid 20270101-000000-ffff a1")
    (unknown,) = joined([made], [foreign])
    assert unknown.job is None and unknown.number is None
    (reused,) = joined([made.with_job("a1", "9")], [foreign])
    assert reused.job is None, "another cluster gave the number to another job"
    assert ID in made.folder.name


def test_a_failure_of_before_is_queued_again(tmp_path: Path, of: Graph) -> None:
    store = Store(tmp_path)
    attempt(store, OTHER.id, {"state": "failed", "kind": "memory", "message": "out of memory"})
    made = submission(tmp_path, of, {"a1": [[OTHER.id]]}).with_job("a1", "7")

    found = standings(of, store, seen(made, job("7", 0, "RUNNING")))[OTHER.id]
    assert (found.state, found.cause, found.attempts) == ("queued", None, 1)


def test_what_an_element_wrote_tells_what_slurm_has_forgotten(tmp_path: Path, of: Graph) -> None:
    store = Store(tmp_path)
    made = submission(tmp_path, of, {"a1": [[OTHER.id], [BASE.id]]}).with_job("a1", "7")
    start = Element(
        array="a1", index=0, restart=0, job="70", host="node3", started="2026-01-31T12:05:00+00:00"
    )
    write(made.elements_folder, replace(start, ended="2026-01-31T12:06:00+00:00", why="cancelled"))
    write(made.elements_folder, replace(start, index=1))
    attempt(store, OTHER.id, element=0)
    gone = [replace(each, forgotten=True) for each in joined([made], [])]
    view = View(elements=tuple(gone), of={id: each for each in gone for id in each.share})

    found = standings(of, store, view)
    assert (found[OTHER.id].state, found[OTHER.id].cause) == ("failed", "cancelled")
    assert (found[BASE.id].state, found[BASE.id].cause) == ("failed", "node")
    found = standings(of, store, seen(made, job("7", 0, "FAILED"), job("7", 1, "FAILED")))
    assert found[BASE.id].cause == "killed", "it began, and never said that it ended"
    write(made.elements_folder, replace(start, index=1, ended="later", why="blocked"))
    found = standings(of, store, seen(made, job("7", 0, "FAILED"), job("7", 1, "FAILED")))
    assert found[BASE.id].state == "to run", "its exit status only says that stages are left"


def test_accounting_tells_what_squeue_has_forgotten(tmp_path: Path, of: Graph) -> None:
    store = Store(tmp_path)
    attempt(store, OTHER.id)
    made = submission(tmp_path, of, {"a1": [[OTHER.id]]}).with_job("a1", "7")
    (element,) = joined([made], [])
    past = Past(id="7_0", state="NODE_FAIL", exit="0:0", node="node2", seconds=60, gpus=0)
    element = replace(element, past=past)

    found = standings(of, store, View(elements=(element,), of={OTHER.id: element}))[OTHER.id]
    assert (found.state, found.cause) == ("failed", "node")
    without = View(trouble="squeue: no answer", of={OTHER.id: joined([made], [])[0]})
    found = standings(of, store, without)[OTHER.id]
    assert found.state == "to run" and "7_0 was submitted, of which nothing is known" in (
        found.message or ""
    )
