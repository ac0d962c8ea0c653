"""What a task may say, and what one fine-tuning of it depends on."""

from typing import Any

import pytest

from model.errors import InputError
from model.task_config import TaskConfig


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"regimes": ["few-shot"]}, r"tasks\.\*\.regimes: expected one of zero-shot, .*few-shot"),
        ({"regimes": []}, r"tasks\.\*\.regimes: expected at least one, each once"),
        ({"seeds": [1, 1]}, r"tasks\.\*\.seeds: expected at least one, each once, found \[1\]"),
        ({"learning_rates": [1e-3, -1.0]}, r"learning_rate: expected more than 0, found -1.0"),
        ({"learning_rates": [1e-3, 1e-4], "validation_examples": 0}, "learning_rates and patience"),
        ({"patience": 2, "validation_examples": 0}, "learning_rates and patience"),
        ({"patience": 0}, r"patience: expected at least 1, or null"),
        ({"selection": "first"}, r"selection: expected one of best, last"),
        ({"train_articles": 4, "validation_articles": 4}, "0 to less than train_articles"),
        ({"validation_articles": 1}, "0 to less than train_articles"),
        ({"layer": -1}, "layer: expected at least 0"),
    ],
)
def test_a_wrong_value_is_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        TaskConfig(**settings)


def test_what_says_how_many_there_are_is_left_out_of_what_one_depends_on() -> None:
    one = TaskConfig(learning_rate=1e-3)
    many = TaskConfig(
        learning_rates=[1e-3],
        regimes=["translate-train", "zero-shot"],
        train_language="fr",
        languages=["fr"],
        seeds=[1, 2, 3],
        milestones=True,
        layer=2,
    )
    assert many.effective() == one.effective() == one
    several = TaskConfig(learning_rates=[1e-3, 1e-4])
    assert several.rates == several.effective().learning_rates == [1e-3, 1e-4]
    assert TaskConfig(learning_rate=2e-3).rates == [2e-3]
