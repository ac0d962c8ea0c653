"""How large the published tasks are: what a plan takes in place of counting the examples.

A study's own limits hold where they are lower, and so do the articles that it trains on.
"""

from dataclasses import dataclass

from model.task_config import TaskConfig
from model.tasks.catalogue import TASKS

_ARTICLES, _QUESTIONS_AN_ARTICLE = 48, 25
"""Of XQuAD: 240 passages of 48 articles, 1,190 questions (Artetxe et al. 2020)."""
_CONTEXT, _QUESTION = 200, 20
"""Pieces of SQuAD's passages and questions, about."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Examples of each part, in one language."""

    train: int
    validation: int
    test: int


PUBLISHED = {
    "xnli": Sizes(train=392_702, validation=2_490, test=5_010),
    "pawsx": Sizes(train=49_401, validation=2_000, test=2_000),
    "xquad": Sizes(train=87_599, validation=10_570, test=1_190),
    "mlqa": Sizes(train=87_599, validation=600, test=6_600),
    "ner": Sizes(train=14_041, validation=3_250, test=3_453),
    "pos": Sizes(train=12_544, validation=2_001, test=1_000),
    "topic": Sizes(train=701, validation=99, test=204),
    "mnli": Sizes(train=392_702, validation=9_815, test=9_815),
    "mnli_mismatched": Sizes(train=392_702, validation=9_832, test=9_832),
    "qnli": Sizes(train=104_743, validation=5_463, test=5_463),
    "qqp": Sizes(train=363_846, validation=40_430, test=40_430),
    "sst2": Sizes(train=67_349, validation=872, test=872),
    "mrpc": Sizes(train=3_668, validation=408, test=408),
    "retrieval": Sizes(train=0, validation=0, test=1_000),
}


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one model of a task reads, in sequences of `length` tokens."""

    trained: float
    """Sequences that are learnt from, all passes counted."""
    scored: float
    """Sequences that are only read: validations and the test."""
    length: int
    """Mean tokens of a sequence."""


def work(name: str, config: TaskConfig, trained_in: int, tested_in: int) -> Work:
    """What a fine-tuning reads. Each learning rate is a training of its own.

    Validation looks at every language, in each epoch as often as asked for; where the last weights
    are taken, it looks once.
    """
    sizes = _limited(name, config)
    rates = len(config.rates)
    judged = config.selection == "best" or config.patience is not None or rates > 1
    looks = rates * config.epochs * config.validate_times if judged else 1
    windows, length = _sequences(name, config)
    return Work(
        trained=windows * rates * config.epochs * sizes.train * trained_in,
        scored=windows * tested_in * (sizes.test + looks * sizes.validation),
        length=length,
    )


def retrieval_work(most: int, max_length: int, tested_in: int) -> Work:
    """Both sides of every pair, read once."""
    pairs = min(most, PUBLISHED["retrieval"].test)
    return Work(trained=0.0, scored=2.0 * pairs * tested_in, length=max(8, max_length // 2))


def _limited(name: str, config: TaskConfig) -> Sizes:
    known = PUBLISHED[name]
    if config.train_articles is not None:
        trained, validated = config.train_articles, config.validation_articles
        known = Sizes(
            train=_QUESTIONS_AN_ARTICLE * (trained - validated),
            validation=_QUESTIONS_AN_ARTICLE * validated,
            test=_QUESTIONS_AN_ARTICLE * max(1, _ARTICLES - trained),
        )
    return Sizes(
        train=min(config.train_examples, known.train),
        validation=min(config.validation_examples, known.validation),
        test=min(config.test_examples, known.test),
    )


def _sequences(name: str, config: TaskConfig) -> tuple[float, int]:
    """Sequences of an example, and their mean length: sentences fill half of `max_length`."""
    if TASKS[name].form != "span":
        return 1.0, max(8, config.max_length // 2)
    room = max(1, config.max_length - _QUESTION - 4)
    windows = 1 + max(0, -(-(_CONTEXT - room) // config.stride))
    return float(windows), min(config.max_length, _CONTEXT + _QUESTION + 4)
