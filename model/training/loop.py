"""The updates of a pretraining run, and what happens between them: reports, saves, milestones."""

import time

import numpy as np
import torch
from torch import Tensor

from model.config import EncoderConfig
from model.context import Context
from model.encoder.description import Description
from model.encoder.encoder import derived_seed
from model.errors import DivergenceError, InputError, Stopped
from model.stages import PretrainingStage
from model.text.batches import Batch, Batches
from model.training import checkpoint, distributed, milestones
from model.training.engine import Engine
from model.training.moments import Moments
from model.training.monitor import Monitors
from model.training.record import Losses, Record, by_language
from model.training.schedule import learning_rate


class Loop:
    """One run, from `record.step` finished updates to the last or until it is stopped."""

    def __init__(
        self,
        config: PretrainingStage,
        engine: Engine,
        batches: Batches,
        record: Record,
        description: Description,
        context: Context,
    ) -> None:
        self.config = config
        self.recipe = config.pretraining
        self.engine = engine
        self.batches = batches
        self.record = record
        self.description = description
        self.context = context
        self.parts = engine.micro_batches * distributed.data_parallel()
        self.kept = record.step
        """Update of the last checkpoint; 0 if there is none."""
        self.losses = Losses(len(record.languages))
        self.monitors = Monitors(context)
        self.milestones = frozenset(wanted_milestones(config, record.total))

    def run(self) -> None:
        """Raises DivergenceError, or Stopped if the context asks for it; both leave a checkpoint.

        Losses stay on the device between reports, so that it never waits for the host.
        """
        record, context, total = self.record, self.context, self.record.total
        moments = Moments(context)
        context.progress(record.step, total)
        for step in range(record.step, total):
            self._update(step)
            done = step + 1
            due = moments.after_update(report=done == total or done in self.milestones)
            if not due.report:
                continue
            self._report(done, moments.reported())
            if done in self.milestones:
                self._keep_milestone(done)
                moments.reported()
            if done < total and (due.save or due.stop):
                began = time.monotonic()
                if self._save(done):
                    moments.saved(began)
            if done < total and due.stop:
                raise Stopped(self._stopped(done))

    def rate(self, step: int) -> float:
        """Learning rate of update `step`, counted from 0."""
        recipe = self.recipe
        return learning_rate(
            step,
            peak=recipe.learning_rate,
            warmup=recipe.warmup,
            total=self.record.total,
            schedule=recipe.schedule,
            final_rate=recipe.final_rate,
            decay_power=recipe.decay_power,
            decay_share=recipe.decay_share,
        )

    def _update(self, step: int) -> None:
        batch = self.batches.batch(step)
        self.record.drawn(batch.languages)
        # Dropout is a function of (seed, step), so that a resumed run draws the same masks. Copies
        # of the model see other rows, and drop other values.
        copy = (distributed.data_rank(),) if distributed.data_rank() else ()
        torch.manual_seed(derived_seed("dropout", self.config.seed, step, *copy))
        parts = parts_of(batch, self.parts, self.config.encoder)
        loss = self.engine.step(parts, self.rate(step))
        languages_N = target_languages(batch)[self.engine.targets]
        self.losses.add(loss, self.engine.losses_N, languages_N)

    def _report(self, done: int, seconds: float) -> None:
        """Fetches the losses since the last report, looks at them and tells them."""
        record, recipe = self.record, self.recipe
        updates = len(self.losses)
        means, sums_UL, counts_UL = self.losses.fetch()
        try:
            record.add(means, sums_UL, counts_UL)
        except DivergenceError as error:
            raise DivergenceError(f"{error} {self._what_is_kept()}") from None
        tokens = updates * recipe.batch_size * recipe.sequence_length
        speed = tokens / max(1e-9, seconds)
        self.context.progress(done, record.total, loss=record.last_loss, tokens_per_s=speed)
        if self.monitors:
            languages = by_language(record.languages, sums_UL.sum(0), counts_UL.sum(0))
            self.monitors.write(
                done,
                {
                    "train/loss": float(np.mean(means)),
                    "train/learning_rate": self.rate(done - 1),
                    "train/gradient_norm": self.engine.gradient_norm,
                    "train/tokens_per_s": speed,
                    **{f"loss/{code}": loss for code, loss in languages.items()},
                },
            )

    def _keep_milestone(self, done: int) -> None:
        work = self.context.work
        if distributed.decide(milestones.is_kept(work, done))[0]:
            return
        distributed.first_takes(
            self.engine.weights(),
            lambda weights: milestones.keep(work, done, weights, self.description),
        )

    def _save(self, done: int) -> bool:
        """Writes a checkpoint, unless the run may be about to diverge. Whether it did."""
        sound = self.record.watch.sound and np.isfinite(self.engine.gradient_norm)
        (agreed,) = distributed.decide(bool(sound))  # or a rounding on one rank hangs the others
        if not agreed:
            return False
        checkpoint.save(self.context.work, done, self.engine, self.record.state())
        self.kept = done
        return True

    def _what_is_kept(self) -> str:
        if not self.kept:
            return "No checkpoint had been written."
        return (
            f"The checkpoint of update {self.kept} is kept: with a larger execution.spike, or "
            "null, the run goes on from there."
        )

    def _stopped(self, done: int) -> str:
        text = f"stopped after update {done} of {self.record.total}"
        if self.kept == done:
            return f"{text}; the next attempt goes on from there"
        watch = self.record.watch
        return (
            f"{text}, in a state that is not worth keeping (mean loss {watch.mean:.2f} nats after "
            f"{watch.lowest:.2f}); the next attempt goes on from update {self.kept}"
        )


def wanted_milestones(config: PretrainingStage, total: int) -> list[int]:
    """The run's milestones. Raises InputError for one beyond its end."""
    steps = (config.pretraining.milestones or []) if total else []
    if steps and steps[-1] > total:
        raise InputError(
            f"pretraining.milestones: expected updates up to {total}, which is how many this run "
            f"takes, found {steps[-1]}"
        )
    return steps


def target_languages(batch: Batch) -> np.ndarray:
    """Language [N], as an index, of each target."""
    return batch.languages[batch.positions // batch.tokens.shape[1]]


def parts_of(batch: Batch, count: int, encoder: EncoderConfig) -> list[tuple[Tensor | None, ...]]:
    """The batch in `count` parts, as even as can be: the arguments of the language model.

    A batch of fewer sequences than parts is filled up with a sequence without targets.
    """
    tokens, positions, targets, languages = (
        torch.from_numpy(array)
        for array in (batch.tokens, batch.positions, batch.targets, batch.languages)
    )
    rows, length = tokens.shape
    edges = [-(-rows * part // count) for part in range(count + 1)]
    cuts = torch.searchsorted(positions, torch.tensor(edges) * length).tolist()
    parts: list[tuple[Tensor | None, ...]] = []
    for part in range(count):
        first, last = edges[part], max(edges[part] + 1, edges[part + 1])
        first = min(first, rows - 1)
        chosen = slice(cuts[part], cuts[part + 1])
        table = languages[first:last] if encoder.language_embeddings else None
        parts.append(
            (tokens[first:last], positions[chosen] - first * length, targets[chosen], table)
        )
    return parts
