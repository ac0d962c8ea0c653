"""The price of what measures an encoder: by form, learning rates, validations and milestones."""

from dataclasses import replace
from pathlib import Path

import pytest

import grid.budget.task_sizes as task_sizes
from grid.budget.calibration import calibration
from grid.budget.devices import device
from grid.budget.memory import Shape
from grid.budget.scoring import Measuring, measuring
from grid.budget.task_sizes import PUBLISHED, work
from model.config import EncoderConfig, EvaluationConfig, PretrainingConfig
from model.stages import EvaluationStage, FinetuningStage, RetrievalStage
from model.task_config import TaskConfig
from model.tasks.catalogue import TASKS

SHAPE = Shape(
    encoder=EncoderConfig(),
    rows=250_002,
    pretraining=PretrainingConfig(),
    tensor_parallel=2,
    data_parallel=4,
)
GPU = device("h100")


def priced(stage: object) -> Measuring:
    return measuring(stage, SHAPE, GPU, calibration("cuda", Path("none")))


def tuning(task: str = "xnli", train: int = 1, tested: int = 15, **settings: object) -> Measuring:
    config = TaskConfig(**settings)  # type: ignore[arg-type]
    codes = [f"l{number}" for number in range(max(train, tested))]
    return priced(
        FinetuningStage(
            task=task,
            regime="zero-shot",
            config=config,
            train_languages=codes[:train],
            languages=codes[:tested],
            seed=1,
        )
    )


def test_every_task_has_a_published_size() -> None:
    assert set(PUBLISHED) == set(TASKS)


def test_a_study_s_limits_count_where_they_are_lower() -> None:
    config = TaskConfig(train_examples=1000, test_examples=100, epochs=2, selection="last")
    found = work("xnli", replace(config, validation_examples=0), 1, 15)
    assert (found.trained, found.scored, found.length) == (2000, 1500, 64)
    assert work("topic", config, 1, 15).trained == 2 * 701


def test_each_learning_rate_is_a_training_and_each_validation_is_read() -> None:
    once = TaskConfig(epochs=3, validation_examples=10, test_examples=100)
    several = replace(once, learning_rates=[1e-5, 2e-5], validate_times=2)
    one, two = (work("xnli", config, 1, 4) for config in (once, several))
    assert two.trained == 2 * one.trained
    assert one.scored == 4 * (100 + 3 * 10)
    assert two.scored == 4 * (100 + 2 * 3 * 2 * 10)


def test_long_passages_are_windows_and_articles_are_split() -> None:
    config = TaskConfig(train_articles=36, validation_articles=4, max_length=384)
    found = work("xquad", config, 1, 1)
    assert found.trained == 10 * 32 * 25
    assert found.scored == 12 * 25 + 10 * 4 * 25
    short = work("xquad", replace(config, max_length=128, stride=64), 1, 1)
    assert short.trained == 3 * found.trained
    assert short.length == 128


def test_questions_need_more_memory_than_sentences() -> None:
    questions, sentences = tuning("mlqa", max_length=384), tuning(max_length=128)
    assert questions.memory > sentences.memory + 2e9 > 4e9


def test_it_is_one_device_s_work_and_languages_cost_time() -> None:
    assert tuning(train=15).seconds > 5 * tuning(train=1).seconds
    one, two = (
        priced(EvaluationStage(languages=["en"], evaluation=EvaluationConfig(max_bytes=size)))
        for size in (10**8, 2 * 10**8)
    )
    start = 2 * one.seconds - two.seconds
    assert 0 < start < one.seconds
    perplexity = EvaluationConfig(max_bytes=10**8, pseudo_perplexity_bytes=10**8)
    extra = priced(EvaluationStage(languages=["en"], evaluation=perplexity))
    assert extra.seconds > 20 * one.seconds


def test_retrieval_is_priced(monkeypatch: pytest.MonkeyPatch) -> None:
    def stage(languages: list[str]) -> RetrievalStage:
        return RetrievalStage(
            task="retrieval",
            source="files",
            pivot="en",
            languages=languages,
            most=10**6,
            max_length=128,
            layer=None,
        )

    monkeypatch.setitem(PUBLISHED, "retrieval", task_sizes.Sizes(train=0, validation=0, test=10**6))
    assert priced(stage(["de", "fr"])).seconds > 1.5 * priced(stage(["de"])).seconds
