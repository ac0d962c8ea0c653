"""What lies beside a model's weights, and where they lie: model.json, milestones. No torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.config import EncoderConfig
from model.encoder.weights import WEIGHTS
from model.errors import InputError

DESCRIPTION = "model.json"


@dataclass(kw_only=True)
class Description:
    """The encoder, its tokenizer's size, and what it was trained on."""

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


def write_description(folder: Path, description: Description, parameters: int) -> None:
    """Writes model.json."""
    facts = {**asdict(description), "parameters": parameters}
    text = json.dumps(facts, sort_keys=True, indent=1)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def read_description(folder: Path) -> Description:
    """What model.json says."""
    facts = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return Description(
        encoder=EncoderConfig(**facts["encoder"]),
        rows=facts["rows"],
        sequence_length=facts["sequence_length"],
        languages=facts.get("languages"),
    )


def padded_rows(config: EncoderConfig, rows: int) -> int:
    """Rows of the embedding table: the tokenizer's, rounded up to `pad_vocab_to`."""
    return -(-rows // config.pad_vocab_to) * config.pad_vocab_to


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


def seen(exposure: Mapping[str, Any], language: str) -> bool | None:
    """Whether a model was trained on a language; None if it was also trained elsewhere before."""
    if exposure["languages"].get(language, {"sequences": 0})["sequences"] > 0:
        return True
    return None if exposure.get("published") else False
