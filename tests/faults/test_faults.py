"""Seeded faults of every kind: no artifact is half there, and the next run gives the same bits.

`python -m tests.faults` lets many more strike, and repeats one that broke something.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.faults import injector, quick_graph, quick_study
from tests.faults.campaign import FAILS, KILLED, Bench, Point, draw, strike
from tests.faults.disasters import DISASTERS, unavailable

SEED = 3


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if reason := injector.missing():
        pytest.skip(f"NOT TESTED: {reason}")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return quick_graph.bench(tmp_path_factory.mktemp("graph"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return quick_study.bench(tmp_path_factory.mktemp("study"))


def hold(bench: Bench, points: Sequence[Point]) -> None:
    """That faults at these points break nothing, and leave nothing lying in the end."""
    broken = []
    reached = 0
    for point in points:
        found = DISASTERS.get(point.kind, strike)(bench, point)
        reached += found.reached
        left = [name for name in found.left if not name.startswith(("studies/", ".checksums"))]
        if found.broken or left:
            broken += [f"--point '{json.dumps(asdict(point))}'", *found.broken, *left]
    assert not broken, "\n".join(broken)
    assert reached >= len(points) // 2, "processes vary, but not so much"


@pytest.mark.slow
def test_kills_in_a_graph(graph: Bench) -> None:
    hold(graph, draw(graph, list(KILLED), 40, SEED))


@pytest.mark.slow
def test_kills_in_a_study(study: Bench) -> None:
    hold(study, draw(study, list(KILLED), 10, SEED))


@pytest.mark.slow
def test_calls_that_fail(graph: Bench) -> None:
    hold(graph, draw(graph, list(FAILS), 9, SEED))


@pytest.mark.slow
@pytest.mark.parametrize("kind", DISASTERS)
def test_disasters(graph: Bench, kind: str, tmp_path: Path) -> None:
    if reason := unavailable(kind, tmp_path):
        pytest.skip(f"NOT TESTED: {reason}")
    hold(graph, draw(graph, [kind], 2, SEED))


def test_a_lease_that_cannot_be_read_is_a_message_and_no_traceback(graph: Bench) -> None:
    point = Point(
        command="launch again", kind="EIO on read", role="launcher", call="read", number=5
    )
    hold(graph, [point])
