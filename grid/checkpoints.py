"""Published models that cells start from: found, read and compared with the cell at plan time.

A model is known by the content of its files; neither its name in the study nor its folder is in a
key. Importing this module is cheap; reading a model imports no torch.
"""

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from grid.budget import rough
from grid.declarations import declare
from grid.graph import Stage
from grid.source_files import Sources
from model.config import CellConfig, EncoderConfig, TokenizerConfig
from model.errors import InputError
from model.stages import CHECKPOINT, CheckpointStage, CheckpointTokenizerStage, SourceFile

if TYPE_CHECKING:
    from model.encoder.published import Published

_SHAPES = (
    "layers",
    "width",
    "heads",
    "feed_forward",
    "norm",
    "max_positions",
    "pad_vocab_to",
    "language_embeddings",
)
"""What a published model decides; a cell has to say the same."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A model that was looked at, and its files by content."""

    published: "Published"
    weights: list[SourceFile]
    tokenizer: SourceFile


class Checkpoints:
    """The published models of a study, each read once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._known: dict[str, _Known] = {}

    def stages(self, config: CellConfig) -> dict[str, Stage]:
        """The stages that bring a cell's checkpoint and its tokenizer in, by role.

        Raises StudyError where no location is set, InputError for a folder that is no published
        model, or whose architecture is not the cell's.
        """
        known = self._read(config)
        published = known.published
        locations = {CHECKPOINT: str(published.folder)}
        weights = CheckpointStage(
            encoder=_as_stored(config.encoder, published),
            rows=published.ids,
            sequence_length=published.sequence_length,
            files=known.weights,
        )
        return {
            "checkpoint": declare(
                "checkpoint",
                weights,
                {},
                f"published-w{config.encoder.width}-l{config.encoder.layers}",
                seconds=rough.checkpoint_seconds(sum(file.bytes for file in weights.files)),
                locations=locations,
            ),
            "tokenizer": declare(
                "checkpoint_tokenizer",
                CheckpointTokenizerStage(file=known.tokenizer),
                {},
                published_slug(config.tokenizer),
                locations=locations,
            ),
        }

    def _read(self, config: CellConfig) -> _Known:
        from model.encoder.published import inspect

        name = config.checkpoint
        if name is None:
            raise ValueError("a cell without a checkpoint")
        if name not in self._known:
            published = inspect(self._sources.folder(name))
            files = [*published.files, published.tokenizer]
            *weights, tokenizer = self._sources.described(published.folder, files)
            self._known[name] = _Known(published=published, weights=weights, tokenizer=tokenizer)
        _require_equal(config, self._known[name].published)
        return self._known[name]


def scored_as_it_is(config: CellConfig) -> bool:
    """Whether a cell scores a published model without training it."""
    return config.checkpoint is not None and config.pretraining.updates == 0


def published_slug(tokenizer: TokenizerConfig) -> str:
    """What artifacts that rest on a published tokenizer are called after."""
    return f"published-{tokenizer.vocab_size}-{tokenizer.kind}"


def study_lines(published: "Published") -> dict[str, dict[str, object]]:
    """The groups of a study's `cell` that a published model decides, without what is default."""
    default = _explicit(EncoderConfig())
    encoder = _explicit(published.encoder)
    always = ("layers", "width", "heads")
    said = {key: value for key, value in encoder.items() if key in always or value != default[key]}
    if published.encoder.feed_forward_size == 4 * published.encoder.width:
        said.pop("feed_forward", None)
    return {
        "encoder": said,
        "tokenizer": {"kind": published.kind, "vocab_size": published.pieces},
    }


def _require_equal(config: CellConfig, published: "Published") -> None:
    """Raises InputError with every field in which a cell differs from its checkpoint."""
    from model.encoder.description import padded_rows

    ours, theirs = _explicit(config.encoder), _explicit(published.encoder)
    # How the table came to its number of rows does not matter, only the number.
    if padded_rows(config.encoder, published.ids) == padded_rows(published.encoder, published.ids):
        ours["pad_vocab_to"] = theirs["pad_vocab_to"]
    pairs = [(f"encoder.{key}", ours[key], theirs[key]) for key in _SHAPES]
    pairs.append(("tokenizer.kind", config.tokenizer.kind, published.kind))
    pairs.append(("tokenizer.vocab_size", config.tokenizer.vocab_size, published.pieces))
    different = [f"{key}: {own!r}, the checkpoint has {its!r}" for key, own, its in pairs
                 if own != its]  # fmt: skip
    if different:
        lines = "; ".join(f"{key}: {value}" for key, value in _written(published).items())
        raise InputError(
            f"cell.checkpoint: the cell is not of the architecture of {config.checkpoint} "
            f"({published.folder}): {'; '.join(different)}. Below cell, write {lines}"
        )


def _written(published: "Published") -> dict[str, str]:
    """`study_lines` as YAML on one line each."""
    return {
        group: "{" + ", ".join(f"{key}: {value}" for key, value in said.items()) + "}"
        for group, said in study_lines(published).items()
    }


def yaml_lines(published: "Published", name: str) -> str:
    """What a study needs to start from a published model."""
    groups = "".join(f"  {group}: {said}\n" for group, said in _written(published).items())
    return (
        "# Lines for a study; say also `languages`, and the text that they are scored on.\n"
        f"cell:\n  checkpoint: {name}\n{groups}"
        "  pretraining: {updates: 0}  # 0 scores it as it is; more go on training it\n"
        f"locations: {{{name}: {json.dumps(str(published.folder), ensure_ascii=False)}}}\n"
    )


def _explicit(encoder: EncoderConfig) -> dict[str, object]:
    values = {key: getattr(encoder, key) for key in (*_SHAPES, "dropout", "attention_dropout")}
    return {**values, "feed_forward": encoder.feed_forward_size}


def _as_stored(encoder: EncoderConfig, published: "Published") -> EncoderConfig:
    """The published encoder with the cell's dropout; how it was initialised does not matter."""
    return replace(
        published.encoder,
        feed_forward=published.encoder.feed_forward_size,
        dropout=encoder.dropout,
        attention_dropout=encoder.attention_dropout,
        initialization=EncoderConfig.initialization,
        init_std=EncoderConfig.init_std,
    )
