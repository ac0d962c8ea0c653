"""The encoder as files: model.safetensors (fp32 weights by name) and model.json (its shape)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from model.config import EncoderConfig
from model.encoder.encoder import Encoder, MaskedLanguageModel, padded_rows
from model.errors import InputError

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
_ENCODER = "encoder."


@dataclass(kw_only=True)
class Description:
    """model.json: what is needed to build the model that the weights belong to."""

    encoder: EncoderConfig
    rows: int
    """The tokenizer's number of ids, before padding."""
    sequence_length: int
    """Tokens of the sequences that it was trained on: later positions are untrained."""
    languages: list[str] | None = None
    """The languages of its language table by row, for a model that has one."""

    def language_row(self, language: str) -> int | None:
        """The language's row of the table; None for a model without one.

        Raises InputError for a language that the table does not have.
        """
        if self.languages is None:
            return None
        if language not in self.languages:
            raise InputError(
                f"language {language!r}: expected one that the model has an embedding of "
                f"({', '.join(self.languages)}): with encoder.language_embeddings it reads no other"
            )
        return self.languages.index(language)


def write_model(folder: Path, weights: Mapping[str, Tensor], description: Description) -> None:
    """Writes both files."""
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / WEIGHTS)
    facts = asdict(description)
    facts["parameters"] = sum(value.numel() for value in weights.values())
    text = json.dumps(facts, sort_keys=True, indent=1)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def read_description(folder: Path) -> Description:
    facts = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return Description(
        encoder=EncoderConfig(**facts["encoder"]),
        rows=facts["rows"],
        sequence_length=facts["sequence_length"],
        languages=facts.get("languages"),
    )


def milestone_folder(folder: Path, step: int) -> Path:
    """Where the weights after `step` updates lie in a pretraining's artifact."""
    return folder / "milestones" / f"{step:08d}"


def weights_file(folder: Path, milestone: int | None = None) -> Path:
    """The weights of a pretraining's artifact: at its end, or after `milestone` updates.

    Raises InputError for a milestone that it does not have.
    """
    if milestone is None:
        return folder / WEIGHTS
    path = milestone_folder(folder, milestone) / WEIGHTS
    if not path.exists():
        kept = sorted(int(each.name) for each in (folder / "milestones").glob("[0-9]*"))
        raise InputError(
            f"{folder}: expected the weights after {milestone} updates, found "
            f"{', '.join(map(str, kept)) or 'no milestones'}; pretraining.milestones says which "
            "are kept"
        )
    return path


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
