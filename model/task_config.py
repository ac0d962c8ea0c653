"""What a study may say about a labelled task: its regimes, fine-tuning, selection and scoring.

Imports neither torch nor grid.
"""

import re
from dataclasses import dataclass, field, fields, replace
from typing import Any

from model.checks import one_of, require

REGIMES = (
    "zero-shot",
    "translate-train",
    "translate-train-all",
    "translate-test",
    "in-language",
    "in-language-all",
)
"""Conneau et al. 2020, Section 4 and Table 1; the last two are Table 2's "each" and "all"."""
A_LANGUAGE = ("translate-train", "in-language")
"""Regimes with a model of its own for each language."""
SELECTIONS = ("best", "last")
_CODE = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")
"""What may stand for a language in the name of a file."""


@dataclass(kw_only=True)
class TaskConfig:
    """A labelled task: fine-tuned in each regime and seed, and tested in each language."""

    source: str = "synthetic"
    """`synthetic` (from the same world as the corpus) or the name of a location."""
    regimes: list[str] = field(
        default_factory=lambda: ["zero-shot"], metadata={"absent": ["zero-shot"]}
    )
    """Each of `zero-shot` (trained in `train_language`, tested in all), `translate-train` (a model
    for each language, on its translated training data), `translate-train-all` (one model on all of
    these), `translate-test` (trained as zero-shot, tested on translations into `train_language`),
    `in-language` (a model for each language that has training data of its own) and
    `in-language-all` (one model on all of these)."""
    train_language: str = "en"
    """The language that zero-shot and translate-test are fine-tuned in; retrieval pairs every other
    language with it."""
    languages: list[str] | None = field(default=None, metadata={"absent": None})
    """Languages that are tested; by default those of `evaluation.languages` (else the cell's) that
    the task has test files of."""
    seeds: list[int] | None = field(default=None, metadata={"absent": None})
    """Replicates of the fine-tuning from one pretraining: its head, order and dropout. By default
    the cell's seed alone."""
    milestones: bool = field(default=False, metadata={"absent": False})
    """True: fine-tune from each of the pretraining's milestones, too."""
    train_examples: int = 392_702
    """Training examples that are read at most (MultiNLI has 392,702), in each language."""
    validation_examples: int = field(default=2_490, metadata={"absent": 2_490})
    """Validation examples that are read at most in each language (XNLI has 2,490); 0: none."""
    test_examples: int = 5_010
    """Test examples that are read at most in each language (XNLI has 5,010)."""
    train_articles: int | None = field(default=None, metadata={"absent": None})
    """For a task of articles that come in test files alone, parallel in all languages (XQuAD): it
    is trained on so many of the first articles, and tested on the others in every language."""
    validation_articles: int = field(default=0, metadata={"absent": 0})
    """So many of `train_articles`, the last of them, validate instead of training."""
    max_length: int = 128
    """Tokens an example; longer ones are cut. Contexts of questions are cut into windows instead
    (as published: 384)."""
    stride: int = field(default=128, metadata={"absent": 128})
    """Tokens that the windows of a question's context are apart."""
    max_answer: int = field(default=30, metadata={"absent": 30})
    """Tokens of an answer at most."""
    epochs: int = 10
    """Passes over the training examples."""
    batch_size: int = 32
    """Examples an update."""
    learning_rate: float = 1e-5
    """Peak; linear warm-up, then linear decay."""
    learning_rates: list[float] | None = field(default=None, metadata={"absent": None})
    """Each is tried, and the one that is best on validation is kept; by default `learning_rate`
    alone."""
    warmup: float = 0.06
    """Share of the updates in which the rate rises linearly."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay."""
    precision: str = "bf16"
    """`bf16` or `fp32`."""
    selection: str = field(default="best", metadata={"absent": "best"})
    """Which weights are tested: `best` (the highest mean validation score over all languages that
    have validation data; without any, the last) or `last`."""
    validate_times: int = field(default=1, metadata={"absent": 1})
    """Validations an epoch."""
    patience: int | None = field(default=None, metadata={"absent": None})
    """Validations without an improvement after which fine-tuning stops early; null: never."""
    keep_weights: bool = field(default=False, metadata={"absent": False})
    """True keeps the fine-tuned model beside its scores and predictions."""
    layer: int | None = field(default=None, metadata={"absent": None})
    """Retrieval alone: the layer whose states are compared, 0 being the embeddings. By default the
    one above the middle, as published for XTREME (arXiv 2003.11080): 7 of 12, 13 of 24. It looks
    at no pair."""

    def __post_init__(self) -> None:
        require(
            _CODE.fullmatch(self.train_language) is not None,
            "tasks.*.train_language",
            "a language's code of letters, digits, - and _",
            self.train_language,
        )
        for name in ("train_examples", "test_examples", "max_length", "epochs", "batch_size",
                     "stride", "max_answer", "validate_times"):  # fmt: skip
            value = getattr(self, name)
            require(value >= 1, f"tasks.*.{name}", "at least 1", value)
        for name in ("learning_rates", "seeds", "languages", "regimes"):
            _check_list(getattr(self, name), name)
        for regime in self.regimes:
            one_of(regime, "tasks.*.regimes", REGIMES)
        for rate in (self.learning_rate, *(self.learning_rates or ())):
            require(rate > 0, "tasks.*.learning_rate", "more than 0", rate)
        require(0 <= self.warmup < 1, "tasks.*.warmup", "0 to below 1", self.warmup)
        one_of(self.precision, "tasks.*.precision", ("bf16", "fp32"))
        one_of(self.selection, "tasks.*.selection", SELECTIONS)
        require(
            self.patience is None or self.patience >= 1,
            "tasks.*.patience",
            "at least 1, or null",
            self.patience,
        )
        require(self.layer is None or self.layer >= 0, "tasks.*.layer", "at least 0", self.layer)
        self._check_validation()

    def _check_validation(self) -> None:
        require(
            self.validation_examples >= 0,
            "tasks.*.validation_examples",
            "at least 0",
            self.validation_examples,
        )
        require(
            self.train_articles is None or self.train_articles >= 1,
            "tasks.*.train_articles",
            "at least 1, or null",
            self.train_articles,
        )
        require(
            0 <= self.validation_articles < (self.train_articles or 1),
            "tasks.*.validation_articles",
            "0 to less than train_articles",
            self.validation_articles,
        )
        several = len(self.learning_rates or ()) > 1
        require(
            self.validation_examples > 0 or not (several or self.patience is not None),
            "tasks.*.validation_examples",
            "at least 1, for learning_rates and patience look at validation",
            self.validation_examples,
        )

    @property
    def rates(self) -> list[float]:
        """The learning rates that are tried."""
        return self.learning_rates or [self.learning_rate]

    def effective(self) -> "TaskConfig":
        """What one fine-tuning depends on: what says which fine-tunings there are is left out, and
        learning rates stand in one place."""
        spent = {name: _DEFAULTS[name] for name in _OF_THE_GRID}
        return replace(
            self,
            **spent,
            learning_rate=self.rates[0],
            learning_rates=None if len(self.rates) == 1 else self.rates,
        )


_OF_THE_GRID = ("regimes", "train_language", "languages", "seeds", "milestones", "layer")
"""What becomes the stage's own: regime, train_languages, languages, seed, milestone."""
_DEFAULTS = {each.name: each.metadata.get("absent", each.default) for each in fields(TaskConfig)}


def _check_list(values: list[Any] | None, name: str) -> None:
    """A list is absent, or has an item, each once."""
    if values is None:
        return
    repeated = sorted({value for value in values if values.count(value) > 1})
    found = repeated or values
    require(len(values) > 0 and not repeated, f"tasks.*.{name}", "at least one, each once", found)
