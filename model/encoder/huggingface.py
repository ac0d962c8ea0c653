"""Our encoder in transformers' words: names of parameters, shapes and config.json, both ways.

`post` is XLMRobertaForMaskedLM, `pre` is XLMRobertaXLForMaskedLM. They compute what ours computes;
only names differ, and ours keeps query, key and value in one matrix, in this order. The decoder's
weight is the embedding's, and its bias is the head's, so neither is a parameter of its own. Imports
no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

from model.config import EncoderConfig
from model.errors import InputError

MODEL_TYPES = {"post": "xlm-roberta", "pre": "xlm-roberta-xl"}
ARCHITECTURES = {"post": "XLMRobertaForMaskedLM", "pre": "XLMRobertaXLForMaskedLM"}
EXTRA_POSITIONS = 2
"""Rows of the position table beyond the longest sequence: the padding's and one that is unused."""
IGNORED = (
    "roberta.embeddings.position_ids",
    "roberta.embeddings.token_type_ids",
    "roberta.pooler.dense.weight",
    "roberta.pooler.dense.bias",
)
"""Counters that are no parameters, and the pooler, which masked language models do not have."""
TIED = {
    "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}
"""Second names of parameters, which some files hold as well."""

_NORMS = {
    "post": {
        "attention_norm": "attention.output.LayerNorm",
        "output_norm": "output.LayerNorm",
    },
    "pre": {
        "attention_norm": "attention.self_attn_layer_norm",
        "output_norm": "LayerNorm",
    },
}
_EXPECTED = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
"""What every model of ours has, and what its config.json therefore must say."""
_IF_SAID = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}
_SIZES = {
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "feed_forward": "intermediate_size",
}
_LARGEST = {
    "num_hidden_layers": 10_000,
    "hidden_size": 1 << 20,
    "num_attention_heads": 1 << 16,
    "intermediate_size": 1 << 22,
    "vocab_size": 1 << 24,
    "max_position_embeddings": 1 << 24,
}
"""Far beyond any model there is; what says more is damaged or was made to fill the memory."""
_SHARES = {
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "init_std": "initializer_range",
}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One of our parameters: its shape and where transformers keeps it."""

    name: str
    shape: tuple[int, ...]
    theirs: tuple[str, ...]
    """One name; for the fused matrix those of query, key and value."""

    @property
    def size(self) -> int:
        """Its numbers."""
        return prod(self.shape)


def parameters(config: EncoderConfig, rows: int) -> list[Parameter]:
    """Every parameter of the masked language model; `rows` of the embedding, padding included."""
    width, inner = config.width, config.feed_forward_size
    found: list[Parameter] = []

    def add(name: str, shape: tuple[int, ...], *theirs: str) -> None:
        found.append(Parameter(name=name, shape=shape, theirs=theirs))

    def add_layer(name: str, rows: int, columns: int, *theirs: str) -> None:
        add(f"{name}.weight", (rows, columns), *(f"{their}.weight" for their in theirs))
        add(f"{name}.bias", (rows,), *(f"{their}.bias" for their in theirs))

    def add_norm(name: str, their: str) -> None:
        add(f"{name}.weight", (width,), f"{their}.weight")
        add(f"{name}.bias", (width,), f"{their}.bias")

    ours, theirs = "encoder.embeddings", "roberta.embeddings"
    positions = config.max_positions + EXTRA_POSITIONS
    for kind, length in (("word", rows), ("position", positions), ("token_type", 1)):
        name = f"{kind}_embeddings.weight"
        add(f"{ours}.{name}", (length, width), f"{theirs}.{name}")
    if config.norm == "post":
        add_norm(f"{ours}.norm", f"{theirs}.LayerNorm")
    for number in range(config.layers):
        ours, theirs = f"encoder.layer.{number}", f"roberta.encoder.layer.{number}"
        fused = [f"{theirs}.attention.self.{part}" for part in ("query", "key", "value")]
        add_layer(f"{ours}.attention.query_key_value", 3 * width, width, *fused)
        add_layer(f"{ours}.attention.dense", width, width, f"{theirs}.attention.output.dense")
        add_layer(f"{ours}.intermediate", inner, width, f"{theirs}.intermediate.dense")
        add_layer(f"{ours}.output", width, inner, f"{theirs}.output.dense")
        for norm, their in _NORMS[config.norm].items():
            add_norm(f"{ours}.{norm}", f"{theirs}.{their}")
    if config.norm == "pre":
        add_norm("encoder.norm", "roberta.encoder.LayerNorm")
    add_layer("lm_head.dense", width, width, "lm_head.dense")
    add_norm("lm_head.norm", "lm_head.layer_norm")
    add("lm_head.bias", (rows,), "lm_head.bias")
    return found


def to_config(config: EncoderConfig, rows: int, dtype: str = "float32") -> dict[str, Any]:
    """What config.json says; `rows` of the embedding, padding included."""
    return {
        "architectures": [ARCHITECTURES[config.norm]],
        "model_type": MODEL_TYPES[config.norm],
        "vocab_size": rows,
        "max_position_embeddings": config.max_positions + EXTRA_POSITIONS,
        **{theirs: getattr(config, ours) for ours, theirs in _SIZES.items()},
        **{theirs: getattr(config, ours) for ours, theirs in _SHARES.items()},
        "intermediate_size": config.feed_forward_size,
        "dtype": dtype,
        **_EXPECTED,
        "tie_word_embeddings": True,
    }


def from_config(values: Mapping[str, Any]) -> tuple[EncoderConfig, int]:
    """The encoder that a config.json describes, and the rows of its embedding.

    Raises InputError for a model that ours is not: the message names each such key.
    """
    norms = {model_type: norm for norm, model_type in MODEL_TYPES.items()}
    model_type = values.get("model_type")
    if not isinstance(model_type, str) or model_type not in norms:
        raise InputError(f"model_type: expected {' or '.join(norms)}, found {model_type!r}")
    faults = [
        f"{key}: expected {expected!r}, found {values.get(key)!r}"
        for key, expected in _EXPECTED.items()
        if values.get(key) != expected
    ]
    faults += [
        f"{key}: expected {expected!r}, found {values[key]!r}"
        for key, expected in _IF_SAID.items()
        if values.get(key, expected) != expected
    ]
    for key in (*_SIZES.values(), "vocab_size", "max_position_embeddings"):
        if type(values.get(key)) is not int or not 1 <= values[key] <= _LARGEST[key]:
            faults.append(
                f"{key}: expected a whole number from 1 to {_LARGEST[key]}, found "
                f"{values.get(key)!r}"
            )
    for key in _SHARES.values():
        if type(values.get(key, 0.0)) not in (int, float) or not 0 <= values.get(key, 0.0) <= 1:
            faults.append(f"{key}: expected a number from 0 to 1, found {values[key]!r}")
    if faults:
        raise InputError("; ".join(faults))
    sizes: dict[str, Any] = {ours: values[theirs] for ours, theirs in _SIZES.items()}
    shares: dict[str, Any] = {
        ours: float(values[theirs]) for ours, theirs in _SHARES.items() if theirs in values
    }
    encoder = EncoderConfig(
        norm=norms[model_type],
        max_positions=values["max_position_embeddings"] - EXTRA_POSITIONS,
        **sizes,
        **shares,
    )
    return encoder, values["vocab_size"]


def padding(ids: int, rows: int) -> int:
    """`pad_vocab_to` for an embedding of `rows` rows over a tokenizer of `ids` ids.

    The least power of two that gives it, or else the least number. Raises InputError where a
    tokenizer has more ids than there are rows.
    """
    if ids > rows:
        raise InputError(f"the tokenizer has {ids} ids, but the embedding only {rows} rows")
    powers = [1 << power for power in range(rows.bit_length())]
    for multiple in chain(powers, range(1, rows + 1)):
        if -(-ids // multiple) * multiple == rows:
            return multiple
    raise AssertionError("a number of rows is a multiple of itself")
