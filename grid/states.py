"""The state of every cell: done, cached, running, failed, blocked or to run, and why.

done: all that the cell is for is in the store, and this study has collected it. cached: all of it
is in the store, made by another study or scale. running: a process holds one of its stages. failed:
the last attempt at its own pretraining, evaluation or fine-tuning failed. blocked: something that
it needs failed, or its text has no location on this machine. to run: all else.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grid import lease
from grid.graph import DONE, TO_RUN, Graph, StageId
from grid.outcome import FAILED
from grid.status import ended

if TYPE_CHECKING:
    from grid.store import Store

CACHED, RUNNING, BLOCKED = "cached", "running", "blocked"


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a cell, and what there is to say about it."""

    name: str
    why: str | None = None


def cell_states(
    graph: Graph,
    store: "Store",
    folders: Iterable[Path],
    unlocated: Mapping[str, Collection[str]],
) -> dict[str, State]:
    """The state of each cell by its id.

    folders: where the studies' results are. unlocated: of each cell, the sources without location.
    """
    stages = graph.states(store)
    open_stages = {id for id, state in stages.items() if state == TO_RUN}
    attempted = _attempted(store, open_stages)
    running = {id for id in attempted if lease.held(store.lease_folder(*id))}
    failures = {id: why for id in attempted - running if (why := _failure(store, id)) is not None}
    collected = {cell for folder in folders for cell in _collected(folder)}
    states = {}
    for cell, roles in graph.cells.items():
        ids = set(roles.values())
        if not ids & open_stages & graph.targets:
            states[cell] = State(name=DONE if cell in collected else CACHED)
        elif unlocated.get(cell):
            missing = ", ".join(sorted(unlocated[cell]))
            states[cell] = State(name=BLOCKED, why=f"no location is set for {missing}")
        else:
            states[cell] = _of_stages(ids & open_stages, graph, running, failures)
    return states


def _of_stages(
    ids: set[StageId], graph: Graph, running: set[StageId], failures: Mapping[StageId, str]
) -> State:
    failed = sorted(ids & failures.keys())
    own = [id for id in failed if id in graph.targets]
    if ids & running:
        return State(name=RUNNING, why=", ".join(sorted({name for name, _ in ids & running})))
    if failed:
        first = (own or failed)[0]
        name = FAILED if own else BLOCKED
        said = failures[first].partition("\n")[0]
        return State(name=name, why=f"{first[0]} failed: {said}")
    return State(name=TO_RUN)


def _attempted(store: "Store", ids: Collection[StageId]) -> set[StageId]:
    """The stages that have been tried: one listing for each kind."""
    tried: set[StageId] = set()
    for stage in {name for name, _ in ids}:
        folder = store.root / "attempts" / stage
        if folder.is_dir():
            tried |= {(stage, key) for key in os.listdir(folder)}
    return tried & set(ids)


def _failure(store: "Store", id: StageId) -> str | None:
    """What the last attempt said when it failed; None if it did not."""
    attempts = store.attempts(*id)
    ending, message = ended(attempts[-1]) if attempts else (None, None)
    return message if ending == FAILED else None


def _collected(folder: Path) -> set[str]:
    """The cells that the study's results hold."""
    from grid.results import RESULTS, read_frame

    if not (folder / RESULTS).is_file():
        return set()
    return set(read_frame(folder / RESULTS)["cell"].unique())
