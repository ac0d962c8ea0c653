"""Which weights of a fine-tuning are kept: early stopping and the best validation.

As published for XLM-R: after each epoch the model is validated in all languages, and the one with
the highest mean over them is tested (Conneau et al. 2020, Section 4).
"""

import math
from collections.abc import Mapping
from typing import Any


class Selection:
    """The validations of one run. Its state is numbers alone, so that a resumed run goes on."""

    def __init__(self, patience: int | None) -> None:
        """patience: validations without an improvement after which it is over; None: never."""
        self.patience = patience
        self.history: list[dict[str, Any]] = []
        """For each validation its update, the metric of each language and their mean."""
        self.best: int | None = None
        """The update of the best one: of equal ones the first."""

    def add(self, update: int, values: Mapping[str, float]) -> bool:
        """Takes a validation. Whether it is the best so far."""
        mean = math.fsum(values.values()) / len(values)
        better = self.best is None or mean > self.best_mean
        self.history.append({"update": update, "languages": dict(values), "mean": mean})
        if better:
            self.best = update
        return better

    @property
    def best_mean(self) -> float:
        """The highest mean."""
        return max((each["mean"] for each in self.history), default=-math.inf)

    @property
    def over(self) -> bool:
        """Whether it should stop early."""
        if self.patience is None or self.best is None:
            return False
        since = sum(each["update"] > self.best for each in self.history)
        return since >= self.patience

    def state(self) -> dict[str, Any]:
        return {"history": self.history, "best": self.best}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes what `state` gave."""
        self.history, self.best = list(state["history"]), state["best"]


def validations(total: int, epochs: int, times: int) -> frozenset[int]:
    """Finished updates after which a run of `total` is validated: `times` an epoch, and at its end.

    Each epoch has total / epochs updates, and is cut as evenly as can be.
    """
    each = total // epochs
    within = {-(-each * part // times) for part in range(1, times + 1)} - {0}
    return frozenset(epoch * each + update for epoch in range(epochs) for update in within)
