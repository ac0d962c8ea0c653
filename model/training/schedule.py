"""The learning rate and the number of updates, as pure functions of the configuration."""

import math
from collections.abc import Collection, Mapping


def learning_rate(step: int, *, peak: float, warmup: float, total: int) -> float:
    """Rate of update `step` (0 to total - 1): linear warm-up, then linear decay to zero.

    The warm-up takes ceil(warmup * total) updates and its last one has the peak.
    """
    rising = math.ceil(warmup * total)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * (total - step) / max(1, total - rising)


def total_updates(
    updates: int, probabilities: Mapping[str, float], counted: Collection[str] | None
) -> int:
    """Updates that the run takes: ceil(updates / share of the counted languages).

    Without `counted` it is `updates`. With it the counted languages are given, in expectation, as
    many sequences as `updates` batches of them alone would hold.
    """
    if counted is None:
        return updates
    share = math.fsum(probabilities[code] for code in set(counted))
    # Rounding must not add an update where the share is 1 within floating-point error.
    return math.ceil(updates / share * (1 - 1e-12))
