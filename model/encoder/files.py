"""The encoder as files: model.safetensors (fp32 weights by name) and model.json (its shape)."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from model.encoder.description import (
    Description,
    padded_rows,
    read_description,
    weights_file,
    write_description,
)
from model.encoder.encoder import BLOCK_ROWS, Encoder, MaskedLanguageModel
from model.encoder.parallel import materialise
from model.encoder.weights import WEIGHTS, write_arrays

_ENCODER = "encoder."


Weights = Iterable[tuple[str, Tensor]]
"""Every whole parameter in fp32 with its name, such as `Engine.weights` yields."""


def write_model(folder: Path, weights: Weights, description: Description) -> None:
    """Writes both files."""
    write_weights(folder / WEIGHTS, weights, description)
    size = sum(value.numel() for value in _without_storage(description).parameters())
    write_description(folder, description, size)


def write_weights(file: Path, weights: Weights, description: Description) -> None:
    """Writes the weights as they come: the 43 GB of XXL are never held as a whole."""
    model = _without_storage(description)
    shapes = {name: value.shape for name, value in model.named_parameters()}
    write_arrays(file, shapes, ((name, value.detach().numpy()) for name, value in weights))


def _without_storage(description: Description) -> MaskedLanguageModel:
    """The whole model on the meta device."""
    rows = padded_rows(description.encoder, description.rows)
    with torch.device("meta"):
        return MaskedLanguageModel(description.encoder, rows, len(description.languages or []))


def load_weights(model: MaskedLanguageModel, folder: Path) -> None:
    """Sets every parameter to what `folder` holds; a rank that holds a part reads no more of it."""
    _load(model, folder / WEIGHTS)


@torch.no_grad()
def _load(model: MaskedLanguageModel, file: Path) -> None:
    with safe_open(file, "pt") as stored:
        if set(stored.keys()) != {name for name, _ in model.named_parameters()}:
            raise ValueError(f"{file}: these are the weights of another model")
        for name, parameter in model.named_parameters():
            split = model.splits.get(name)
            if split is None:
                parameter.copy_(stored.get_tensor(name))
                continue
            rows = stored.get_slice(name)
            for first in range(0, split.shape[0], BLOCK_ROWS):
                last = min(first + BLOCK_ROWS, split.shape[0])
                if split.holds_of_rows(first, last):
                    split.take_rows(parameter, rows[first:last], first)


def read_language_model(folder: Path, milestone: int | None = None) -> MaskedLanguageModel:
    """The trained model with its tied head, in fp32; `milestone` as in `weights_file`."""
    model = _without_storage(read_description(folder))
    materialise(model)
    _load(model, weights_file(folder, milestone))
    return model


def read_encoder(folder: Path, milestone: int | None = None) -> Encoder:
    """The trained encoder without a head, in fp32; `milestone` as in `weights_file`."""
    description = read_description(folder)
    rows = padded_rows(description.encoder, description.rows)
    model = Encoder(description.encoder, rows, len(description.languages or []))
    weights = {
        name.removeprefix(_ENCODER): value
        for name, value in load_file(weights_file(folder, milestone)).items()
        if name.startswith(_ENCODER)
    }
    model.load_state_dict(weights, strict=True)
    return model
