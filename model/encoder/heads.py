"""What stands on the encoder: the tied language model head and sequence classification."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.encoder.dropout import dropout
from model.encoder.layers import EPSILON


class LanguageModelHead(nn.Module):
    """dense, GELU, LayerNorm, and a decoder tied to the word embeddings with its own bias."""

    def __init__(self, width: int, rows: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.bias = nn.Parameter(torch.zeros(rows))

    def forward(self, hidden_NH: Tensor, embeddings_VH: Tensor) -> Tensor:
        hidden_NH = self.norm(functional.gelu(self.dense(hidden_NH)))
        return functional.linear(hidden_NH, embeddings_VH, self.bias)


class ClassificationHead(nn.Module):
    """From the vector of <s>: dropout, dense, tanh, dropout, out (as RoBERTa)."""

    def __init__(self, width: int, classes: int, rate: float) -> None:
        super().__init__()
        self.dropout = rate
        self.dense = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, classes)

    def forward(self, hidden_BTH: Tensor) -> Tensor:
        """Scores [B, classes]."""
        first_BH = dropout(hidden_BTH[:, 0], self.dropout, self.training)
        inner_BH = torch.tanh(self.dense(first_BH))
        return self.out_proj(dropout(inner_BH, self.dropout, self.training))
