"""Training batches for masked language modelling, as a pure function of (seed, step).

Every number that a batch needs comes from a Philox generator (Salmon et al. 2011) whose key is the
seed and whose counter starts at the step, so batches have no state: any step can be asked for, in
any order, on any rank, and a resumed run draws what the uninterrupted one would have. Raw 64-bit
words are used, for NumPy promises their stability and not that of its distributions.
"""

import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.errors import InputError
from model.text.tokenizer import BOS, EOS, SPECIALS

_MASKED, _RANDOM = 0.8, 0.1
"""Shares of the chosen positions that become <mask> and a random piece (Devlin et al. 2019)."""

_DOUBLE = 2.0**-53
_TO_DOUBLE = np.uint64(11)


@dataclass(kw_only=True)
class Batch:
    """B sequences of T tokens, <s> and </s> included, without padding."""

    tokens: np.ndarray
    """int64 [B, T], already masked."""
    positions: np.ndarray
    """int64 [N], the chosen places as indices into tokens.reshape(-1), ascending."""
    targets: np.ndarray
    """int64 [N], what stood there."""
    languages: np.ndarray
    """int64 [B], indices into `Batches.languages`."""


class Batches:
    """Sequences of T - 2 tokens from anywhere in a language's stream, read as a circle."""

    def __init__(
        self,
        shards: Mapping[str, Path],
        probabilities: Mapping[str, float],
        batch_size: int,
        sequence_length: int,
        mask_probability: float,
        mixing: str,
        rows: int,
        mask_id: int,
        seed: int,
        word_starts: np.ndarray | None = None,
    ) -> None:
        """shards: the shards artifact of each language, opened when it is first drawn.

        mixing: `mixed` (each sequence draws its language) or `monolingual` (each batch does).
        word_starts: bool [rows], the ids that begin a word, to mask whole words; None: pieces.
        Raises InputError for shards that are empty, damaged, or of another tokenizer.
        """
        self.languages = sorted(probabilities)
        self._paths = [shards[language] for language in self.languages]
        self._streams: list[np.ndarray | None] = [None] * len(self.languages)
        infos = [_describe(path, rows) for path in self._paths]
        self._lengths = np.array([info["tokens"] for info in infos], np.int64)
        self._types = [np.dtype(info["dtype"]).newbyteorder("<") for info in infos]
        weights = np.array([probabilities[language] for language in self.languages])
        self._cumulative = np.cumsum(weights / weights.sum())
        self._batch_size = batch_size
        self._inner = sequence_length - 2
        self._mask_probability = mask_probability
        self._monolingual = mixing == "monolingual"
        self._mask_id = mask_id
        self._seed = seed % 2**64
        self._word_starts = word_starts
        most = int(mask_probability * self._inner) + 1 if word_starts is None else self._inner
        self._most = min(self._inner, most)

    def batch(self, step: int) -> Batch:
        """The batch of update `step`, counted from 0."""
        size, inner = self._batch_size, self._inner
        # The step is the counter's second word: each step has 2^64 draws of its own.
        generator = np.random.Philox(key=self._seed, counter=[0, step, 0, 0])
        words = generator.random_raw(size * (3 + inner + self._most))
        languages_B, starts_B, counts_B = self._sequences(words[: 3 * size].reshape(3, size))
        tokens_BT = np.empty((size, inner + 2), np.int64)
        tokens_BT[:, 0] = BOS
        tokens_BT[:, -1] = EOS
        self._fill(tokens_BT[:, 1:-1], languages_B.tolist(), starts_B.tolist())
        end = size * (3 + inner)
        draws_BT = words[3 * size : end].reshape(size, inner)
        if self._word_starts is None:
            positions_N = self._choose(draws_BT, counts_B)
        else:
            positions_N = self._choose_words(draws_BT, self._word_starts[tokens_BT[:, 1:-1]])
        targets_N = tokens_BT.reshape(-1)[positions_N]
        self._corrupt(tokens_BT.reshape(-1), positions_N, targets_N, words[end:])
        return Batch(
            tokens=tokens_BT, positions=positions_N, targets=targets_N, languages=languages_B
        )

    def _sequences(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Language, first token and number of chosen positions of each sequence."""
        uniform = (words >> _TO_DOUBLE) * _DOUBLE
        drawn = np.zeros_like(uniform[0]) + uniform[0, 0] if self._monolingual else uniform[0]
        languages = np.searchsorted(self._cumulative, drawn, side="right")
        languages = np.minimum(languages, len(self.languages) - 1)
        lengths = self._lengths[languages]
        starts = np.minimum((uniform[1] * lengths).astype(np.int64), lengths - 1)
        # fairseq's rounding: int(p n + U(0, 1)), so that the expectation is exactly p n.
        counts = (self._mask_probability * self._inner + uniform[2]).astype(np.int64)
        return languages, starts, np.minimum(counts, self._most)

    def _fill(self, inner_BT: np.ndarray, languages: list[int], starts: list[int]) -> None:
        width = inner_BT.shape[1]
        for row, (language, start) in enumerate(zip(languages, starts, strict=True)):
            stream = self._streams[language]
            if stream is None:
                stream = self._streams[language] = _open(
                    self._paths[language], self._types[language]
                )
            if start + width <= len(stream):
                inner_BT[row] = stream[start : start + width]
            else:
                inner_BT[row] = stream.take(np.arange(start, start + width), mode="wrap")

    def _choose(self, words: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Flat indices of counts[b] places in the inner part of each row b, without replacement.

        The places with the smallest words are chosen; their low bits are made the column, so that
        no two words are equal.
        """
        columns = np.arange(self._inner, dtype=np.uint64)
        bits = np.uint64(max(1, int(self._inner - 1).bit_length()))
        words = ((words >> bits) << bits) | columns
        limits = np.sort(words, axis=1)[np.arange(len(words)), counts - 1]
        chosen = (words <= limits[:, None]) & (counts > 0)[:, None]
        rows, places = np.divmod(np.flatnonzero(chosen), self._inner)
        return rows * (self._inner + 2) + places + 1

    def _choose_words(self, words: np.ndarray, starts_BT: np.ndarray) -> np.ndarray:
        """Flat indices of the pieces of the words that are drawn, each with the probability."""
        word_BT = np.cumsum(starts_BT, axis=1) - starts_BT[:, :1]
        draw_BT = np.take_along_axis(words, word_BT, axis=1)
        chosen = (draw_BT >> _TO_DOUBLE) * _DOUBLE < self._mask_probability
        rows, places = np.divmod(np.flatnonzero(chosen), self._inner)
        return rows * (self._inner + 2) + places + 1

    def _corrupt(
        self, flat: np.ndarray, positions: np.ndarray, targets: np.ndarray, words: np.ndarray
    ) -> None:
        """80 % <mask>, 10 % a random piece that is not special, 10 % unchanged."""
        words = words[: len(positions)]
        kinds = (words >> np.uint64(32)) * 2.0**-32
        uniform = (words & np.uint64(0xFFFFFFFF)) * 2.0**-32
        random = SPECIALS + (uniform * (self._mask_id - SPECIALS)).astype(np.int64)
        flat[positions] = np.where(
            kinds < _MASKED, self._mask_id, np.where(kinds < _MASKED + _RANDOM, random, targets)
        )


def _describe(artifact: Path, rows: int) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((artifact / "shards.json").read_text(encoding="utf-8"))
    if info["rows"] != rows:
        raise InputError(
            f"{artifact}: these shards were made by a tokenizer with {info['rows']} ids, the "
            f"model has {rows}. Use the shards of its own tokenizer."
        )
    if info["tokens"] == 0:
        raise InputError(f"{artifact}: the shards of {info['language']!r} hold no tokens.")
    return info


def _open(artifact: Path, dtype: np.dtype) -> np.ndarray:
    with (artifact / "tokens.bin").open("rb") as stream:
        return np.frombuffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), dtype)
