"""Rough seconds of each stage on a CPU's core, to put the longest work first."""

from grid.budget.task_sizes import Work
from grid.sizes import forward_flops
from model.config import EncoderConfig, EvaluationConfig, PretrainingConfig

_FLOPS = 1e11
"""What a CPU core does in a second on these models, about; only ratios matter here."""
_UPDATE_SECONDS = 0.003
_START_SECONDS = 1.0
_BYTES_A_TOKEN = 3.0


def checkpoint_seconds(size: int) -> float:
    """A published model of `size` bytes, read twice and written once."""
    return 0.5 + size / 2e8


def pretraining_seconds(
    config: PretrainingConfig, encoder: EncoderConfig, rows: int, languages: int
) -> float:
    """A pretraining; where only some languages count, more updates are needed for their share."""
    counted = len(config.counted_languages or []) or languages
    updates = config.updates * languages / counted
    tokens = updates * config.batch_size * config.sequence_length
    flops = 3 * forward_flops(encoder, rows, config.sequence_length, config.mask_probability)
    return _START_SECONDS + updates * _UPDATE_SECONDS + tokens * flops / _FLOPS


def evaluation_seconds(
    config: EvaluationConfig, encoder: EncoderConfig, rows: int, length: int, languages: int
) -> float:
    """Likelihood of held-out text: each token is read in every pass and scored in one."""
    tokens = languages * config.max_bytes / _BYTES_A_TOKEN
    flops = forward_flops(encoder, rows, length, 1 / config.passes)
    return _START_SECONDS + tokens * config.passes * flops / _FLOPS


def task_seconds(work: Work, encoder: EncoderConfig, batch_size: int) -> float:
    """A fine-tuning with its validations and its test, or what is only read."""
    flops = work.length * forward_flops(encoder, 0, work.length, 0.0)
    updates = work.trained / batch_size
    seconds = (3 * work.trained + work.scored) * flops / _FLOPS
    return _START_SECONDS + updates * _UPDATE_SECONDS + seconds
