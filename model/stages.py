"""What each stage is keyed by: the part of a cell that it depends on.

These are hashed into the stage's key, so a field belongs in one of them exactly if it can change
what the stage computes. Imports neither torch nor grid.
"""

from dataclasses import dataclass, field

from model.config import (
    EncoderConfig,
    EvaluationConfig,
    HeldOutConfig,
    PretrainingConfig,
    SamplingConfig,
    SyntheticConfig,
    TokenizerConfig,
)
from model.task_config import TaskConfig

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
    """Inputs: pretraining, tokenizer, and corpus/<language> and shards/<language> of each.

    The corpora are those of `evaluation.text`, which need not be what the shards were made from.

    milestone: the update whose weights are scored; None for those at the end.
    """

    languages: list[str]
    evaluation: EvaluationConfig
    milestone: int | None = field(default=None, metadata={"absent": None})


@dataclass(kw_only=True)
class TaskDataStage:
    """A labelled task's files for one regime: generated, or at the source's location, checked.

    parts: for `train`, `validation` and `test`, the file of each language relative to the location.
    They are the regime's own: the `train` of translate-train is translated, so is the `test` of
    translate-test. One file may be several parts (an XNLI of 15 languages; an XQuAD that is split
    by article). None where they are generated.
    """

    task: str
    source: str
    synthetic: SyntheticConfig | None
    languages: list[str]
    files: list[SourceFile] | None
    train_languages: list[str] = field(default_factory=lambda: ["en"])
    parts: dict[str, dict[str, str]] | None = None


@dataclass(kw_only=True)
class FinetuningStage:
    """Inputs: pretraining, tokenizer, task (whose parts are this regime's own).

    One model of one regime, trained on `train_languages` together and tested in `languages`, all
    sorted. config: as `TaskConfig.effective` gives it. milestone: as of EvaluationStage.
    """

    task: str
    regime: str
    config: TaskConfig
    train_languages: list[str]
    languages: list[str]
    seed: int
    milestone: int | None = None


@dataclass(kw_only=True)
class RetrievalStage:
    """Inputs: pretraining, tokenizer, task.

    Sentences of each of `languages` are sought among their translations in `pivot`, and back.
    """

    task: str
    source: str
    pivot: str
    languages: list[str]
    most: int
    """Pairs that are read at most in each language."""
    max_length: int
    layer: int | None
    """None: the one above the middle."""
    milestone: int | None = None
