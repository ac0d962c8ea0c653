"""Where each value of a cell was written: what `python -m grid show` prints."""

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from grid.axes import Point
from grid.cell import Cell, block_cells
from grid.errors import StudyError
from grid.language_sets import LANGUAGE_PATHS
from grid.tree import Node, overlay

if TYPE_CHECKING:
    import polars

    from grid.study import Study


def origins_frame(study: "Study", cell: Cell) -> "polars.DataFrame":
    """One row for each value of a cell: key, where it was written, and the value."""
    import polars

    shared, point = _written(study, cell)
    rows = []
    for path, value in leaves(cell.config):
        rows.append(
            {
                "key": path,
                "written": _origin(study, path, shared, point),
                "value": text(value),
            }
        )
    return polars.DataFrame(rows)


def _written(study: "Study", cell: Cell) -> tuple[Node, Point]:
    """The tree and the point that made a cell, in the first block that it stands in."""
    block = next(block for block in study.blocks if block.name == cell.blocks[0])
    for spot, config in block_cells(
        shared=study.shared, block=block, seed=cell.seed, sets=study.sets
    ):
        if config == cell.config:
            shared = study.shared if block.cell is None else overlay(study.shared, block.cell)
            return shared, spot.settings
    raise StudyError(f"cell {cell.id} is not in the block {block.name!r}")


def leaves(config: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every value of a configuration with its path, parts within it too."""
    if is_dataclass(config):
        names = {field.name: getattr(config, field.name) for field in fields(config)}
    elif isinstance(config, dict) and config:
        names = config
    else:
        return [(path, config)]
    dotted = f"{path}." if path else ""
    return [leaf for name, value in names.items() for leaf in leaves(value, f"{dotted}{name}")]


def _origin(study: "Study", path: str, shared: Node, point: Point) -> str:
    if path in point:
        return str(point[path].origin)
    if path == "seed" and (seeds := study.tree.find(("replicates", "seed"))) is not None:
        return str(seeds.origin)
    node = shared.find(path.split("."))
    if node is not None and (node.value is not None or path not in LANGUAGE_PATHS):
        return str(node.origin)
    if path in ("tokenizer.languages", "evaluation.languages"):
        return "as `languages`"
    return "default"


def text(value: Any) -> str:
    """A value for people: a list with how many it holds."""
    if isinstance(value, list):
        return f"{len(value)}: {' '.join(str(item) for item in value)}"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
