"""One fine-tuning: updates, validations between them, and the weights that are kept.

Everything is a function of the configuration and the update: order, dropout and learning rate. So a
run that was killed and goes on from its checkpoint gives the bits of one that was not.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from model.config import PretrainingConfig
from model.context import Context
from model.encoder.encoder import derived_seed
from model.errors import Stopped
from model.task_config import TaskConfig
from model.tasks.forms.form import Form, Sequences
from model.tasks.kept_weights import KeptWeights
from model.tasks.selection import Selection, validations
from model.tasks.task_batches import batches, padded
from model.tasks.task_model import TaskModel, rows_of
from model.training import checkpoint
from model.training.divergence import LossWatch
from model.training.engine import Engine
from model.training.moments import Moments
from model.training.schedule import learning_rate

ADVICE = "Try a lower tasks.*.learning_rate, a longer tasks.*.warmup, or fp32."

Weights = dict[str, Tensor]
Validate = Callable[[Weights], Mapping[str, float]]
"""The main metric of each language that has validation data."""


@dataclass(kw_only=True)
class Training:
    """What a fine-tuning learns from, and how."""

    config: TaskConfig
    form: Form
    seed: int
    sequences: Sequences
    rows: list[int | None]
    """Each sequence's row of the model's language table."""
    validate: Validate | None
    rates: int = 1
    """Learning rates that are tried in all: more than one need a validation to choose by."""

    @property
    def each(self) -> int:
        """Updates of an epoch."""
        return -(-len(self.sequences.tokens) // self.config.batch_size)

    @property
    def total(self) -> int:
        """Updates in all, without early stopping."""
        return self.each * self.config.epochs

    @property
    def validated(self) -> frozenset[int]:
        """Finished updates after which it is validated."""
        if self.validate is None:
            return frozenset()
        if self.config.selection == "best" or self.config.patience is not None:
            return validations(self.total, self.config.epochs, self.config.validate_times)
        return frozenset({self.total}) if self.rates > 1 else frozenset()


@dataclass(kw_only=True)
class Outcome:
    """What a fine-tuning came to."""

    weights: Weights = field(repr=False)
    update: int
    """After which these were the weights."""
    updates: int
    """That were made."""
    history: list[dict[str, Any]]
    """As of `Selection`."""

    @property
    def mean(self) -> float | None:
        """The mean validation metric of these weights, if they were validated."""
        found = [each["mean"] for each in self.history if each["update"] == self.update]
        return found[0] if found else None


class Loop:
    """A run from its beginning, or from its checkpoint, to its end or until it is stopped."""

    def __init__(self, training: Training, rate: float, context: Context, before: int = 0) -> None:
        """rate: the peak. before: updates of other runs, which progress counts as well."""
        self.training = training
        self.rate = rate
        self.context = context
        self.before = before
        config = training.config
        self.selection = Selection(config.patience)
        self.kept = KeptWeights(context.work)
        self.best = config.selection == "best" and bool(training.validated)
        """Whether the best weights are kept, and not the last."""
        self.watch = LossWatch(
            spike=context.spike, targets=config.batch_size, name="fine-tuning", advice=ADVICE
        )
        self.losses: list[Tensor] = []

    def run(self, model: TaskModel) -> Outcome:
        """Trains the model.

        Raises DivergenceError, and Stopped if the context asks for it; both leave a checkpoint.
        """
        config = self.training.config
        recipe = PretrainingConfig(
            learning_rate=self.rate,
            weight_decay=config.weight_decay,
            precision=config.precision,
        )
        with Engine(model, recipe, context=self.context) as engine:
            with checkpoint.understood(self.context.work):
                start = self._restore(engine)
            moments = Moments(self.context)
            done = start
            for step, chosen in self._steps(start):
                self._update(engine, step, chosen)
                done = step + 1
                if self._between(engine, done, moments):
                    break
            if self.best and self.selection.best not in (None, done):
                weights, update = self.kept.read(self.selection.best or 0), self.selection.best or 0
            else:
                weights, update = dict(engine.weights()), done
        return Outcome(weights=weights, update=update, updates=done, history=self.selection.history)

    def _update(self, engine: Engine, step: int, chosen: list[int]) -> None:
        training = self.training
        torch.manual_seed(derived_seed("dropout", training.seed, step))
        rate = learning_rate(
            step, peak=self.rate, warmup=training.config.warmup, total=training.total
        )
        tokens, keep = padded([training.sequences.tokens[index] for index in chosen])
        targets = training.form.stacked(
            [training.sequences.targets[index] for index in chosen], tokens.shape[1]
        )
        languages = rows_of([training.rows[index] for index in chosen], "cpu")
        self.losses.append(engine.step([(tokens, keep, targets, languages)], rate))

    def _between(self, engine: Engine, done: int, moments: Moments) -> bool:
        """Reports, validates, saves or stops after an update. Whether the run is over."""
        total, context = self.training.total, self.context
        validated = done in self.training.validated
        due = moments.after_update(report=done == total or validated)
        if not due.report:
            return False
        found = torch.stack(self.losses).tolist()
        for number, loss in enumerate(found, done - len(found) + 1):
            self.watch.add(number, loss)
        self.losses.clear()
        told = {"loss": found[-1]}
        if validated:
            told["validation"] = self._validate(engine, done)
        context.progress(self.before + done, self.training.rates * total, **told)
        moments.reported()
        if done == total or self.selection.over:
            return True
        if due.save or due.stop:
            began = time.monotonic()
            if self.watch.sound:
                self._save(engine, done)
                moments.saved(began)
        if due.stop:
            raise Stopped(f"stopped after update {done} of {total}")
        return False

    def _validate(self, engine: Engine, done: int) -> float:
        """The mean over languages; keeps the weights if they are the best so far."""
        weights = dict(engine.weights())
        validate = self.training.validate
        if validate is None:
            raise ValueError("there is nothing to validate on")
        if self.selection.add(done, validate(weights)) and self.best:
            self.kept.write(done, weights)
        return float(self.selection.history[-1]["mean"])

    def _save(self, engine: Engine, done: int) -> None:
        state = {
            "watch": self.watch.state(),
            "selection": self.selection.state(),
            "referred": list(self.kept.referred),
        }
        checkpoint.save(self.context.work, done, engine, state)
        self.kept.checkpointed(self.selection.best)

    def _restore(self, engine: Engine) -> int:
        """Finished updates of the checkpoint that the run goes on from."""
        state = checkpoint.restore(self.context.work, engine)
        if state is None:
            return 0
        self.watch.load(state["watch"])
        self.selection.load(state["selection"])
        self.kept.referred.extend([*state["referred"], self.selection.best])
        return int(state["step"])

    def _steps(self, start: int) -> Iterator[tuple[int, list[int]]]:
        """Update numbers from `start` on, with the sequences of each."""
        training = self.training
        lengths = [len(tokens) for tokens in training.sequences.tokens]
        size, each = training.config.batch_size, training.each
        for epoch in range(start // each, training.config.epochs):
            for number, chosen in enumerate(batches(lengths, size, training.seed, epoch)):
                if epoch * each + number >= start:
                    yield epoch * each + number, chosen
