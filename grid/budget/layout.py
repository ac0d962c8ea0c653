"""How a pretraining is laid on devices: tensor-parallel degree, micro-batch, and if that fits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from grid.budget.calibration import Calibration
from grid.budget.devices import Device
from grid.budget.memory import (
    STATE_BYTES,
    Memory,
    Shape,
    activation_bytes,
    logit_bytes,
    rank_parameters,
    scored_twice,
)
from grid.execution import ExecutionConfig
from model.config import EncoderConfig, PretrainingConfig
from model.training.micro_batch import sequences_at_once

_MOST_RANKS = 64
_USABLE = 0.95
"""Share of a device's memory that is planned with: allocators leave gaps."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A pretraining on its devices."""

    shape: Shape
    memory: Memory
    """Of the fullest rank."""
    room: float
    """Bytes that a rank may fill."""

    @property
    def fits(self) -> bool:
        return self.memory.total <= self.room

    @property
    def ranks(self) -> int:
        return self.shape.tensor_parallel * self.shape.data_parallel


def memory_of(shape: Shape, kind: str, calibration: Calibration) -> Memory:
    """What fills a rank, by the formulas of grid.budget.memory and this kind's coefficients.

    On a GPU either the activations or the update's fp32 gradients are there, not both. On a CPU all
    parts add up, for what is freed stays with the process; the workspace is what trials have shown
    it to hold beyond them (model/training/memory.py).
    """
    own = rank_parameters(shape.encoder, shape.rows, shape.tensor_parallel)
    share = own / shape.data_parallel
    factors = calibration.bytes
    activations, logits = activation_bytes(shape, kind), logit_bytes(shape, kind)
    copy = share * 4
    if kind == "cuda":
        copy = max(0.0, copy - activations - logits)
    weights, gradients = own * shape.value_bytes, own * shape.value_bytes + copy
    optimizer = share * STATE_BYTES
    held = (factors["state"] - 1) * (weights + gradients + optimizer)
    scores = factors["chunked_logits" if scored_twice(shape, kind) else "logits"]
    held += (factors["activations"] - 1) * activations + (scores - 1) * logits
    return Memory(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=activations,
        logits=logits,
        workspace=factors["process"] + held,
    )


def degrees(encoder: EncoderConfig, rows: int) -> Iterator[int]:
    """Powers of two that cut the model evenly into whole heads and feed-forward columns."""
    degree = 1
    while degree <= min(_MOST_RANKS, rows):
        if encoder.heads % degree == 0 and encoder.feed_forward_size % degree == 0:
            yield degree
        degree *= 2


def lay_out(
    encoder: EncoderConfig,
    rows: int,
    pretraining: PretrainingConfig,
    *,
    device: Device,
    execution: ExecutionConfig,
    calibration: Calibration,
    degree: int | None = None,
) -> Layout:
    """The layout at `degree`, or at the smallest degree that fits.

    The micro-batch is what `execution` says, otherwise the largest that fits, halved from what the
    stage itself would take. If nothing fits, it is the one that lacks least: look at `fits`.
    """
    tried: list[Layout] = []
    for candidate in degrees(encoder, rows) if degree is None else (degree,):
        shape = Shape(
            encoder=encoder,
            rows=rows,
            pretraining=pretraining,
            tensor_parallel=candidate,
            data_parallel=execution.data_parallel,
            checkpointing=execution.activation_checkpointing,
        )
        for micro_batch in _micro_batches(shape, device.kind, execution.micro_batch):
            laid = replace(shape, micro_batch=micro_batch)
            memory = memory_of(laid, device.kind, calibration)
            tried.append(Layout(shape=laid, memory=memory, room=device.memory * _USABLE))
            if tried[-1].fits:
                return tried[-1]
        if device.kind == "cpu":
            break  # more ranks on one machine share its memory
    return min(tried, key=lambda placed: placed.memory.total)


def _micro_batches(shape: Shape, kind: str, wanted: int | None) -> Iterator[int]:
    """From the largest to 1, each half of the one before; only `wanted` where it is given."""
    if wanted is not None:
        yield min(wanted, shape.rank_sequences)
        return
    size = sequences_at_once(shape.pretraining, shape.rows, kind)
    size = min(size, shape.rank_sequences)
    while size > 1 and kind == "cuda":
        yield size
        size //= 2
    yield size
