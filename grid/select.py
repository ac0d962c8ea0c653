"""Stages of a study by what a person calls them: a cell, a kind of stage, a role or a key."""

from typing import TYPE_CHECKING

from grid.errors import StudyError
from grid.graph import TO_RUN, Graph, StageId
from grid.outcome import FAILED
from grid.status import ended
from grid.tree import near

if TYPE_CHECKING:
    from grid.store import Store
    from grid.study import Study


def select(study: "Study", graph: Graph, name: str) -> list[StageId]:
    """The stages that a name means, in the order of the graph.

    A kind (`pretraining`), a role (`shards/sw`), `stage/key`, a key or its unambiguous beginning,
    or a cell's id, its beginning or its number. Raises StudyError if it means none.
    """
    kinds = list(dict.fromkeys(stage for stage, _ in graph.stages))
    if name in kinds:
        return [id for id in graph.stages if id[0] == name]
    roles = {role: id for cell in graph.cells.values() for role, id in cell.items()}
    if name in roles:
        wanted = {cell[name] for cell in graph.cells.values() if name in cell}
        return [id for id in graph.stages if id in wanted]
    kind, _, beginning = name.rpartition("/")
    close = [id for id in graph.stages if kind in ("", id[0]) and id[1].startswith(beginning)]
    exact = [id for id in close if id[1] == beginning]
    cells = [cell.id for cell in study.cells if cell.id.startswith(name)]
    if name.isdecimal() or (cells and not exact):
        return list(dict.fromkeys(graph.cells[study.cell(name).id].values()))
    found = exact or close
    if len({id[0] for id in found}) == 1 and (exact or len(found) == 1):
        return found
    if found:
        told = ", ".join(f"{stage}/{key}" for stage, key in found[:5])
        raise StudyError(f"{name!r} could be any of {len(found)} stages: {told}")
    legal = list(dict.fromkeys([*kinds, *roles, *(cell.id for cell in study.cells)]))
    raise StudyError(
        f"{name!r} is neither a cell nor a stage of {study.name} at scale "
        f"{study.scale}{near(name, legal)}; expected a cell's id or number, one of "
        f"{', '.join(kinds)}, or a stage's key"
    )


def failed(graph: Graph, store: "Store") -> list[StageId]:
    """The stages that are to run and whose last attempt failed."""
    return [
        id
        for id, state in graph.states(store).items()
        if state == TO_RUN and (tried := store.attempts(*id)) and ended(tried[-1])[0] == FAILED
    ]
