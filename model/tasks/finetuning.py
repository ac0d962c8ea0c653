"""Stage `finetuning`: trains one model of one regime on a task, and tests it in each language.

Writes scores.json, predictions.parquet, training.json (what was tried, validated and lost in
tokens) and, where they are asked for, the weights.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars

from model.context import Context
from model.encoder.description import read_description, seen
from model.encoder.files import read_encoder
from model.stages import FinetuningStage
from model.tasks import finetuned_model, learning_rates, metrics
from model.tasks.catalogue import TASKS, Task
from model.tasks.examples import gold
from model.tasks.forms import form_of
from model.tasks.forms.form import Form, Sequences
from model.tasks.learning_rates import Tried
from model.tasks.predictions import frame
from model.tasks.task_batches import batches, padding
from model.tasks.task_examples import TaskExamples, read_examples
from model.tasks.task_model import TaskModel, predict
from model.tasks.task_training import Outcome, Training, Weights
from model.text import tokenizer as tokenizers
from model.text.tokenizer import Tokenizer
from model.training.engine import prepare


def run(config: FinetuningStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """See the module; scores are rows with task, regime, language, split, metric and value."""
    prepare(context.device, context.threads)
    task = TASKS[config.task]
    form = form_of(task, config.config)
    examples = read_examples(config, inputs["task"], context)
    tokenizer = tokenizers.load(inputs["tokenizer"])
    description = read_description(inputs["pretraining"])

    def fresh() -> TaskModel:
        encoder = read_encoder(inputs["pretraining"], config.milestone)
        return TaskModel(encoder, form, config.seed)

    def row(language: str) -> int | None:
        return description.language_row(_read_in(config, language))

    # Every language is looked up before any work is done.
    rows = {code: row(code) for code in sorted({*examples.test, *examples.validation})}
    scorer = Scorer(config, task, form, fresh().to(context.device), tokenizer, rows, context.device)
    training = _training(config, form, examples, tokenizer, description.language_row, scorer)
    if config.config.keep_weights:
        finetuned_model.write_description(
            output / "model", task, inputs["pretraining"], inputs["tokenizer"]
        )
    outcome, tried = learning_rates.train(training, fresh, config.config.rates, context)

    scorer.load(outcome.weights)
    exposure = json.loads((inputs["pretraining"] / "exposure.json").read_text(encoding="utf-8"))
    frames, scores = [], []
    for split, languages in (("validation", examples.validation), ("test", examples.test)):
        for language, found in languages.items():
            predicted = scorer.predict(split, language, found)
            frames.append(frame(split, language, found, predicted))
            shared = {
                "task": config.task,
                "regime": config.regime,
                "language": language,
                "n": len(found),
                "seen": seen(exposure, _read_in(config, language)),
                "split": split,
            }
            values = scorer.values(language, found, predicted)
            if split == "test":
                values |= _baseline(config, task, language, examples)
            scores += [{**shared, "metric": name, "value": values[name]} for name in values]
    _write(output / "scores.json", scores)
    polars.concat(frames).write_parquet(output / "predictions.parquet")
    _write(output / "training.json", _told(training, outcome, tried, scorer))
    if config.config.keep_weights:
        finetuned_model.write_weights(
            output / "model", task, inputs["pretraining"], outcome.weights
        )


class Scorer:
    """A model of its own, in fp32, that validates and tests whatever weights it is given."""

    def __init__(
        self,
        config: FinetuningStage,
        task: Task,
        form: Form,
        model: TaskModel,
        tokenizer: Tokenizer,
        rows: Mapping[str, int | None],
        device: str,
    ) -> None:
        self._config = config
        self._task = task
        self._form = form
        self._model = model
        self._tokenizer = tokenizer
        self._rows = rows
        self._device = device
        self._encoded: dict[tuple[str, str], Sequences] = {}
        self.counts: dict[str, dict[str, dict[str, int]]] = {}
        """What tokens could and could not represent, by split and language."""

    def load(self, weights: Weights) -> None:
        self._model.load_state_dict(weights)

    def predict(self, split: str, language: str, examples: list[Any]) -> list[Any]:
        """An answer to each; the examples of a split and language are always the same ones."""
        key = (split, language)
        if key not in self._encoded:
            self._encoded[key] = self._form.encode(examples, self._tokenizer)
            self.counts.setdefault(split, {})[language] = dict(+self._encoded[key].counts)
        return predict(
            self._model,
            self._form,
            examples,
            self._encoded[key],
            self._device,
            self._rows[language],
        )

    def values(self, language: str, examples: list[Any], predicted: list[Any]) -> dict[str, float]:
        """Every metric of the task."""
        text = _read_in(self._config, language)
        return metrics.score(self._task, text, [gold(each) for each in examples], predicted)

    def main(self, examples: Mapping[str, list[Any]], weights: Weights) -> dict[str, float]:
        """The main metric of each language's validation."""
        self.load(weights)
        return {
            language: self.values(language, found, self.predict("validation", language, found))[
                self._task.main_metric
            ]
            for language, found in examples.items()
        }


def _training(
    config: FinetuningStage,
    form: Form,
    examples: TaskExamples,
    tokenizer: Tokenizer,
    row: Callable[[str], int | None],
    scorer: Scorer,
) -> Training:
    """The training examples of all languages as one, and how it is validated."""
    sequences = Sequences()
    rows: list[int | None] = []
    for language, found in examples.train.items():
        encoded = form.encode(found, tokenizer)
        rows += [row(language)] * len(encoded.tokens)
        sequences.extend(encoded)
    validated = examples.validation
    return Training(
        config=config.config,
        form=form,
        seed=config.seed,
        sequences=sequences,
        rows=rows,
        validate=(lambda weights: scorer.main(validated, weights)) if validated else None,
        rates=len(config.config.rates),
    )


def _read_in(config: FinetuningStage, language: str) -> str:
    """The language that a test text is in: translate-test translates it."""
    translated = config.regime == "translate-test" and language not in config.train_languages
    return config.train_languages[0] if translated else language


def _baseline(
    config: FinetuningStage, task: Task, language: str, examples: TaskExamples
) -> dict[str, float]:
    """What it is worth to learn nothing but how often each answer is right."""
    train = [example for found in examples.train.values() for example in found]
    found = metrics.baseline(task, _read_in(config, language), train, examples.test[language])
    return {f"majority_{name}": value for name, value in found.items()}


def _told(
    training: Training, outcome: Outcome, tried: list[Tried], scorer: Scorer
) -> dict[str, Any]:
    """What became of the training, for training.json."""
    lengths = [len(tokens) for tokens in training.sequences.tokens]
    first = batches(lengths, training.config.batch_size, training.seed, 0)
    return {
        "updates": outcome.updates,
        "tested_update": outcome.update,
        "tried": [asdict(each) for each in tried],
        "sequences": len(lengths),
        "tokens": sum(lengths),
        "padding": padding(lengths, first),
        "counts": {"train": dict(+training.sequences.counts), **scorer.counts},
    }


def _write(path: Path, value: Any) -> None:
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
