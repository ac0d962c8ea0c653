"""When a training has diverged: a loss that is not finite, or a lasting rise above its lowest."""

import math
from typing import Any

from model.errors import DivergenceError
from model.pretraining_config import PretrainingConfig

WINDOW = 50
"""Updates whose mean loss is looked at: one odd batch, or a batch of a hard language, is noise."""
TARGETS = 1000
"""Targets that the window holds at least: a target's loss varies by three nats, a mean of a
thousand by a tenth."""


def window(recipe: PretrainingConfig) -> int:
    """Updates whose mean loss is looked at: WINDOW, or more where batches are very small."""
    targets = recipe.batch_size * (recipe.sequence_length - 2) * recipe.mask_probability
    return max(WINDOW, math.ceil(TARGETS / targets))


class LossWatch:
    """Takes the losses of a run one by one; raises DivergenceError where they break the rule.

    The rule: the mean loss of the last `window` updates (of all, at the beginning) is more than
    `spike` nats above the lowest such mean so far. The first update counts, for a rate that is far
    too high destroys a model within two or three, and no loss is lower afterwards.

    A state is `sound` while that mean is in the lower half of what the rule allows and the last
    loss itself is within it: any other may be the beginning of the end, and must not take the place
    of a good checkpoint.
    """

    def __init__(
        self, *, spike: float | None, window: int = WINDOW, name: str, advice: str
    ) -> None:
        """spike: nats, None: losses must be finite, no more. name: `pretraining`. advice: what to
        try."""
        self.spike = spike
        self.window = window
        self.name = name
        self.advice = advice
        self.recent: list[float] = []
        self.lowest = math.inf
        self.lowest_step = 0

    @property
    def mean(self) -> float:
        """Mean loss of the last updates, in nats."""
        return math.fsum(self.recent) / len(self.recent) if self.recent else math.nan

    def add(self, step: int, loss: float) -> None:
        """Takes the loss of the `step`-th update. Raises DivergenceError."""
        if not math.isfinite(loss):
            raise DivergenceError(
                f"{self.name} has diverged: the loss of update {step} is {loss}. {self.advice}"
            )
        self.recent = [*self.recent, loss][-self.window :]
        mean = self.mean
        if mean < self.lowest:
            self.lowest, self.lowest_step = mean, step
        if self.spike is not None and mean > self.lowest + self.spike:
            raise DivergenceError(
                f"{self.name} has diverged: at update {step} the mean loss of the last "
                f"{len(self.recent)} updates is {mean:.2f} nats, after {self.lowest:.2f} at update "
                f"{self.lowest_step}: a rise of more than execution.spike ({self.spike:g}). "
                f"{self.advice}"
            )

    @property
    def sound(self) -> bool:
        """Whether a state may be kept."""
        if self.spike is None or not self.recent:
            return True
        return (
            self.mean <= self.lowest + self.spike / 2
            and self.recent[-1] <= self.lowest + self.spike
        )

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to go on watching as if it had not been interrupted."""
        return {"recent": self.recent, "lowest": self.lowest, "lowest_step": self.lowest_step}

    def load(self, state: dict[str, Any]) -> None:
        """Takes what `state` gave."""
        self.recent = state["recent"]
        self.lowest, self.lowest_step = state["lowest"], state["lowest_step"]
