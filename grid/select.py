"""Stages of a study by what a person calls them: a cell, a kind of stage, a role or a key."""

from typing import TYPE_CHECKING

from grid.conditions import keep
from grid.errors import StudyError
from grid.graph import TO_RUN, Graph, StageId
from grid.outcome import CANCELLED, FAILED
from grid.status import standings
from grid.tree import Node, near

if TYPE_CHECKING:
    from grid.cell import Cell
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


def fulfilling(study: "Study", condition: str) -> list["Cell"]:
    """The cells of a study that fulfil a condition on its axes and `seed`, as a block's `where`.

    Raises StudyError for a condition that is wrong or that no cell fulfils.
    """
    points: list[dict[str, Node]] = []
    cells: list[Cell] = []
    for block in study.blocks:
        members = study.expansion.members[block.name]
        seeds = len(members) // len(block.points)
        for number, cell in enumerate(members):
            solved = {path: Node(cell.coordinates[path]) for path in study.paths}
            point = {**solved, **block.points[number // seeds], "seed": Node(cell.seed)}
            points.append(point)
            cells.append(cell)
    paths = (*study.paths, "seed")
    kept, _ = keep(points, paths, Node(condition), "--where", study.sets)
    chosen = {id(point) for point in kept}
    found = [cell for point, cell in zip(points, cells, strict=True) if id(point) in chosen]
    return list({cell.id: cell for cell in found}.values())


def failed(graph: Graph, store: "Store") -> list[StageId]:
    """The stages that are to run and have failed, or whose job was cancelled."""
    from grid.slurm.watch import Watch

    states = graph.states(store)
    view = Watch(store).look([id for id, state in states.items() if state == TO_RUN])
    found = standings(graph, store, view, states)
    return [id for id, own in found.items() if own.state == FAILED or own.cause == CANCELLED]
