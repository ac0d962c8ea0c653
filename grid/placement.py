"""Places a graph's stages on ranks, and refuses at once what could only fail hours later.

`execution` says how many ranks a pretraining has. Whether a cell's encoder can be cut that way, and
whether this machine has the GPUs, is known before anything runs.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from grid.budget.calibration import calibration
from grid.budget.devices import DEFAULT_GPU, device
from grid.budget.layout import Layout, lay_out
from grid.cell import Cell
from grid.declarations import STAGES
from grid.errors import StudyError
from grid.execution import ExecutionConfig
from grid.graph import Graph, Stage
from grid.sizes import EXTRA_ROWS, embedding_rows
from grid.tree import Node, fail
from model.config import CellConfig, EncoderConfig, PretrainingConfig


def place(graph: Graph, execution: ExecutionConfig) -> None:
    """Gives each stage that can use them its ranks."""
    on_gpus = execution.device.startswith("cuda")
    for id, stage in graph.stages.items():
        if id[0] not in STAGES or not STAGES[id[0]].parallel:
            continue
        if on_gpus:
            recipe = stage.config.pretraining
            layout = layout_of(stage.config.encoder, _pieces(graph, stage), recipe, execution)
            graph.stages[id] = replace(
                stage,
                ranks=layout.ranks,
                tensor_parallel=layout.shape.tensor_parallel,
                micro_batch=layout.shape.micro_batch,
                gpu_share=layout.memory.total / layout.room,
            )
        elif execution.ranks > 1:
            graph.stages[id] = replace(stage, ranks=execution.ranks)
    for id, stage in graph.stages.items():
        if "pretraining" in stage.inputs:  # it takes no more than what trained its encoder
            trained = graph.stages[stage.inputs["pretraining"]]
            graph.stages[id] = replace(stage, gpu_share=trained.ranks * trained.gpu_share)


def _pieces(graph: Graph, stage: Stage) -> int:
    """SentencePiece pieces of the tokenizer that a pretraining reads."""
    if "checkpoint" in stage.inputs:
        return int(graph.stages[stage.inputs["checkpoint"]].config.rows) - EXTRA_ROWS
    return int(graph.stages[stage.inputs["tokenizer"]].config.tokenizer.vocab_size)


def layout_of(
    encoder: EncoderConfig,
    vocab_size: int,
    pretraining: PretrainingConfig,
    execution: ExecutionConfig,
) -> Layout:
    """How a pretraining is laid on GPUs of the execution's profile (grid/budget/layout.py)."""
    on = device(execution.profile or DEFAULT_GPU)
    return lay_out(
        encoder,
        embedding_rows(vocab_size, encoder),
        pretraining,
        device=on,
        execution=execution,
        calibration=calibration(on.kind),
        degree=execution.tensor_parallel,
    )


def check_cells(cells: Iterable[Cell], execution: ExecutionConfig, written: Node) -> None:
    """Raises StudyError for the first cell whose model cannot be dealt to its ranks.

    `written` is the study's tree: the error names the place where `execution` was written.
    """
    if execution.ranks == 1:
        return
    for cell in cells:
        mismatch = _mismatch(cell.config, execution)
        if mismatch is not None:
            key, text = mismatch
            raise _error(written, key, f"{text} (cell {cell.number}, {cell.id})")


def check_gpus(cells: Iterable[Cell], execution: ExecutionConfig, written: Node) -> None:
    """Raises StudyError if a pretraining has more ranks than this machine has GPUs."""
    if not execution.device.startswith("cuda"):
        return
    from grid.launch.gpus import Pool

    here = len(Pool(execution).names)
    if not here:
        raise _error(
            written,
            "device",
            f"found {execution.device}, but this machine has no such GPU that may be used "
            "(nvidia-smi -L lists none, or CUDA_VISIBLE_DEVICES hides it); write "
            "execution.device=cpu, or run it elsewhere",
        )
    ranks = _most_ranks(cells, execution)
    if ranks > here:
        key = "data_parallel" if execution.tensor_parallel == 1 else "tensor_parallel"
        raise _error(
            written,
            key,
            f"tensor_parallel x data_parallel is {ranks} ranks of one GPU each, but "
            f"{execution.device} has {here} on this machine; ask for fewer, or run it elsewhere",
        )


def _most_ranks(cells: Iterable[Cell], execution: ExecutionConfig) -> int:
    """Ranks of the largest pretraining, where the degree is chosen for each."""
    if execution.tensor_parallel is not None:
        return execution.ranks
    most = 1
    known = set()
    for cell in cells:
        config = cell.config
        key = (id(config.encoder), config.tokenizer.vocab_size, id(config.pretraining))
        if key not in known:
            known.add(key)
            pieces = config.tokenizer.vocab_size
            layout = layout_of(config.encoder, pieces, config.pretraining, execution)
            most = max(most, layout.shape.tensor_parallel)
    return most * execution.data_parallel


def _mismatch(config: CellConfig, execution: ExecutionConfig) -> tuple[str, str] | None:
    """The key of `execution` that a pretraining cannot be placed by, and why, if there is one."""
    degree, copies = execution.tensor_parallel or 1, execution.data_parallel
    encoder, batch = config.encoder, config.pretraining.batch_size
    for name, value in (
        ("heads", encoder.heads),
        ("width", encoder.width),
        ("feed_forward", encoder.feed_forward_size),
    ):
        if value % degree:
            legal = _divisors(encoder.heads, encoder.width, encoder.feed_forward_size)
            return "tensor_parallel", (
                f"expected a divisor of encoder.{name} ({value}), found {degree}; this encoder can "
                f"be cut in {legal}"
            )
    if batch < copies:
        return "data_parallel", (
            f"expected at most pretraining.batch_size ({batch}), for each copy of the model needs "
            f"a sequence, found {copies}"
        )
    return None


def _divisors(*values: int) -> str:
    common = math.gcd(*values)
    return ", ".join(str(number) for number in range(1, common + 1) if common % number == 0)


def _error(written: Node, key: str, text: str) -> StudyError:
    return fail(written.nearest(("execution", key)), f"execution.{key}", text)
