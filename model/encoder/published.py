"""Stage `checkpoint`: a folder that transformers wrote, as the output of a pretraining.

`inspect` says what such a folder holds, with XLM-R's own layout: config.json, model.safetensors (or
its parts with an index) and sentencepiece.bpe.model. `run` writes model.safetensors and model.json
as a pretraining does, with an exposure.json that says that the earlier training is not known.
Imports no torch: renaming, and joining query, key and value, is copying of bytes.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.checks import within
from model.config import EncoderConfig
from model.context import Context
from model.encoder import weights
from model.encoder.description import Description, padded_rows, write_description
from model.encoder.huggingface import IGNORED, TIED, Parameter, from_config, padding, parameters
from model.encoder.weights import WEIGHTS, Stored
from model.errors import InputError
from model.stages import CHECKPOINT, CheckpointStage, SourceFile
from model.text.tokenizer_files import SENTENCEPIECE, read_checked

_NAMED = 4
"""Tensors that a message names."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published model, as its folder describes it."""

    folder: Path
    encoder: EncoderConfig
    pieces: int
    """SentencePiece's pieces; the tokenizer has two ids more."""
    kind: str
    """The tokenizer's: `unigram` or `bpe`."""
    sequence_length: int
    """Tokens of the longest sequence that its tokenizer allows."""
    files: tuple[Path, ...]
    """Its weights."""
    dtypes: tuple[str, ...]

    @property
    def ids(self) -> int:
        return self.pieces + 2

    @property
    def parameters(self) -> list[Parameter]:
        return parameters(self.encoder, padded_rows(self.encoder, self.ids))

    @property
    def tokenizer(self) -> Path:
        return self.folder / SENTENCEPIECE


def inspect(folder: Path) -> Published:
    """Reads and checks a folder but for its weights' values.

    Raises InputError for what is missing, damaged, or not the architecture of XLM-R.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected the folder of a published model, found none")
    config = _json(folder / "config.json")
    if not (folder / SENTENCEPIECE).is_file():
        raise InputError(
            f"{folder}: expected the tokenizer {SENTENCEPIECE}, found none. It stands beside the "
            "weights of every XLM-R; tokenizer.json alone is not read"
        )
    try:
        encoder, rows = from_config(config)
    except InputError as error:
        raise InputError(f"{folder / 'config.json'}: {error}") from None
    try:
        model = read_checked((folder / SENTENCEPIECE).read_bytes())
        multiple = padding(len(model.pieces) + 2, rows)
    except InputError as error:
        raise InputError(f"{folder / SENTENCEPIECE}: {error}") from None
    found = Published(
        folder=folder,
        encoder=replace(encoder, pad_vocab_to=multiple),
        pieces=len(model.pieces),
        kind=model.kind,
        sequence_length=_longest(folder, encoder.max_positions),
        files=tuple(weights.weight_files(folder)),
        dtypes=(),
    )
    tensors = tensors_of(found.encoder, found.ids, found.files)
    dtypes = {part.dtype for parts in tensors.values() for part in parts}
    return replace(found, dtypes=tuple(sorted(dtypes)))


def check(published: Published) -> None:
    """Reads every weight. Raises InputError that names the first tensor with NaN or infinity."""
    tensors = tensors_of(published.encoder, published.ids, published.files)
    for name, parts in tensors.items():
        for part in parts:
            weights.require_finite(name, part)


def tensors_of(encoder: EncoderConfig, ids: int, files: Sequence[Path]) -> dict[str, list[Stored]]:
    """Our parameters by name, each in its parts, as they lie in transformers' files.

    Raises InputError for parameters that are missing, unknown or of another shape.
    """
    there = weights.read_headers(files)
    wanted = parameters(encoder, padded_rows(encoder, ids))
    where = files[0].parent
    names = [name for parameter in wanted for name in parameter.theirs]
    if missing := [name for name in names if name not in there]:
        raise InputError(
            f"{where}: {len(missing)} of {len(names)} tensors of a masked language model are "
            f"missing from its weights, such as {', '.join(missing[:_NAMED])}"
        )
    if unknown := sorted(there.keys() - set(names) - set(IGNORED) - TIED.keys()):
        raise InputError(
            f"{where}: its weights hold {len(unknown)} tensors that XLM-R does not have, such as "
            f"{', '.join(unknown[:_NAMED])}"
        )
    for name, own in TIED.items():
        if name in there and not weights.equal(there[name], there[own]):
            raise InputError(
                f"{where}: {name} differs from {own}: expected a model whose decoder is tied"
            )
    result = {}
    for parameter in wanted:
        parts = [there[name] for name in parameter.theirs]
        shape = (parameter.shape[0] // len(parts), *parameter.shape[1:])
        for name, part in zip(parameter.theirs, parts, strict=True):
            if part.shape != shape or part.dtype not in weights.BYTES:
                raise InputError(
                    f"{where}: {name}: expected {list(shape)} numbers by config.json and the "
                    f"tokenizer, of {', '.join(weights.BYTES)}, found {list(part.shape)} of "
                    f"{part.dtype}"
                )
        result[parameter.name] = parts
    return result


def run(config: CheckpointStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Copies the weights, in fp32. Raises InputError for files that have changed, or for NaN."""
    files = located(config.files, context)
    tensors = tensors_of(config.encoder, config.rows, files)
    weights.write(output / WEIGHTS, tensors, check_finite=True)
    description = Description(
        encoder=config.encoder, rows=config.rows, sequence_length=config.sequence_length
    )
    wanted = parameters(config.encoder, padded_rows(config.encoder, config.rows))
    write_description(output, description, sum(parameter.size for parameter in wanted))
    exposure = {"languages": {}, "updates": 0, "tokens": 0, "published": True}
    for name, value in (("exposure.json", exposure), ("curve.json", [])):
        text = json.dumps(value, sort_keys=True, indent=1)
        (output / name).write_text(text + "\n", encoding="utf-8")


def located(files: Sequence[SourceFile], context: Context) -> list[Path]:
    """The files on this machine. Raises InputError for one that is not what was planned."""
    folder = Path(context.locations[CHECKPOINT])
    found = []
    for file in files:
        path = within(folder, file.name)
        if not path.is_file():
            raise InputError(f"{path}: expected a checkpoint's file, found none")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != file.sha256:
            raise InputError(
                f"{path}: the file has changed since it was planned. Run the same command again"
            )
        found.append(path)
    return found


def _longest(folder: Path, positions: int) -> int:
    """The tokenizer's `model_max_length`, where it says one that the model has positions for."""
    file = folder / "tokenizer_config.json"
    stated = _json(file).get("model_max_length") if file.is_file() else None
    return min(stated, positions) if isinstance(stated, int) and stated >= 2 else positions


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{file.parent}: expected a published model's {file.name}, found none"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{file}: expected an object, found {type(value).__name__}")
    return value
