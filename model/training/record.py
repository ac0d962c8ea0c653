"""What a pretraining run counts: sequences of each language, losses, and the learning curve."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.config import PretrainingConfig
from model.training import distributed
from model.training.divergence import LossWatch

CURVE_POINTS = 100
"""Points of the learning curve: each is the mean loss over a hundredth of the run."""


class Losses:
    """The losses of the updates since the last report, on the device until they are fetched."""

    def __init__(self, languages: int) -> None:
        self._languages = languages
        self._means: list[Tensor] = []
        self._sums_L: list[Tensor] = []
        self._counts_L: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._means)

    def add(self, mean: Tensor, losses_N: Tensor, languages_N: np.ndarray) -> None:
        """Takes an update's mean loss, and the loss and language of each target of this rank."""
        index_N = torch.from_numpy(languages_N).to(losses_N.device, non_blocking=True)
        sums_L = torch.zeros(self._languages, dtype=torch.float64, device=losses_N.device)
        self._means.append(mean.detach().double())
        self._sums_L.append(sums_L.index_add_(0, index_N, losses_N.detach().double()))
        self._counts_L.append(np.bincount(languages_N, minlength=self._languages))

    def fetch(self) -> tuple[list[float], np.ndarray, np.ndarray]:
        """Of each update U: its mean loss; its sum [U, L] and number [U, L] of targets' losses.

        Waits for the device once. On several ranks all call it, and all get the same.
        """
        means = torch.stack(self._means).tolist()
        sums_UL = distributed.sum_over_data_parallel(torch.stack(self._sums_L)).cpu().numpy()
        counts = torch.from_numpy(np.stack(self._counts_L)).to(self._means[0].device)
        counts_UL = distributed.sum_over_data_parallel(counts).cpu().numpy()
        self._means, self._sums_L, self._counts_L = [], [], []
        return means, sums_UL, counts_UL


class Record:
    """What is counted from the first update to the last, and saved with each checkpoint."""

    def __init__(self, *, languages: list[str], total: int, watch: LossWatch) -> None:
        self.languages = languages
        self.total = total
        self.watch = watch
        self.step = 0
        self.last_loss = float("nan")
        self.sequences = [0] * len(languages)
        self.curve: list[tuple[int, float, dict[str, float]]] = []
        self._begin_stretch()

    def _begin_stretch(self) -> None:
        self._losses: list[float] = []
        self._sums_L = np.zeros(len(self.languages))
        self._counts_L = np.zeros(len(self.languages), np.int64)

    def drawn(self, languages_B: np.ndarray) -> None:
        """Counts the sequences of one batch."""
        counts = np.bincount(languages_B, minlength=len(self.languages))
        self.sequences = [a + int(b) for a, b in zip(self.sequences, counts, strict=True)]

    def add(self, means: list[float], sums_UL: np.ndarray, counts_UL: np.ndarray) -> None:
        """Takes what `Losses.fetch` gave, update by update: how they are grouped changes nothing.

        An update without a target has no loss and is left out. Raises DivergenceError.
        """
        stretch = max(1, self.total // CURVE_POINTS)
        for mean, sums_L, counts_L in zip(means, sums_UL, counts_UL, strict=True):
            self.step += 1
            if counts_L.any():
                self.watch.add(self.step, mean)
                self._losses.append(mean)
                self._sums_L += sums_L
                self._counts_L += counts_L
                self.last_loss = mean
            if self.step % stretch == 0 or self.step == self.total:
                self._end_stretch()

    def _end_stretch(self) -> None:
        if self._losses:
            mean = sum(self._losses) / len(self._losses)
            self.curve.append(
                (self.step, mean, by_language(self.languages, self._sums_L, self._counts_L))
            )
        self._begin_stretch()

    def state(self) -> dict[str, Any]:
        """What a resumed run needs, as JSON."""
        return {
            "step": self.step,
            "languages": self.languages,
            "last_loss": self.last_loss,
            "sequences": self.sequences,
            "curve": self.curve,
            "stretch": [self._losses, self._sums_L.tolist(), self._counts_L.tolist()],
            "watch": self.watch.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Takes what `state` gave."""
        self.step, self.last_loss = state["step"], state["last_loss"]
        self.sequences = state["sequences"]
        self.curve = [(step, loss, languages) for step, loss, languages in state["curve"]]
        self._losses = state["stretch"][0]
        self._sums_L, self._counts_L = map(np.array, state["stretch"][1:])
        self.watch.load(state["watch"])

    def exposure(self, sequence_length: int, shard_tokens: dict[str, int]) -> dict[str, Any]:
        """Tokens drawn of each language (without <s> and </s>), sequences, and epochs."""
        inner = sequence_length - 2
        languages = {
            code: {
                "sequences": sequences,
                "tokens": sequences * inner,
                "epochs": sequences * inner / shard_tokens[code],
            }
            for code, sequences in zip(self.languages, self.sequences, strict=True)
        }
        tokens = sum(language["tokens"] for language in languages.values())
        return {"languages": languages, "updates": self.step, "tokens": tokens}

    def curve_with_tokens(self, recipe: PretrainingConfig) -> list[list[Any]]:
        """[update, mean loss, tokens seen, {language: mean loss}] at the end of each stretch.

        Losses are nats a target since the last point. The mean is over updates, a language's over
        its targets; a language without a target in the stretch is left out.
        """
        inner = recipe.batch_size * (recipe.sequence_length - 2)
        return [[step, loss, step * inner, languages] for step, loss, languages in self.curve]


def by_language(languages: list[str], sums_L: np.ndarray, counts_L: np.ndarray) -> dict[str, float]:
    """Mean loss of each language that had a target."""
    return {
        code: float(total / count)
        for code, total, count in zip(languages, sums_L, counts_L, strict=True)
        if count
    }
