"""The learning rate that validation chooses: a fine-tuning with each, the best of which is kept."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from model.context import Context
from model.errors import DivergenceError, InputError
from model.tasks.kept_weights import KeptWeights
from model.tasks.task_model import TaskModel
from model.tasks.task_training import Loop, Outcome, Training

_MARK = "tried.json"


@dataclass(kw_only=True)
class Tried:
    """What became of one learning rate."""

    rate: float
    update: int = 0
    updates: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    mean: float | None = None
    """The mean validation metric of the weights that it would keep."""
    diverged: str | None = None


def train(
    training: Training, fresh: Callable[[], TaskModel], rates: list[float], context: Context
) -> tuple[Outcome, list[Tried]]:
    """The outcome of the best rate (of equal ones the first), and what became of each.

    fresh: makes the model that every rate begins with. Raises what `Loop.run` raises; with several
    rates DivergenceError only where all have diverged, and InputError where nothing can choose.
    """
    if len(rates) == 1:
        outcome = Loop(training, rates[0], context).run(fresh())
        return outcome, [_tried(rates[0], outcome)]
    if training.validate is None:
        raise InputError(
            "tasks.*.learning_rates: expected a task with validation data to choose one of "
            f"{len(rates)} by, found none. Name one learning_rate, or see that validation files "
            "(or validation_articles) are there"
        )
    tried = [
        _try(training, fresh, rate, replace(context, work=context.work / f"rate-{number}"), number)
        for number, rate in enumerate(rates)
    ]
    sound = [number for number, each in enumerate(tried) if each.mean is not None]
    if not sound:
        raise DivergenceError("; ".join(str(each.diverged) for each in tried))
    best = max(sound, key=lambda number: (tried[number].mean, -number))
    chosen = tried[best]
    outcome = Outcome(
        weights=KeptWeights(context.work / f"rate-{best}").read(chosen.update),
        update=chosen.update,
        updates=chosen.updates,
        history=chosen.history,
    )
    return outcome, tried


def _try(
    training: Training,
    fresh: Callable[[], TaskModel],
    rate: float,
    context: Context,
    number: int,
) -> Tried:
    """Trains with one rate, or says what an earlier attempt came to."""
    context.work.mkdir(parents=True, exist_ok=True)
    mark = context.work / _MARK
    if mark.exists():
        return Tried(**json.loads(mark.read_text(encoding="utf-8")))
    try:
        outcome = Loop(training, rate, context, before=number * training.total).run(fresh())
    except DivergenceError as error:
        tried = Tried(rate=rate, diverged=str(error))
    else:
        tried = _tried(rate, outcome)
        KeptWeights(context.work).write(outcome.update, outcome.weights)
    _write(mark, json.dumps(asdict(tried), sort_keys=True))
    if (context.work / "checkpoints").exists():
        shutil.rmtree(context.work / "checkpoints")
    return tried


def _tried(rate: float, outcome: Outcome) -> Tried:
    return Tried(
        rate=rate,
        update=outcome.update,
        updates=outcome.updates,
        history=outcome.history,
        mean=outcome.mean,
    )


def _write(path: Path, text: str) -> None:
    """Writes it whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    with unfinished.open("rb") as stream:
        os.fsync(stream.fileno())
    unfinished.rename(path)
