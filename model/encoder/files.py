"""The encoder as files: model.safetensors (fp32 weights by name) and model.json (its shape)."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.encoder.description import (
    Description,
    padded_rows,
    read_description,
    weights_file,
    write_description,
)
from model.encoder.encoder import BLOCK_ROWS, Encoder, MaskedLanguageModel
from model.encoder.weights import WEIGHTS

_ENCODER = "encoder."


def write_model(folder: Path, weights: Mapping[str, Tensor], description: Description) -> None:
    """Writes both files."""
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / WEIGHTS)
    write_description(folder, description, sum(value.numel() for value in weights.values()))


@torch.no_grad()
def load_weights(model: MaskedLanguageModel, folder: Path) -> None:
    """Sets every parameter to what `folder` holds; a rank that holds a part reads no more of it."""
    with safe_open(folder / WEIGHTS, "pt") as stored:
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
    description = read_description(folder)
    rows = padded_rows(description.encoder, description.rows)
    model = MaskedLanguageModel(description.encoder, rows, len(description.languages or []))
    model.load_state_dict(load_file(weights_file(folder, milestone)), strict=True)
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
