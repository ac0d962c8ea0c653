"""The state of every cell: done, cached, running, queued, failed, blocked or to run, and why.

done: all that the cell is for is in the store, and this study has collected it. cached: all of it
is in the store, made by another study or scale. running: a process holds one of its stages. queued:
Slurm has a job for one. failed: the last attempt at its own pretraining, evaluation or fine-tuning
failed. blocked: something that it needs failed, or its text has no location on this machine. to
run: all else.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grid.graph import DONE, NOT_NEEDED, TO_RUN, Graph, StageId
from grid.outcome import FAILED
from grid.status import BLOCKED, QUEUED, RUNNING, Standing, standings

if TYPE_CHECKING:
    from grid.store import Store

CACHED = "cached"


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
    return states_of(graph, standings(graph, store), folders, unlocated)


def states_of(
    graph: Graph,
    stages: Mapping[StageId, Standing],
    folders: Iterable[Path],
    unlocated: Mapping[str, Collection[str]],
) -> dict[str, State]:
    """As `cell_states`, where it is known how the stages stand."""
    open_stages = {id for id, found in stages.items() if found.state not in (DONE, NOT_NEEDED)}
    collected = {cell for folder in folders for cell in _collected(folder)}
    states = {}
    for cell, roles in graph.cells.items():
        ids = set(roles.values()) & open_stages
        if not ids & graph.targets:
            states[cell] = State(name=DONE if cell in collected else CACHED)
        elif unlocated.get(cell):
            missing = ", ".join(sorted(unlocated[cell]))
            states[cell] = State(name=BLOCKED, why=f"no location is set for {missing}")
        else:
            states[cell] = _of_stages({id: stages[id] for id in sorted(ids)}, graph.targets)
    return states


def _of_stages(open_: Mapping[StageId, Standing], targets: Collection[StageId]) -> State:
    by_state: dict[str, list[StageId]] = {}
    for id, found in open_.items():
        by_state.setdefault(found.state, []).append(id)
    if RUNNING in by_state:
        return State(name=RUNNING, why=_kinds(by_state[RUNNING]))
    failed = by_state.get(FAILED, [])
    own = [id for id in failed if id in targets]
    if failed:
        first = (own or failed)[0]
        said = (open_[first].message or "").partition("\n")[0]
        return State(name=FAILED if own else BLOCKED, why=f"{first[0]} failed: {said}")
    if BLOCKED in by_state:
        return State(name=BLOCKED, why=open_[by_state[BLOCKED][0]].message)
    if QUEUED in by_state:
        return State(name=QUEUED, why=_kinds(by_state[QUEUED]))
    return State(name=TO_RUN)


def _kinds(ids: Iterable[StageId]) -> str:
    return ", ".join(sorted({name for name, _ in ids}))


def _collected(folder: Path) -> set[str]:
    """The cells that the study's results hold."""
    from grid.results import RESULTS
    from grid.study_files import read_frame

    if not (folder / RESULTS).is_file():
        return set()
    return set(read_frame(folder / RESULTS, ["cell"])["cell"].unique())
