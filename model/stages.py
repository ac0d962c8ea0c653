"""What each stage is keyed by: the part of a cell that it depends on.

These are hashed into the stage's key, so a field belongs in one of them exactly if it can change
what the stage computes. Imports neither torch nor grid.
"""

from dataclasses import dataclass

from model.config import (
    EncoderConfig,
    EvaluationConfig,
    HeldOutConfig,
    PretrainingConfig,
    SamplingConfig,
    SyntheticConfig,
    TaskConfig,
    TokenizerConfig,
)

CHECKPOINT = "checkpoint"
"""What the folder of a published model is called among a running stage's locations."""


@dataclass(kw_only=True)
class SourceFile:
    """One file of a source, known by its content. `name` is relative to the source's location."""

    name: str
    bytes: int
    sha256: str


@dataclass(kw_only=True)
class CorpusStage:
    """One language of one source. Generated if `synthetic` is set, otherwise read from `files`."""

    language: str
    source: str
    synthetic: SyntheticConfig | None
    files: list[SourceFile] | None
    held_out: HeldOutConfig


@dataclass(kw_only=True)
class TokenizerStage:
    """Inputs: corpus/<language> for each of `tokenizer.languages` (sorted, never None here)."""

    tokenizer: TokenizerConfig


@dataclass(kw_only=True)
class CheckpointStage:
    """The weights of a published model, known by their content. No inputs.

    The encoder is the checkpoint's in what decides shapes, and the cell's in its dropout.
    """

    encoder: EncoderConfig
    rows: int
    sequence_length: int
    files: list[SourceFile]


@dataclass(kw_only=True)
class CheckpointTokenizerStage:
    """The SentencePiece model of a published model, known by its content. No inputs."""

    file: SourceFile


@dataclass(kw_only=True)
class ShardsStage:
    """Inputs: corpus, tokenizer."""

    language: str


@dataclass(kw_only=True)
class PretrainingStage:
    """Inputs: tokenizer, shards/<language>, and checkpoint if it goes on from one."""

    languages: list[str]
    sampling: SamplingConfig
    encoder: EncoderConfig
    pretraining: PretrainingConfig
    seed: int


@dataclass(kw_only=True)
class EvaluationStage:
    """Inputs: pretraining, tokenizer, and corpus/<language> and shards/<language> of each."""

    languages: list[str]
    evaluation: EvaluationConfig


@dataclass(kw_only=True)
class TaskDataStage:
    """A labelled task's files: generated, or those at the source's location, checked."""

    task: str
    source: str
    synthetic: SyntheticConfig | None
    languages: list[str]
    files: list[SourceFile] | None


@dataclass(kw_only=True)
class FinetuningStage:
    """Inputs: pretraining, tokenizer, task."""

    task: str
    config: TaskConfig
    languages: list[str]
    seed: int
