"""One Transformer layer and the embeddings (Vaswani et al. 2017; RoBERTa, Liu et al. 2019).

Tensor names carry their shape: B sequences, T tokens, H width, A heads, D = H / A, F feed-forward.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import EncoderConfig
from model.encoder.attention import attend, attend_dropped, centred, goes_round
from model.encoder.dropout import add_dropped, draw_seed, dropout, mask, scale
from model.encoder.products import Linear, widens

EPSILON = 1e-5
"""LayerNorm's epsilon in XLM-R (HF's XLMRobertaConfig of xlm-roberta-base)."""
PAD = 1
FIRST_POSITION = PAD + 1
"""Row of the position table that the first token takes: fairseq counts on from the padding id."""


class Embeddings(nn.Module):
    """Word, position and (one-row) type embeddings; normalised at once in the post-LN model.

    XLM added one for the language of the text (Conneau and Lample 2019); XLM-R dropped it.
    """

    def __init__(self, config: EncoderConfig, rows: int, languages: int = 0) -> None:
        super().__init__()
        width = config.width
        self.word_embeddings = nn.Embedding(rows, width, padding_idx=PAD)
        self.position_embeddings = nn.Embedding(config.max_positions + FIRST_POSITION, width)
        self.token_type_embeddings = nn.Embedding(1, width)
        self.language_embeddings = nn.Embedding(languages, width) if languages else None
        self.norm = nn.LayerNorm(width, eps=EPSILON) if config.norm == "post" else None
        self.dropout = config.dropout

    def forward(
        self, tokens_BT: Tensor, keep_BT: Tensor | None, languages_B: Tensor | None = None
    ) -> Tensor:
        """Embeds tokens; `keep_BT` is True at real tokens, None if there is no padding.

        `languages_B` holds rows of the language table, for the model that has one.
        """
        table = self.position_embeddings.weight
        if keep_BT is None:
            length = tokens_BT.shape[1]
            position = table[FIRST_POSITION : FIRST_POSITION + length]
        else:
            keep = keep_BT.long()
            position = functional.embedding(keep.cumsum(1) * keep + PAD, table, padding_idx=PAD)
        hidden_BTH = self.word_embeddings(tokens_BT) + (
            position + self.token_type_embeddings.weight
        )
        if self.language_embeddings is not None:
            hidden_BTH = hidden_BTH + self.language_embeddings(languages_B)[:, None]
        if self.norm is not None:
            hidden_BTH = self.norm(hidden_BTH)
        return dropout(hidden_BTH, self.dropout, self.training)


class Attention(nn.Module):
    """Multi-head self-attention and its output projection (Vaswani et al. 2017, Section 3.2)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        """Of this rank."""
        self.head_size = config.width // config.heads
        self.tensor_rank = 0
        self.query_key_value = Linear(config.width, 3 * config.width)
        self.dense = Linear(config.width, config.width)
        self.dropout = config.attention_dropout

    def forward(
        self, hidden_BTH: Tensor, keep_BT: Tensor | None, first_only: bool = False
    ) -> Tensor:
        """What each token, or the first one only, gathers from all."""
        # One matrix product and one copy for all three: small models are bound by such calls.
        qkv_BTE = self.query_key_value(hidden_BTH)
        gather = self.fused if hidden_BTH.is_cuda else self.by_products
        return self.dense(gather(qkv_BTE, keep_BT, first_only))

    def by_head(self, qkv_BTE: Tensor) -> Tensor:
        """Queries, keys and values [3, B, A, T, D]."""
        B, T, _ = qkv_BTE.shape
        return qkv_BTE.view(B, T, 3, self.heads, self.head_size).permute(2, 0, 3, 1, 4)

    def fused(self, qkv_BTE: Tensor, keep_BT: Tensor | None, first_only: bool) -> Tensor:
        """By PyTorch's attention, which on CUDA keeps no scores."""
        rate = self.dropout if self.training else 0.0
        if rate > 0.0:
            torch.cuda.manual_seed(draw_seed(self.tensor_rank))
        mask = None if keep_BT is None else keep_BT[:, None, None, :]
        query, key, value = self.by_head(qkv_BTE).unbind(0)
        query = query[:, :, :1] if first_only else query
        context_BATD = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=rate
        )
        return context_BATD.transpose(1, 2).flatten(2)

    def by_products(self, qkv_BTE: Tensor, keep_BT: Tensor | None, first_only: bool) -> Tensor:
        """As matrix products: on CPUs in bf16 3 to 5 times as fast, in training, as the fused one;
        in fp32 1.5 times with dropout, 0.7 to 0.9 without (benchmarks/small_models.md)."""
        B, T, _ = qkv_BTE.shape
        A, D = self.heads, self.head_size
        drops = self.training and self.dropout > 0.0
        mean_B1H = None
        dtype = qkv_BTE.dtype
        if widens(qkv_BTE):
            qkv_BTE = qkv_BTE.float()
        if not drops and goes_round(qkv_BTE.dtype, T):
            qkv_BTE, mean_B1H = centred(qkv_BTE, keep_BT)
        query, key, value = self.by_head(qkv_BTE).reshape(3, B * A, T, D).unbind(0)
        query = query[:, :1] if first_only else query
        hide = None
        if keep_BT is not None:
            hide = ~keep_BT[:, None, None, :].expand(B, A, 1, T).reshape(B * A, 1, T)
        if drops:
            scores = query.new_empty(1).expand(B * A, query.shape[1], T)
            kept = mask(scores, self.dropout, self.tensor_rank)
            context = attend_dropped(query, key, value, hide, kept, scale(self.dropout))
        else:
            context = attend(query, key, value, hide)
        context_BTH = context.view(B, A, -1, D).transpose(1, 2).flatten(2).to(dtype)
        return context_BTH if mean_B1H is None else context_BTH + mean_B1H


class Layer(nn.Module):
    """Attention and feed-forward, each with residual, dropout and LayerNorm.

    post: x = LN(x + f(x)), as Base and Large. pre: x = x + f(LN(x)), as XL and XXL
    (Goyal et al. 2021, Section 2).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.pre_norm = config.norm == "pre"
        self.attention = Attention(config)
        self.attention_norm = nn.LayerNorm(config.width, eps=EPSILON)
        self.intermediate = Linear(config.width, config.feed_forward_size)
        self.output = Linear(config.feed_forward_size, config.width)
        self.output_norm = nn.LayerNorm(config.width, eps=EPSILON)
        self.dropout = config.dropout

    def feed_forward(self, hidden_BTH: Tensor) -> Tensor:
        return self.output(functional.gelu(self.intermediate(hidden_BTH)))

    def forward(self, x_BTH: Tensor, keep_BT: Tensor | None, first_only: bool = False) -> Tensor:
        """The tokens' vectors, or [B, 1, H]: the first one's, and nothing that only others need."""
        own_BTH = x_BTH[:, :1] if first_only else x_BTH
        if self.pre_norm:
            seen_BTH = self.attention_norm(x_BTH)
            x_BTH = self._add(own_BTH, self.attention(seen_BTH, keep_BT, first_only))
            return self._add(x_BTH, self.feed_forward(self.output_norm(x_BTH)))
        seen_BTH = self.attention(x_BTH, keep_BT, first_only)
        x_BTH = self.attention_norm(self._add(own_BTH, seen_BTH))
        return self.output_norm(self._add(x_BTH, self.feed_forward(x_BTH)))

    def _add(self, residual_BTH: Tensor, x_BTH: Tensor) -> Tensor:
        return add_dropped(residual_BTH, x_BTH, self.dropout, self.training)
