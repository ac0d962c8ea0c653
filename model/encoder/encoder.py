"""RoBERTa's encoder and the masked language model on it (Liu et al. 2019; Conneau et al. 2020)."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from model.config import EncoderConfig
from model.encoder import parallel
from model.encoder.description import padded_rows
from model.encoder.heads import LanguageModelHead
from model.encoder.layers import EPSILON, PAD, Embeddings, Layer

BLOCK_ROWS = 16_384
"""Rows of a matrix that are drawn at once: a rank holds one block beside its own shards."""


class Encoder(nn.Module):
    """Embeddings and layers; the pre-LN model (XL, XXL) ends with a LayerNorm."""

    def __init__(self, config: EncoderConfig, rows: int, languages: int = 0) -> None:
        """languages: rows of the language table, 0 for a model without one."""
        super().__init__()
        self.config = config
        self.rows = rows
        """Of the whole word table."""
        self.languages = languages
        self.activation_checkpointing = False
        """Whether layers are computed again in the backward pass instead of being remembered."""
        self.embeddings = Embeddings(config, rows, languages)
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=EPSILON) if config.norm == "pre" else None

    def forward(
        self,
        tokens_BT: Tensor,
        keep_BT: Tensor | None = None,
        languages_B: Tensor | None = None,
        first_only: bool = False,
    ) -> Tensor:
        """Contextual vectors [B, T, H]; `keep_BT` is False at padding, None if there is none.

        `languages_B` says each text's row of the language table, for the model that has one.
        `first_only` gives those of <s> [B, 1, H], and spares most of the last layer.
        """
        hidden_BTH = self.embeddings(tokens_BT, keep_BT, languages_B)
        for number, layer in enumerate(self.layer, 1):
            last = first_only and number == len(self.layer)
            if self.activation_checkpointing and self.training:
                # Restores PyTorch's random state, from which every dropout mask follows.
                hidden_BTH = checkpoint(layer, hidden_BTH, keep_BT, last, use_reentrant=False)
            else:
                hidden_BTH = layer(hidden_BTH, keep_BT, last)
        return hidden_BTH if self.norm is None else self.norm(hidden_BTH)


class MaskedLanguageModel(nn.Module):
    """The encoder with its tied head, which is applied at the masked positions only."""

    def __init__(self, config: EncoderConfig, rows: int, languages: int = 0) -> None:
        super().__init__()
        self.splits: Mapping[str, parallel.Split] = {}
        """Parameters of which this rank holds a part, by name."""
        self.encoder = Encoder(config, rows, languages)
        self.lm_head = LanguageModelHead(config.width, rows)

    def without_storage(self) -> "MaskedLanguageModel":
        """A whole model of this size on the meta device."""
        encoder = self.encoder
        with torch.device("meta"):
            return MaskedLanguageModel(encoder.config, encoder.rows, encoder.languages)

    def logits(
        self,
        tokens_BT: Tensor,
        positions_N: Tensor,
        keep_BT: Tensor | None = None,
        languages_B: Tensor | None = None,
    ) -> Tensor:
        """Scores [N, V] of every piece at the flat positions (indices into B * T)."""
        hidden_BTH = self.encoder(tokens_BT, keep_BT, languages_B)
        return self.lm_head(_at(hidden_BTH, positions_N), self._table)

    def forward(
        self,
        tokens_BT: Tensor,
        positions_N: Tensor,
        targets_N: Tensor,
        languages_B: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy in nats, in fp32: its mean over the masked positions, and each [N].

        The second is detached: it is for reports, such as the loss of each language.
        """
        hidden_BTH = self.encoder(tokens_BT, None, languages_B)
        return self.lm_head.loss(_at(hidden_BTH, positions_N), self._table, targets_N)

    @property
    def _table(self) -> Tensor:
        return self.encoder.embeddings.word_embeddings.weight


def _at(hidden_BTH: Tensor, positions_N: Tensor) -> Tensor:
    return hidden_BTH.flatten(0, 1).index_select(0, positions_N)


def language_rows(
    language: int | None, tokens_BT: Tensor, device: str | torch.device
) -> Tensor | None:
    """One language's row of the language table for each text [B], None for a model without one."""
    if language is None:
        return None
    return torch.full((len(tokens_BT),), language, device=device)


def build(
    config: EncoderConfig, rows: int, seed: int, *, languages: int = 0, group: Any = None
) -> MaskedLanguageModel:
    """A freshly initialised model for a tokenizer of `rows` ids.

    languages: rows of the language table; used where `config.language_embeddings` is set.
    group: a tensor-parallel group, of whose model this rank then holds its part and no more.
    """
    rows = padded_rows(config, rows)
    with torch.device("meta"):
        model = MaskedLanguageModel(config, rows, languages if config.language_embeddings else 0)
    if group is not None:
        parallel.shard(model, group)
    parallel.materialise(model)
    initialise(model, config, seed)
    return model


def derived_seed(*parts: object) -> int:
    """A 63-bit seed that depends on every part and on nothing else."""
    text = "\0".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def _fan_in_deviation(name: str, columns: int, config: EncoderConfig) -> float:
    # Columns are the fan-in of a linear layer and the width of an embedding alike.
    deviation = 1 / math.sqrt(columns)
    if name.endswith("word_embeddings.weight"):
        return 2 * deviation
    adds_to_residual = name.endswith(("attention.dense.weight", "output.weight"))
    return deviation / math.sqrt(2 * config.layers) if adds_to_residual else deviation


@torch.no_grad()
def initialise(model: nn.Module, config: EncoderConfig, seed: int) -> None:
    """Draws every matrix from its own stream, keyed by (seed, name), and resets the rest.

    `normal`: standard deviation `init_std` everywhere, as published. `fan_in`, for small widths:
    1/sqrt(fan-in), over sqrt(2 layers) where a matrix adds to the residual stream (Radford et al.
    2019, Section 2.3), and 2/sqrt(H) for words, but `init_std` for positions and languages, so
    that at first a word counts for more than its place. Norms start at 1, biases and the padding
    row at 0. A rank that holds a part of a matrix draws what the whole one would have there.
    """
    splits: Mapping[str, parallel.Split] = getattr(model, "splits", {})
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
            continue
        split = splits.get(name, parallel.Split(shape=tuple(parameter.shape)))
        rows, columns = split.shape
        small = config.initialization == "normal" or "position" in name or "language" in name
        deviation = config.init_std if small else _fan_in_deviation(name, columns, config)
        for first in range(0, rows, BLOCK_ROWS):
            last = min(rows, first + BLOCK_ROWS)
            if split.holds_of_rows(first, last):
                number = () if rows <= BLOCK_ROWS else (first // BLOCK_ROWS,)
                key = derived_seed("init", seed, name, *number)
                generator = torch.Generator().manual_seed(key)
                block = torch.empty(last - first, columns)
                block.normal_(0.0, deviation, generator=generator)
                if first == 0 and name.endswith("word_embeddings.weight"):
                    block[PAD] = 0.0
                split.take_rows(parameter, block, first)
