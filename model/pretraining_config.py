"""What a study may say about pretraining: its length, optimiser, schedule and masking.

Imports neither torch nor grid.
"""

import itertools
from dataclasses import dataclass, field, replace

from model.checks import one_of, require

SCHEDULES = ("linear", "polynomial", "inverse_sqrt", "warmup_stable_decay")


@dataclass(kw_only=True)
class PretrainingConfig:
    """Masked language modelling with AdamW and a scheduled learning rate."""

    updates: int = 1_500_000
    """Optimiser steps; 0 leaves the encoder at its initialisation (a baseline)."""
    counted_languages: list[str] | None = None
    """Where given, `updates` counts these languages' share only: training goes on until they have
    been given as many sequences as `updates` batches of them alone (equal exposure)."""
    batch_size: int = 8192
    """Sequences an update."""
    sequence_length: int = 512
    """Tokens a sequence, <s> and </s> included."""
    learning_rate: float = 6e-4
    """Peak. XLM-R's is not printed; XLM-V's (arXiv 2301.10472) is the closest recipe."""
    warmup: float = 0.01
    """Share of the updates in which the rate rises linearly."""
    schedule: str = field(default="linear", metadata={"absent": "linear"})
    """How the rate falls after the warm-up: `linear`, `polynomial`, `inverse_sqrt` or
    `warmup_stable_decay`."""
    final_rate: float = field(default=0.0, metadata={"absent": 0.0})
    """Share of the peak that the rate falls to; 0 with `inverse_sqrt`, which has no end."""
    decay_power: float = field(default=1.0, metadata={"absent": 1.0})
    """Exponent of the `polynomial` schedule; no other looks at it."""
    decay_share: float = field(default=0.1, metadata={"absent": 0.1})
    """Share of the updates, the last ones, in which `warmup_stable_decay` lets the rate fall; no
    other looks at it."""
    beta1: float = 0.9
    """AdamW's decay of the mean gradient."""
    beta2: float = 0.98
    """AdamW's decay of the mean squared gradient."""
    epsilon: float = 1e-6
    """AdamW's epsilon."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay."""
    clip: float = 1.0
    """Largest gradient norm; 0 switches clipping off."""
    mask_probability: float = 0.15
    """Share of the tokens that are chosen: 80 % of them <mask>, 10 % random, 10 % kept."""
    mask_unit: str = "piece"
    """`piece` (each alone, as XLM-R), or `word`: all pieces of a word together (fairseq's option
    mask-whole-words), as the likelihood of held-out spans asks for it."""
    precision: str = "bf16"
    """`bf16` or `fp32`."""
    milestones: list[int] | None = field(default=None, metadata={"absent": None})
    """Updates after which the weights are kept as well, in ascending order: `[1000, 10_000]`. A
    baseline of 0 updates has none."""

    def __post_init__(self) -> None:
        require(self.updates >= 0, "pretraining.updates", "at least 0", self.updates)
        require(self.batch_size >= 1, "pretraining.batch_size", "at least 1", self.batch_size)
        require(
            self.sequence_length >= 8,
            "pretraining.sequence_length",
            "at least 8",
            self.sequence_length,
        )
        require(
            self.learning_rate > 0, "pretraining.learning_rate", "more than 0", self.learning_rate
        )
        require(0 <= self.warmup < 1, "pretraining.warmup", "0 to below 1", self.warmup)
        require(
            0 < self.mask_probability < 1,
            "pretraining.mask_probability",
            "between 0 and 1",
            self.mask_probability,
        )
        one_of(self.mask_unit, "pretraining.mask_unit", ("piece", "word"))
        one_of(self.precision, "pretraining.precision", ("bf16", "fp32"))
        self._check_optimizer()
        self._check_schedule()
        self._check_milestones()

    def effective(self) -> "PretrainingConfig":
        """The same, but what the schedule does not look at is as it is by default, and milestones
        that are none are null: what has no effect shall not make another key."""
        power = self.schedule == "polynomial"
        share = self.schedule == "warmup_stable_decay"
        return replace(
            self,
            decay_power=self.decay_power if power else PretrainingConfig.decay_power,
            decay_share=self.decay_share if share else PretrainingConfig.decay_share,
            milestones=self.milestones or None if self.updates else None,
        )

    def _check_optimizer(self) -> None:
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            require(0 <= value < 1, f"pretraining.{name}", "0 to below 1", value)
        require(self.epsilon > 0, "pretraining.epsilon", "more than 0", self.epsilon)
        for name in ("weight_decay", "clip"):
            value = getattr(self, name)
            require(value >= 0, f"pretraining.{name}", "at least 0", value)

    def _check_schedule(self) -> None:
        one_of(self.schedule, "pretraining.schedule", SCHEDULES)
        require(0 <= self.final_rate <= 1, "pretraining.final_rate", "0 to 1", self.final_rate)
        require(
            self.final_rate == 0 or self.schedule != "inverse_sqrt",
            "pretraining.final_rate",
            "0 with pretraining.schedule inverse_sqrt, which has no end",
            self.final_rate,
        )
        require(self.decay_power > 0, "pretraining.decay_power", "more than 0", self.decay_power)
        require(
            0 < self.decay_share <= 1, "pretraining.decay_share", "over 0 to 1", self.decay_share
        )
        if self.schedule == "warmup_stable_decay":
            require(
                self.warmup + self.decay_share <= 1,
                "pretraining.decay_share",
                f"at most 1 - pretraining.warmup ({self.warmup:g})",
                self.decay_share,
            )

    def _check_milestones(self) -> None:
        if self.milestones is None:
            return
        steps = self.milestones
        ascending = all(one < after for one, after in itertools.pairwise(steps))
        # Where only some languages count, how many updates there are is known with their sizes; a
        # baseline without any has no milestones, whatever the cells beside it have.
        last = self.updates if self.updates and self.counted_languages is None else None
        require(
            ascending and all(step >= 1 and (last is None or step <= last) for step in steps),
            "pretraining.milestones",
            "different updates in ascending order, from 1"
            + ("" if last is None else f" to pretraining.updates ({last})"),
            steps,
        )
