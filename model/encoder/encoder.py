"""RoBERTa's encoder and the masked language model on it (Liu et al. 2019; Conneau et al. 2020)."""

import hashlib
import math

import torch
from torch import Tensor, nn

from model.config import EncoderConfig
from model.encoder.heads import LanguageModelHead
from model.encoder.layers import EPSILON, PAD, Embeddings, Layer
from model.encoder.loss import cross_entropy


class Encoder(nn.Module):
    """Embeddings and layers; the pre-LN model (XL, XXL) ends with a LayerNorm."""

    def __init__(self, config: EncoderConfig, rows: int) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config, rows)
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=EPSILON) if config.norm == "pre" else None

    def forward(self, tokens_BT: Tensor, keep_BT: Tensor | None = None) -> Tensor:
        """Contextual vectors [B, T, H]; `keep_BT` is False at padding, None if there is none."""
        hidden_BTH = self.embeddings(tokens_BT, keep_BT)
        for layer in self.layer:
            hidden_BTH = layer(hidden_BTH, keep_BT)
        return hidden_BTH if self.norm is None else self.norm(hidden_BTH)


class MaskedLanguageModel(nn.Module):
    """The encoder with its tied head, which is applied at the masked positions only."""

    def __init__(self, config: EncoderConfig, rows: int) -> None:
        super().__init__()
        self.encoder = Encoder(config, rows)
        self.lm_head = LanguageModelHead(config.width, rows)

    def logits(
        self, tokens_BT: Tensor, positions_N: Tensor, keep_BT: Tensor | None = None
    ) -> Tensor:
        """Scores [N, V] of every piece at the flat positions (indices into B * T)."""
        hidden_BTH = self.encoder(tokens_BT, keep_BT)
        hidden_NH = hidden_BTH.flatten(0, 1).index_select(0, positions_N)
        return self.lm_head(hidden_NH, self.encoder.embeddings.word_embeddings.weight)

    def forward(self, tokens_BT: Tensor, positions_N: Tensor, targets_N: Tensor) -> Tensor:
        """Mean cross-entropy in nats over the masked positions, computed in fp32."""
        logits_NV = self.logits(tokens_BT, positions_N)
        return cross_entropy(logits_NV, targets_N)


def padded_rows(config: EncoderConfig, rows: int) -> int:
    """Rows of the embedding table: the tokenizer's, rounded up to `pad_vocab_to`."""
    return -(-rows // config.pad_vocab_to) * config.pad_vocab_to


def build(config: EncoderConfig, rows: int, seed: int) -> MaskedLanguageModel:
    """A freshly initialised model for a tokenizer of `rows` ids."""
    model = MaskedLanguageModel(config, padded_rows(config, rows))
    initialise(model, config, seed)
    return model


def derived_seed(*parts: object) -> int:
    """A 63-bit seed that depends on every part and on nothing else."""
    text = "\0".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def _fan_in_deviation(name: str, parameter: Tensor, config: EncoderConfig) -> float:
    # Columns are the fan-in of a linear layer and the width of an embedding alike.
    deviation = 1 / math.sqrt(parameter.shape[1])
    if name.endswith("word_embeddings.weight"):
        return 2 * deviation
    adds_to_residual = name.endswith(("attention.dense.weight", "output.weight"))
    return deviation / math.sqrt(2 * config.layers) if adds_to_residual else deviation


@torch.no_grad()
def initialise(model: nn.Module, config: EncoderConfig, seed: int) -> None:
    """Draws every matrix from its own stream, keyed by (seed, name), and resets the rest.

    `normal`: standard deviation `init_std` everywhere, as published. `fan_in`, for small widths:
    1/sqrt(fan-in), over sqrt(2 layers) where a matrix adds to the residual stream (Radford et al.
    2019, Section 2.3), and 2/sqrt(H) for words, but `init_std` for positions, so that at first a
    word counts for more than its place. Norms start at 1, biases and the padding row at 0.
    """
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
            continue
        small = config.initialization == "normal" or "position" in name
        deviation = config.init_std if small else _fan_in_deviation(name, parameter, config)
        generator = torch.Generator().manual_seed(derived_seed("init", seed, name))
        draw = torch.empty(parameter.shape).normal_(0.0, deviation, generator=generator)
        parameter.copy_(draw)
        if name.endswith("word_embeddings.weight"):
            parameter[PAD] = 0.0
