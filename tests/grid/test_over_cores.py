"""Work on many things by several processes: in order, with its errors, and not beside threads."""

import os
import signal
import threading
from pathlib import Path

import pytest

from grid import over_cores as module
from grid import prune
from grid.damage import set_aside
from grid.errors import StoreError
from grid.over_cores import over_cores
from grid.store import Store
from grid.verify import verify_store
from tests.grid.test_damage import EVERY, A, B, launch

MANY = range(6000)


def square(number: int) -> tuple[int, int]:
    if number == 5500 and os.environ.get("KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5500 and os.environ.get("FAILS"):
        raise ValueError("this one")
    return number * number, os.getpid()


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 2)
    # Earlier tests may have left some, which hold no lock.
    before, count = threading.active_count() - 1, threading.active_count
    monkeypatch.setattr(threading, "active_count", lambda: count() - before)


def test_results_come_in_order_from_other_processes() -> None:
    found = list(over_cores(square, MANY))
    assert [value for value, _ in found] == [number * number for number in MANY]
    processes = {pid for _, pid in found}
    assert 1 <= len(processes) <= 2 and os.getpid() not in processes  # one may be quicker


def test_few_things_are_not_worth_a_process() -> None:
    assert {pid for _, pid in over_cores(square, range(50))} == {os.getpid()}


def test_no_copy_is_made_of_a_process_with_threads() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert {pid for _, pid in over_cores(square, MANY)} == {os.getpid()}
    finally:
        done.set()
        thread.join()


def test_errors_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "1")
    with pytest.raises(ValueError, match="this one"):
        list(over_cores(square, MANY))


def test_a_child_that_is_killed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILLED", "1")
    with pytest.raises(StoreError, match="was killed"):
        list(over_cores(square, MANY))


def test_no_child_is_left_by_who_wants_no_more() -> None:
    found = over_cores(square, MANY)
    _, child = next(found)
    found.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_store_is_looked_at_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch(EVERY, tmp_path / "store")[0].ok
    store = Store(tmp_path / "store")
    damaged, stray = (store.path("tiny", each.key) for each in (A, B))
    payload = next(path for path in damaged.rglob("*") if path.name not in {"manifest.json"})
    payload.write_bytes(payload.read_bytes() + b"!")
    (stray / "stray").touch()

    def seen() -> tuple[object, ...]:
        survey = prune.survey(store, {}, keep_days=0)
        sizes = [(item.kind, item.place, item.bytes) for item in survey.items]
        return verify_store(store), verify_store(store, quick=True), sizes

    alone = seen()
    monkeypatch.setattr(module, "_FEW", 0)
    assert seen() == alone
    assert set(alone[0][1]) == {damaged, stray}
    found = set_aside(EVERY, store, lambda text: None)
    assert {each.id for each in found} == {A.id, B.id}
    assert not set_aside(EVERY, store, lambda text: None)
