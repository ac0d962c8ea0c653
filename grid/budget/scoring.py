"""What it takes to measure a trained encoder: seconds and memory of each stage that does it.

Evaluation, fine-tuning and retrieval run on one device, each milestone for itself.
"""

from dataclasses import dataclass, replace
from typing import Any

from grid.budget.calibration import Calibration
from grid.budget.devices import Device
from grid.budget.layout import memory_of
from grid.budget.memory import Shape
from grid.budget.task_sizes import Work, retrieval_work, work
from grid.budget.time import start_seconds, update_seconds
from model.config import EvaluationConfig
from model.stages import EvaluationStage, FinetuningStage, RetrievalStage

_TEXT_BYTES_A_PIECE = 3.0
"""Of held-out text in bits per byte: small vocabularies have short pieces."""
_READ_AT_ONCE = 32
"""Sequences of a batch that is only read, for the time; what is read keeps no activations."""
_NO_MASKS = 1e-9
"""Masked places of text that no language model's head scores."""


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """One stage's price."""

    seconds: float
    memory: float
    """Bytes at its peak; 0 where it is less than pretraining takes."""


def measuring(stage: Any, trained: Shape, device: Device, calibration: Calibration) -> Measuring:
    """The price of an EvaluationStage, FinetuningStage or RetrievalStage.

    trained: the shape that the encoder is pretrained in.
    """
    single = replace(trained, data_parallel=1, tensor_parallel=1)
    start = start_seconds(single, calibration.seconds)
    if isinstance(stage, EvaluationStage):
        seconds = _evaluation(stage.evaluation, single, len(stage.languages), device, calibration)
        return Measuring(seconds=start + seconds, memory=0.0)
    if isinstance(stage, RetrievalStage):
        read = retrieval_work(stage.most, stage.max_length, len(stage.languages))
        shape = _shape(single, _READ_AT_ONCE, read.length, "fp32")
        seconds = _read(read, shape, device, calibration)
        return Measuring(seconds=start + seconds, memory=0.0)
    if isinstance(stage, FinetuningStage):
        return _finetuning(stage, single, start, device, calibration)
    raise TypeError(f"expected a stage that measures an encoder, found {stage!r}")


def _finetuning(
    stage: FinetuningStage,
    single: Shape,
    start: float,
    device: Device,
    calibration: Calibration,
) -> Measuring:
    """Its updates, and what is read between and after them."""
    config = stage.config
    amount = work(stage.task, config, len(stage.train_languages), len(stage.languages))
    shape = _shape(single, config.batch_size, amount.length, config.precision)
    update = update_seconds(shape, device, calibration.seconds)
    reading = _shape(single, _READ_AT_ONCE, amount.length, "fp32")
    seconds = update * amount.trained / config.batch_size
    longest = _shape(single, config.batch_size, config.max_length, config.precision)
    return Measuring(
        seconds=start + seconds + _read(amount, reading, device, calibration),
        memory=memory_of(longest, device.kind, calibration).total,
    )


def _shape(single: Shape, sequences: int, length: int, precision: str) -> Shape:
    recipe = replace(
        single.pretraining,
        batch_size=sequences,
        sequence_length=max(8, length),
        mask_probability=_NO_MASKS,
        precision=precision,
    )
    return replace(single, pretraining=recipe, micro_batch=sequences)


def _read(amount: Work, shape: Shape, device: Device, calibration: Calibration) -> float:
    """Sequences that are read only: a third of an update, whose backward pass is twice that."""
    batch = update_seconds(shape, device, calibration.seconds) / 3
    return batch * amount.scored / shape.pretraining.batch_size


def _evaluation(
    config: EvaluationConfig, single: Shape, scored: int, device: Device, calibration: Calibration
) -> float:
    """Likelihood of held-out text: every token is read in each pass and scored in one."""
    length = single.pretraining.sequence_length
    passes = ((config.max_bytes, config.passes), (config.pseudo_perplexity_bytes, length))
    seconds = 0.0
    for size, turns in passes:
        tokens = scored * size / _TEXT_BYTES_A_PIECE
        recipe = replace(
            single.pretraining,
            batch_size=max(1, round(tokens * turns / length)),
            mask_probability=min(0.99, 1 / turns),
        )
        if size:
            shape = replace(single, pretraining=recipe)
            seconds += update_seconds(shape, device, calibration.seconds) / 3
    return seconds
