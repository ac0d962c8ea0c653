"""What each stage is expected to take, from the plan: seconds, and memory on its node.

Pretraining, evaluation and fine-tuning are priced as `plan` prices them, work on text as
grid/budget/text.py does. Estimates only decide what is asked of Slurm: margins are added later.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grid.budget.text import tokenizer_cost
from grid.graph import Graph, Stage, StageId

if TYPE_CHECKING:
    from grid.budget.price import Price
    from grid.budget.scoring import Measuring
    from grid.plan import Plan

_JOB_BYTES = 0.6e9
"""Of a job that does nothing yet: the element, and the servers that it forks stages from."""
_HOST_BYTES = 6e9
"""Of a process that drives a GPU: CUDA's libraries and its context."""
_SAVED_BYTES = 16
"""Of a parameter on the host while a checkpoint is made or read: ZeRO's 16 bytes."""
_LOADED_BYTES = 8
"""Of a parameter on the host where a model is only read, into fp32."""
_DOCUMENT_SHARE = 0.1
"""Of a corpus: 45 bytes a document (model/text/corpus.py), documents of 450 bytes."""
_FILE_COPIES = 3
"""Times that a published model or a labelled task's files may be in memory."""
_PROGRAM_BYTES = 4e9
_COPY_RATE = 2e8
"""Bytes/s of a published model that is read and written (grid/budget/rough.py)."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a stage takes, as far as anybody knows."""

    seconds: float | None
    """None for a program of the user's own, unless the site file says what it takes."""
    rank_bytes: float
    """Memory on its node, of each rank."""


def estimates(graph: Graph, ids: Iterable[StageId], plan: "Plan") -> dict[StageId, Estimate]:
    """Estimates of these stages of the graph that a plan's cells need."""
    prices: dict[StageId, tuple[Price, Measuring | None]] = {}
    for cell, roles in graph.cells.items():
        price, measured = plan.price(plan.cells[cell]), plan.measured(plan.cells[cell])
        for role, id in roles.items():
            if id[0] == "pretraining" or role in measured:
                prices.setdefault(id, (price, measured.get(role)))
    on_gpus = plan.device.kind == "cuda"
    found = {}
    for id in ids:
        stage = graph.stages[id]
        if id in prices:
            found[id] = _priced(stage, *prices[id], on_gpus)
        else:
            found[id] = _of_text(stage, graph)
    return found


def _priced(stage: Stage, price: "Price", measured: "Measuring | None", on_gpus: bool) -> Estimate:
    """Of work on the model. On a CPU the plan's memory is the host's; on a GPU it is not."""
    laid = price.layout
    if measured is None:
        seconds, parameters = price.pretraining_seconds, price.rank_parameters
        copies, on_cpu = _SAVED_BYTES, laid.memory.total
    else:
        seconds, parameters = measured.seconds, price.parameters
        copies = _SAVED_BYTES if stage.name == "finetuning" else _LOADED_BYTES
        on_cpu = max(measured.memory, laid.memory.total * laid.shape.tensor_parallel)
    used = _HOST_BYTES + copies * parameters if on_gpus else on_cpu
    return Estimate(seconds=seconds, rank_bytes=_JOB_BYTES / stage.ranks + used)


def _of_text(stage: Stage, graph: Graph) -> Estimate:
    """Of a stage of text, of files, or of a kind that is not priced."""
    own = _source_bytes(stage)
    seconds: float | None = stage.seconds
    if stage.name == "corpus":
        memory = _DOCUMENT_SHARE * own
    elif stage.name == "shards":
        memory = _DOCUMENT_SHARE * _source_bytes(graph.stages[stage.inputs["corpus"]])
    elif stage.name == "tokenizer":
        texts = [_source_bytes(graph.stages[id]) for id in stage.inputs.values()]
        memory = tokenizer_cost(stage.config.tokenizer, texts).memory
    elif stage.name == "checkpoint":
        seconds, memory = 0.5 + own / _COPY_RATE, _FILE_COPIES * own
    elif stage.command is not None:
        memory = _PROGRAM_BYTES
        seconds = stage.seconds if stage.seconds_known else None
    else:
        memory = _FILE_COPIES * own
    return Estimate(seconds=seconds, rank_bytes=_JOB_BYTES + memory)


def _source_bytes(stage: Stage) -> int:
    """Text or files that a stage reads from its source, or generates at most."""
    files: list[Any] | None = getattr(stage.config, "files", None)
    if files is not None:
        return sum(file.bytes for file in files)
    synthetic = getattr(stage.config, "synthetic", None)
    return 0 if synthetic is None else int(synthetic.size)
