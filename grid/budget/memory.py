"""Memory of one rank in pretraining, by what fills it. Bytes; pure; formulas with their source.

What a parameter costs is ZeRO's account of mixed precision with Adam (Rajbhandari et al. 2020,
Section 3.1): weight and gradient in the training precision, and 12 bytes of optimiser state (fp32
weight, mean, mean square), which ZeRO-1 shares among the data-parallel ranks. For the update each
rank makes an fp32 copy of the gradients of its share.

What a token costs in a layer is counted after Korthikanti et al. 2022 (arXiv 2205.05198, Equation
2): 34 H bytes in 16 bits with F = 4 H, of which tensor parallelism shares 24 H; and, where the
attention weights are kept (on a CPU; a GPU's fused attention keeps none), 5 bytes for each head and
each token that is attended to.
"""

from dataclasses import dataclass

from grid.sizes import parameters
from model.config import EncoderConfig, PretrainingConfig

STATE_BYTES = 12
"""Of a parameter's optimiser state: fp32 weight, mean and mean square."""
SCORES_AT_ONCE = {"cpu": 1 << 26, "cuda": 1 << 28}
"""Scores of the output layer that the loss holds at once (model/encoder/loss.py)."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a rank's memory and time depend on."""

    encoder: EncoderConfig
    rows: int
    """Of the embedding table."""
    pretraining: PretrainingConfig
    tensor_parallel: int = 1
    data_parallel: int = 1
    micro_batch: int = 1
    """Sequences that go through the rank's model at once."""
    checkpointing: bool = False
    """Whether activations are computed again in the backward pass."""

    @property
    def value_bytes(self) -> int:
        return 2 if self.pretraining.precision == "bf16" else 4

    @property
    def micro_tokens(self) -> int:
        return self.micro_batch * self.pretraining.sequence_length

    @property
    def micro_places(self) -> float:
        """Masked places of a micro-batch, on average; <s> and </s> are never masked."""
        inner = self.pretraining.sequence_length - 2
        return self.micro_batch * inner * self.pretraining.mask_probability

    @property
    def rank_sequences(self) -> int:
        """Sequences of an update that one data-parallel rank takes."""
        return -(-self.pretraining.batch_size // self.data_parallel)

    @property
    def accumulation(self) -> int:
        """Micro-batches of an update on each rank: the batch size is kept whatever fits."""
        return -(-self.rank_sequences // self.micro_batch)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of one rank at its peak; the parts add up to `total`."""

    weights: float
    gradients: float
    """In the training precision, and the fp32 copy that an update is made from."""
    optimizer: float
    activations: float
    logits: float
    workspace: float
    """The process itself, its libraries, and what its allocator holds without use."""

    @property
    def total(self) -> float:
        return (
            self.weights
            + self.gradients
            + self.optimizer
            + self.activations
            + self.logits
            + self.workspace
        )


def rank_parameters(encoder: EncoderConfig, rows: int, degree: int) -> int:
    """Parameters of the fullest rank of a tensor-parallel group (model/encoder/parallel.py).

    Shared: word embeddings and the output bias by rows; query, key, value and the feed-forward's
    first matrix with their biases by columns; attention's and the feed-forward's output by rows.
    Every rank holds positions, the token type, LayerNorms, output biases and the head's own matrix.
    """
    if degree == 1:
        return parameters(encoder, rows)
    width, inner = encoder.width, encoder.feed_forward_size
    matrices = encoder.layers * (4 * width * width + 3 * width + 2 * width * inner + inner)
    table = rows * width + rows
    shared = matrices + table
    kept = parameters(encoder, rows) - shared
    return kept + -(-matrices // degree) + -(-rows // degree) * (width + 1)


def layer_token_bytes(shape: Shape, kind: str) -> float:
    """Bytes that one layer keeps of one token for the backward pass."""
    encoder, degree = shape.encoder, shape.tensor_parallel
    width, inner = encoder.width, encoder.feed_forward_size
    half = shape.value_bytes / 2
    # Of 34 H: 10 H on every rank (inputs of the two sublayers and of both LayerNorms, dropout
    # masks), 8 H in attention and 4 F between the feed-forward's matrices, shared.
    kept = half * (10 * width + (8 * width + 4 * inner) / degree)
    if kind == "cuda":
        return kept
    attended = 5 * encoder.heads / degree * shape.pretraining.sequence_length
    return kept + half * attended


def activation_bytes(shape: Shape, kind: str) -> float:
    """All layers' activations of a micro-batch, or each layer's input and one layer's."""
    layers, tokens = shape.encoder.layers, shape.micro_tokens
    token = layer_token_bytes(shape, kind)
    if not shape.checkpointing:
        return layers * tokens * token
    return tokens * (layers * shape.value_bytes * shape.encoder.width + token)


def logit_bytes(shape: Shape, kind: str) -> float:
    """Scores of the masked places and their gradient; on a GPU their fp32 softmax, too."""
    softmax = 4 if kind == "cuda" else 0  # on a CPU no more of it than the cache holds
    return min(_scores(shape), SCORES_AT_ONCE[kind]) * (2 * shape.value_bytes + softmax)


def scored_twice(shape: Shape, kind: str) -> bool:
    """Whether the loss computes scores in chunks, and then again for their gradient."""
    return kind == "cuda" or shape.tensor_parallel > 1 or _scores(shape) > SCORES_AT_ONCE[kind]


def _scores(shape: Shape) -> float:
    return shape.micro_places * -(-shape.rows // shape.tensor_parallel)
