"""Parameters and FLOPs of an encoder, counted from its configuration. Exact, pure, without torch.

`rows` is always the embedding table's: pieces, the two ids that SentencePiece lacks, and padding.
"""

from model.config import EncoderConfig, PretrainingConfig

EXTRA_ROWS = 2
"""`<pad>` and `<mask>`, which are no SentencePiece pieces."""
_OFFSET = 2
"""Rows of the position table before the first position (fairseq's padding offset)."""


def embedding_rows(vocab_size: int, encoder: EncoderConfig) -> int:
    """Rows of the embedding table for a tokenizer of `vocab_size` pieces: 250,000 is 250,002."""
    multiple = encoder.pad_vocab_to
    return -(-(vocab_size + EXTRA_ROWS) // multiple) * multiple


def embedding_parameters(encoder: EncoderConfig, rows: int) -> int:
    """Word, position and token type embeddings."""
    return (rows + encoder.max_positions + _OFFSET + 1) * encoder.width


def non_embedding_parameters(encoder: EncoderConfig) -> int:
    """All that the encoder has besides embedding tables: N of Kaplan et al. 2020, with biases.

    A layer has four projections H x H, the feed-forward H x F x H and two LayerNorms; one LayerNorm
    more stands on the embeddings (post-LN) or at the end (pre-LN). The language model head is not
    counted.
    """
    width, inner = encoder.width, encoder.feed_forward_size
    attention = 4 * (width * width + width)
    feed_forward = 2 * width * inner + inner + width
    norms = 2 * 2 * width
    return encoder.layers * (attention + feed_forward + norms) + 2 * width


def head_parameters(encoder: EncoderConfig, rows: int) -> int:
    """The tied language model head: dense H x H, LayerNorm, and a bias for every row."""
    width = encoder.width
    return width * width + width + 2 * width + rows


def parameters(encoder: EncoderConfig, rows: int, head: bool = True) -> int:
    """Every weight of the model that is trained; without its language model head if not `head`."""
    total = embedding_parameters(encoder, rows) + non_embedding_parameters(encoder)
    return total + (head_parameters(encoder, rows) if head else 0)


def formula_parameters(encoder: EncoderConfig, vocab_size: int) -> int:
    """4 L H^2 + 2 L H F + V H: the paper's approximation (Conneau et al. 2020, Appendix B)."""
    layers, width = encoder.layers, encoder.width
    inner = encoder.feed_forward_size
    return 4 * layers * width * width + 2 * layers * width * inner + vocab_size * width


def forward_flops(encoder: EncoderConfig, rows: int, length: int, scored: float) -> float:
    """FLOPs of one token forward in a sequence of `length`.

    Two a weight of the layers' matrices, 4 L T H for attention's scores and sums, and the language
    model head with its full softmax at the share `scored` of the tokens.
    """
    layers, width = encoder.layers, encoder.width
    matrices = layers * (4 * width * width + 2 * width * encoder.feed_forward_size)
    attention = 4 * layers * length * width
    head = 2 * scored * (width * width + rows * width)
    return 2 * matrices + attention + head


def tokens(pretraining: PretrainingConfig) -> int:
    """Tokens of a pretraining: updates x sequences an update x tokens a sequence.

    With `counted_languages`, `updates` counts only their share: these are their tokens.
    """
    return pretraining.updates * pretraining.batch_size * pretraining.sequence_length


def training_flops(encoder: EncoderConfig, rows: int, pretraining: PretrainingConfig) -> float:
    """FLOPs of a pretraining: forward, and twice as much backward; nothing is recomputed."""
    forward = forward_flops(
        encoder, rows, pretraining.sequence_length, pretraining.mask_probability
    )
    return 3 * forward * tokens(pretraining)
