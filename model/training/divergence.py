"""When a training has diverged: a loss that is not finite, or a lasting rise above its lowest."""

import math
from typing import Any

from model.errors import DivergenceError

WINDOW = 50
"""Updates whose mean loss is looked at: one odd batch, or a batch of a hard language, is noise."""
TARGETS = 1000
"""Targets that the window holds at least: of their mean loss the standard error is a tenth."""
DEVIATION = 3.0
"""Standard deviation of a target's loss, in nats, on the high side."""


class LossWatch:
    """Takes the losses of a run one by one; raises DivergenceError where they break the rule.

    The rule: the mean loss of the last `window` updates (of all, at the beginning) is more than
    `spike` nats above the lowest such mean so far. The first update counts, for a rate that is far
    too high destroys a model within two or three, and no loss is lower afterwards; but a mean of
    few targets is taken for four standard errors higher than it is.

    A state is `sound` while the mean is in the lower half of what the rule allows and the last loss
    itself is within it: any other may be the beginning of the end, and must not take the place of
    a good checkpoint.
    """

    def __init__(self, *, spike: float | None, targets: float, name: str, advice: str) -> None:
        """spike: nats; None asks only that losses are finite. targets: of an update, about. name:
        `pretraining`. advice: what to try."""
        self.spike = spike
        self.targets = targets
        self.window = max(WINDOW, math.ceil(TARGETS / targets))
        self.name = name
        self.advice = advice
        self.recent: list[float] = []
        self.lowest = math.inf
        self.lowest_step = 0
        self.margin = 0.0

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
        seen = len(self.recent)
        margin = 0.0 if seen == self.window else 4 * DEVIATION / math.sqrt(seen * self.targets)
        if self.mean + margin < self.lowest + self.margin:
            self.lowest, self.lowest_step, self.margin = self.mean, step, margin
        if self.spike is not None and self.mean > self.lowest + self.margin + self.spike:
            raise DivergenceError(
                f"{self.name} has diverged: at update {step} the mean loss of the last {seen} "
                f"updates is {self.mean:.2f} nats, after {self.lowest:.2f} at update "
                f"{self.lowest_step}: a rise of more than execution.spike ({self.spike:g}). "
                f"{self.advice}"
            )

    @property
    def sound(self) -> bool:
        """Whether a state may be kept."""
        if self.spike is None or not self.recent:
            return True
        lowest = self.lowest + self.margin
        return self.mean <= lowest + self.spike / 2 and self.recent[-1] <= lowest + self.spike

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to go on watching as if it had not been interrupted."""
        return {
            "recent": self.recent,
            "lowest": self.lowest,
            "lowest_step": self.lowest_step,
            "margin": self.margin,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Takes what `state` gave."""
        self.recent = state["recent"]
        self.lowest, self.lowest_step = state["lowest"], state["lowest_step"]
        self.margin = state["margin"]
