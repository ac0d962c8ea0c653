"""Rough sizes and times of stages, to put the longest work first. Never part of a key."""

from model.config import EncoderConfig, EvaluationConfig, PretrainingConfig, TaskConfig

_FLOPS = 1e11
"""What a CPU core does in a second on these models, about; only ratios matter here."""
_UPDATE_SECONDS = 0.003
_START_SECONDS = 1.0
_BYTES_A_TOKEN = 3.0


def layer_parameters(encoder: EncoderConfig) -> int:
    """Weights of all layers: attention 4 H^2, feed-forward 2 H F, in each."""
    width = encoder.width
    return encoder.layers * (4 * width * width + 2 * width * encoder.feed_forward_size)


def _forward(encoder: EncoderConfig, rows: int, length: int, scored: float) -> float:
    """FLOPs of a token forward; `scored` is the share of tokens with a full softmax."""
    attention = 4 * encoder.layers * length * encoder.width
    return 2 * layer_parameters(encoder) + attention + 2 * scored * rows * encoder.width


def corpus_seconds(size: int) -> float:
    """A corpus of `size` bytes, generated or read and checked."""
    return 0.1 + size / 4e6


def tokenizer_seconds(size: int) -> float:
    """A tokenizer trained on `size` bytes."""
    return 0.5 + size / 4e5


def checkpoint_seconds(size: int) -> float:
    """A published model of `size` bytes, read twice and written once."""
    return 0.5 + size / 2e8


def shards_seconds(size: int) -> float:
    """The shards of a corpus of `size` bytes."""
    return 0.1 + size / 8e6


def pretraining_seconds(
    config: PretrainingConfig, encoder: EncoderConfig, rows: int, languages: int
) -> float:
    """A pretraining; where only some languages count, more updates are needed for their share."""
    counted = len(config.counted_languages or []) or languages
    updates = config.updates * languages / counted
    tokens = updates * config.batch_size * config.sequence_length
    flops = 3 * _forward(encoder, rows, config.sequence_length, config.mask_probability)
    return _START_SECONDS + updates * _UPDATE_SECONDS + tokens * flops / _FLOPS


def evaluation_seconds(
    config: EvaluationConfig, encoder: EncoderConfig, rows: int, length: int, languages: int
) -> float:
    """Likelihood of held-out text: each token is read in every pass and scored in one."""
    tokens = languages * config.max_bytes / _BYTES_A_TOKEN
    flops = _forward(encoder, rows, length, 1 / config.passes)
    return _START_SECONDS + tokens * config.passes * flops / _FLOPS


def finetuning_seconds(config: TaskConfig, encoder: EncoderConfig, languages: int) -> float:
    """A fine-tuning and its test in every language."""
    tokens = config.max_length / 2
    flops = tokens * _forward(encoder, 0, config.max_length, 0.0)
    trained = config.epochs * config.train_examples
    tested = languages * config.test_examples
    updates = trained / config.batch_size
    return _START_SECONDS + updates * _UPDATE_SECONDS + (3 * trained + tested) * flops / _FLOPS
