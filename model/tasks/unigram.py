"""The own-language unigram: what a model is worth that knows how often pieces occur, no more.

The same tokenizer, the same spans, the same price of <unk>. Its smoothing is chosen on the scored
text itself, which favours it: a model that beats it has learnt more than vocabulary.
"""

import json
import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.text.tokenizer import SPECIALS

DELTAS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Pseudo-counts that are tried for every piece (additive smoothing)."""
_CHUNK = 1 << 22


def piece_counts(shards: Path) -> np.ndarray:
    """int64 [rows]: how often each id stands in a language's training stream."""
    info = json.loads((shards / "shards.json").read_text(encoding="utf-8"))
    counts = np.zeros(info["rows"], np.int64)
    dtype = np.dtype(info["dtype"]).newbyteorder("<")
    with (shards / "tokens.bin").open("rb") as stream:
        view = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        tokens = np.frombuffer(view, dtype)
        for start in range(0, len(tokens), _CHUNK):
            counts += np.bincount(tokens[start : start + _CHUNK], minlength=len(counts))
    return counts


def best_bits(counts: np.ndarray, tokens: Sequence[int]) -> tuple[float, float]:
    """Summed -log2 p of the tokens, with the pseudo-count of `DELTAS` that makes it least.

    p(piece) = (count + delta) / sum over ordinary pieces. Special ids and <mask> have no share, and
    `tokens` must not hold any. Returns (bits, delta).
    """
    pieces = counts[SPECIALS:-1].astype(np.float64)
    scored = np.asarray(tokens, np.int64) - SPECIALS
    best = (np.inf, 0.0)
    for delta in DELTAS:
        total = pieces.sum() + delta * len(pieces)
        bits = float(-np.log2((pieces[scored] + delta) / total).sum())
        best = min(best, (bits, delta))
    return best
