"""What stands on the encoder: the tied language model head, and heads for tasks."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.encoder.dropout import dropout
from model.encoder.layers import EPSILON
from model.encoder.loss import VocabularyShard, linear_cross_entropy
from model.encoder.products import Linear, linear


class LanguageModelHead(nn.Module):
    """dense, GELU, LayerNorm, and a decoder tied to the word embeddings with its own bias."""

    def __init__(self, width: int, rows: int) -> None:
        super().__init__()
        self.dense = Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.bias = nn.Parameter(torch.zeros(rows))
        self.shard: VocabularyShard | None = None
        """The rows that this rank holds of a vocabulary that several share."""

    def forward(self, hidden_NH: Tensor, embeddings_VH: Tensor) -> Tensor:
        """Scores [N, V] of the rows that this rank holds."""
        return linear(self._inner(hidden_NH), embeddings_VH, self.bias)

    def loss(
        self, hidden_NH: Tensor, embeddings_VH: Tensor, targets_N: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy in nats over all N places, and that of each [N], detached."""
        inner_NH = self._inner(hidden_NH)
        return linear_cross_entropy(inner_NH, embeddings_VH, self.bias, targets_N, self.shard)

    def _inner(self, hidden_NH: Tensor) -> Tensor:
        return self.norm(functional.gelu(self.dense(hidden_NH)))


class ClassificationHead(nn.Module):
    """From the vector of <s>: dropout, dense, tanh, dropout, out (as RoBERTa)."""

    def __init__(self, width: int, classes: int, rate: float) -> None:
        super().__init__()
        self.dropout = rate
        self.dense = Linear(width, width)
        self.out_proj = Linear(width, classes)

    def forward(self, hidden_BTH: Tensor) -> Tensor:
        """Scores [B, classes]."""
        first_BH = dropout(hidden_BTH[:, 0], self.dropout, self.training)
        inner_BH = torch.tanh(self.dense(first_BH))
        return self.out_proj(dropout(inner_BH, self.dropout, self.training))


class TokenClassificationHead(nn.Module):
    """A label for each token: dropout, out (as RoBERTa)."""

    def __init__(self, width: int, classes: int, rate: float) -> None:
        super().__init__()
        self.dropout = rate
        self.out_proj = Linear(width, classes)

    def forward(self, hidden_BTH: Tensor) -> Tensor:
        """Scores [B, T, classes]."""
        return self.out_proj(dropout(hidden_BTH, self.dropout, self.training))


class SpanHead(nn.Module):
    """Where an answer begins and ends: one matrix, without dropout (as RoBERTa)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_proj = Linear(width, 2)

    def forward(self, hidden_BTH: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [B, T] of being the first token of the answer, and of being its last."""
        start_BT1, end_BT1 = self.out_proj(hidden_BTH).split(1, dim=-1)
        return start_BT1[..., 0], end_BT1[..., 0]
