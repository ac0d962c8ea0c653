"""A trained model as a folder that `AutoModelForMaskedLM` and `AutoTokenizer` load.

Imports no torch: renaming, and cutting the matrix of query, key and value, is copying of bytes.
"""

import json
from pathlib import Path

from model.encoder import weights
from model.encoder.description import padded_rows, read_description, weights_file
from model.encoder.huggingface import parameters, to_config
from model.encoder.weights import WEIGHTS, Stored
from model.errors import InputError
from model.text import tokenizer_files

PRECISIONS = {"fp32": ("F32", "float32"), "bf16": ("BF16", "bfloat16")}
"""For each precision: its name in safetensors, and in config.json."""


def write_folder(
    folder: Path,
    *,
    trained: Path,
    tokenizer: Path,
    precision: str = "fp32",
    milestone: int | None = None,
) -> None:
    """Writes config.json, model.safetensors and the tokenizer's files.

    trained: output of a pretraining; tokenizer: of a tokenizer; milestone: the update whose weights
    are taken, None for the last. Raises InputError for what transformers has no model or no
    tokenizer for, and for a milestone that there is not.
    """
    dtype, spelt = PRECISIONS[precision]
    description = read_description(trained)
    if description.languages is not None:
        raise InputError(
            "expected a model without language embeddings, found encoder.language_embeddings=true: "
            "XLM-R has none, and no model of transformers has a place for them"
        )
    rows = padded_rows(description.encoder, description.rows)
    info = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer_files.write(
        folder,
        (tokenizer / "sentencepiece.model").read_bytes(),
        info["config"]["pre_tokenize"],
        description.sequence_length,
    )
    config = to_config(description.encoder, rows, spelt)
    text = json.dumps(config, sort_keys=True, indent=2)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")

    there = weights.read_header(weights_file(trained, milestone))
    tensors: dict[str, list[Stored]] = {}
    for parameter in parameters(description.encoder, rows):
        own = there[parameter.name]
        parts = [own] if len(parameter.theirs) == 1 else own.thirds()
        tensors.update((name, [part]) for name, part in zip(parameter.theirs, parts, strict=True))
    weights.write(folder / WEIGHTS, tensors, dtype=dtype)
