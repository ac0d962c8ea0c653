"""Which blocks an override of `cell` reaches: not those that set the value themselves.

An axis, or a block's own `cell`, is more particular than the `cell` that all blocks share, and wins
over it wherever that was written, on the command line as well.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from grid.axes import Block
from grid.errors import StudyError
from grid.tree import COMMAND_LINE, Node, fail

if TYPE_CHECKING:
    from grid.study import Study


def refuse_idle(study: "Study") -> None:
    """Raises StudyError for an override that no cell would feel, as every block sets it too."""
    for path, node, setters in _overrides(study):
        if path == "seed" and study.tree.find(("replicates", "seed")) is not None:
            raise StudyError(
                "command line: cell.seed: has no effect, for `replicates` sets the seeds; write "
                f"replicates.seed=[{node.value}]"
            )
        if len(setters) == len(study.blocks):
            raise fail(
                COMMAND_LINE,
                f"cell.{path}",
                f"has no effect, for every block that is run sets {path} itself: "
                f"{', '.join(block.name for block in setters)}; override its axis "
                f"(axes.BLOCK.product.{path}=[...])",
            )


def unreached(study: "Study") -> list[str]:
    """A sentence for each override that some blocks do not feel, and where these set the value."""
    notes = []
    for path, _, setters in _overrides(study):
        if setters:
            places = "; ".join(_place(block, path) for block in setters)
            notes.append(f"cell.{path} of the command line does not reach every block: {places}")
    return notes


def _overrides(study: "Study") -> Iterator[tuple[str, Node, list[Block]]]:
    """The overrides of `cell`: path, value, and the blocks that set it themselves."""
    for keys, node in study.shared.leaves():
        if node.origin == COMMAND_LINE:
            path = ".".join(keys)
            yield path, node, [each for each in study.blocks if _sets(each, path)]


def _sets(block: Block, path: str) -> bool:
    own = block.cell is not None and block.cell.find(path.split(".")) is not None
    return own or block.decides(path)


def _place(block: Block, path: str) -> str:
    """Where a block sets a value, as an override would name it if there is one for it."""
    for kind in ("product", "zip"):
        if block.node.find((kind, path)) is not None:
            return f"{block.name!r} has axes.{block.name}.{kind}.{path}"
    return f"{block.name!r} sets it"
