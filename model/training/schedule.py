"""The learning rate and the number of updates, as pure functions of the configuration."""

import math
from collections.abc import Collection, Mapping


def learning_rate(
    step: int,
    *,
    peak: float,
    warmup: float,
    total: int,
    schedule: str = "linear",
    final_rate: float = 0.0,
    decay_power: float = 1.0,
    decay_share: float = 0.1,
) -> float:
    """Rate of update `step` (0 to total - 1): a linear warm-up, then the schedule's fall.

    The warm-up takes r = ceil(warmup * total) updates, and its last one has the peak. After it,
    with end = final_rate * peak and n = total - r:

    linear: end + (peak - end) (total - step) / n (Devlin et al. 2019, arXiv 1810.04805, A.2).
    polynomial: end + (peak - end) ((total - step) / n)^decay_power (fairseq's polynomial_decay,
        with which RoBERTa and XLM-R were trained).
    inverse_sqrt: peak sqrt(max(r, 1) / (step + 1)) (Vaswani et al. 2017, arXiv 1706.03762, 5.3;
        as fairseq's, so that the warm-up ends at the peak).
    warmup_stable_decay: the peak until the last d = ceil(decay_share * total) updates, then
        end + (peak - end) (total - step) / d (Hu et al. 2024, arXiv 2404.06395, 4.1; falling in a
        straight line as in Hägele et al. 2024, arXiv 2405.18392).

    `end` would be the rate of update `total`, one after the last.
    """
    rising = _share(warmup, total)
    if step < rising:
        return peak * (step + 1) / rising
    if schedule == "inverse_sqrt":
        return peak * math.sqrt(max(1, rising) / (step + 1))
    falling = max(1, total - rising)
    if schedule == "warmup_stable_decay":
        falling = min(falling, _share(decay_share, total))
        if total - step > falling:
            return peak
    end = final_rate * peak
    if schedule == "polynomial":
        return end + (peak - end) * ((total - step) / falling) ** decay_power
    return end + (peak - end) * (total - step) / falling


def total_updates(
    updates: int, probabilities: Mapping[str, float], counted: Collection[str] | None
) -> int:
    """Updates that the run takes: ceil(updates / share of the counted languages).

    Without `counted` it is `updates`. With it the counted languages are given, in expectation, as
    many sequences as `updates` batches of them alone would hold.
    """
    if counted is None:
        return updates
    return _up(updates / math.fsum(probabilities[code] for code in set(counted)))


def _share(share: float, total: int) -> int:
    """That share of the updates, rounded up."""
    return _up(share * total)


def _up(number: float) -> int:
    """The next whole number: this one, if it is whole but for the rounding of floating point."""
    return math.ceil(number * (1 - 1e-12))
