"""A fine-tuned model as a folder that transformers loads: config, weights, tokenizer."""

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from model.encoder.description import padded_rows, read_description
from model.encoder.huggingface import parameters, to_config
from model.encoder.weights import WEIGHTS
from model.errors import InputError
from model.tasks.catalogue import Task
from model.text import tokenizer_files

_KINDS = {
    "classification": "ForSequenceClassification",
    "tagging": "ForTokenClassification",
    "span": "ForQuestionAnswering",
}
_HEADS = {
    "classification": {
        "head.dense": "classifier.dense",
        "head.out_proj": "classifier.out_proj",
    },
    "tagging": {"head.out_proj": "classifier"},
    "span": {"head.out_proj": "qa_outputs"},
}
"""What transformers calls our heads."""


def write_description(folder: Path, task: Task, pretraining: Path, tokenizer: Path) -> None:
    """Writes everything but the weights: before they are made, for it may be refused.

    Raises InputError for what transformers has no model or no tokenizer for.
    """
    description = read_description(pretraining)
    if description.languages is not None:
        raise InputError(
            "tasks.*.keep_weights: expected a model without language embeddings, found "
            "encoder.language_embeddings=true: no model of transformers has a place for them"
        )
    info = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer_files.write(
        folder,
        (tokenizer / "sentencepiece.model").read_bytes(),
        info["config"]["pre_tokenize"],
        description.encoder.max_positions,
    )
    encoder = description.encoder
    config = to_config(encoder, padded_rows(encoder, description.rows))
    (masked,) = config["architectures"]
    config["architectures"] = [masked.removesuffix("ForMaskedLM") + _KINDS[task.form]]
    labels = list(task.labels or ())
    if labels:
        config["id2label"] = {str(number): label for number, label in enumerate(labels)}
        config["label2id"] = {label: number for number, label in enumerate(labels)}
    text = json.dumps(config, sort_keys=True, indent=2, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def write_weights(folder: Path, task: Task, pretraining: Path, weights: dict[str, Tensor]) -> None:
    """Writes the weights under transformers' names."""
    save_file(renamed(task, pretraining, weights), folder / WEIGHTS, metadata={"format": "pt"})


def renamed(task: Task, pretraining: Path, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights under transformers' names."""
    description = read_description(pretraining)
    encoder = description.encoder
    found: dict[str, Tensor] = {}
    for parameter in parameters(encoder, padded_rows(encoder, description.rows)):
        if parameter.name not in weights:
            continue  # of the language model's head
        parts = weights[parameter.name].chunk(len(parameter.theirs))
        found |= {
            name: part.contiguous() for name, part in zip(parameter.theirs, parts, strict=True)
        }
    for ours, theirs in _HEADS[task.form].items():
        for kind in ("weight", "bias"):
            found[f"{theirs}.{kind}"] = weights[f"{ours}.{kind}"]
    return found
