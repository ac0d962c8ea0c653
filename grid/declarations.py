"""The kinds of stages: what the grid knows of each, and a stage made under its key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grid.graph import Stage, StageId
from grid.identity import Encoder, stage_key
from grid.inputs import Inputs
from model import stages
from model.command import CommandStage

FILES = "files"
"""What every source but `synthetic` is called in keys: its content is hashed, not its name."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the grid knows of a kind of stage, and all that it knows of its inside."""

    name: str
    module: str
    config: type
    version: int = 1
    """Raised when the same configuration and inputs come to mean another output."""
    needs_torch: bool = False
    parallel: bool = False
    """Whether several ranks can compute it together."""
    resumable: bool = False
    """Whether it saves its state when it is asked to stop, and goes on from there."""


STAGES = {
    declared.name: declared
    for declared in (
        Declaration(
            name="corpus", module="model.text.corpus", config=stages.CorpusStage, version=2
        ),
        Declaration(
            name="tokenizer",
            module="model.text.tokenizer",
            config=stages.TokenizerStage,
            version=2,
        ),
        Declaration(
            name="checkpoint_tokenizer",
            module="model.text.published_tokenizer",
            config=stages.CheckpointTokenizerStage,
        ),
        Declaration(
            name="checkpoint", module="model.encoder.published", config=stages.CheckpointStage
        ),
        Declaration(name="shards", module="model.text.shards", config=stages.ShardsStage),
        Declaration(
            name="pretraining",
            module="model.training.pretraining",
            config=stages.PretrainingStage,
            version=2,
            needs_torch=True,
            parallel=True,
            resumable=True,
        ),
        Declaration(
            name="evaluation",
            module="model.tasks.likelihood",
            config=stages.EvaluationStage,
            needs_torch=True,
        ),
        Declaration(name="task", module="model.tasks.data", config=stages.TaskDataStage, version=2),
        Declaration(
            name="finetuning",
            module="model.tasks.finetuning",
            config=stages.FinetuningStage,
            version=3,
            needs_torch=True,
            resumable=True,
        ),
        Declaration(
            name="retrieval",
            module="model.tasks.retrieval",
            config=stages.RetrievalStage,
            needs_torch=True,
        ),
        Declaration(name="command", module="model.command", config=CommandStage, resumable=True),
    )
}


def declare(
    name: str,
    config: Any,
    inputs: Mapping[str, StageId] | Inputs,
    slug: str,
    *,
    seconds: float = 1.0,
    threads: int = 1,
    locations: Mapping[str, str] | None = None,
    command: Mapping[str, Any] | None = None,
    declarations: Mapping[str, Declaration] = STAGES,
    encoder: Encoder | None = None,
) -> Stage:
    """The stage with this configuration and these inputs, under its key.

    encoder: one for many stages remembers the parts of configurations that they share.
    """
    declared = declarations[name]
    if type(config) is not declared.config:
        raise TypeError(f"{name}: expected a {declared.config.__name__}, found {config!r}")
    if not isinstance(inputs, Inputs):
        inputs = Inputs.of(inputs)
    return Stage(
        name=name,
        key=stage_key(name, declared.version, config, inputs.encoded, slug, encoder),
        module=declared.module,
        version=declared.version,
        config=config,
        inputs=inputs.stages,
        needs_torch=declared.needs_torch,
        resumable=declared.resumable,
        threads=threads,
        seconds=seconds,
        locations=dict(locations or {}),
        command=command,
    )
