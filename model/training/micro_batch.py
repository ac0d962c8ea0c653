"""How many sequences go through the model at once, where nothing else is said. Without torch."""

from model.config import PretrainingConfig

MICRO_BATCH_TOKENS = {"cpu": 1 << 15, "cuda": 1 << 17}
"""Tokens of a micro-batch at most; a larger batch is accumulated."""
MICRO_BATCH_SCORES = {"cpu": 1 << 28, "cuda": 1 << 31}
"""Scores of the head (masked places times vocabulary) at once, each of 10 to 12 bytes: with 250,000
pieces they, and not the layers, are what fills the memory."""


def sequences_at_once(recipe: PretrainingConfig, rows: int, device: str) -> int:
    """Sequences of a micro-batch, by its tokens and by its scores; one at least."""
    kind = "cuda" if device.startswith("cuda") else "cpu"
    scores = recipe.mask_probability * recipe.sequence_length * rows
    by_tokens = MICRO_BATCH_TOKENS[kind] // recipe.sequence_length
    return max(1, min(by_tokens, int(MICRO_BATCH_SCORES[kind] / scores)))
