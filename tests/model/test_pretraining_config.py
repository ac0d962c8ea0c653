"""What a pretraining refuses, message by message, and what makes no difference to it."""

import pytest

from model.config import EncoderConfig
from model.errors import InputError
from model.pretraining_config import PretrainingConfig


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"beta1": 1.0}, "pretraining.beta1: expected 0 to below 1, found 1.0"),
        ({"beta2": -0.1}, "pretraining.beta2: expected 0 to below 1, found -0.1"),
        ({"epsilon": 0.0}, "pretraining.epsilon: expected more than 0, found 0.0"),
        ({"weight_decay": -0.01}, "pretraining.weight_decay: expected at least 0, found -0.01"),
        ({"clip": -1.0}, "pretraining.clip: expected at least 0, found -1.0"),
        (
            {"schedule": "cosine"},
            "pretraining.schedule: expected one of linear, polynomial, inverse_sqrt, "
            "warmup_stable_decay, found 'cosine'",
        ),
        ({"final_rate": 1.5}, "pretraining.final_rate: expected 0 to 1, found 1.5"),
        (
            {"schedule": "inverse_sqrt", "final_rate": 0.1},
            "pretraining.final_rate: expected 0 with pretraining.schedule inverse_sqrt, which has "
            "no end, found 0.1",
        ),
        ({"decay_power": 0.0}, "pretraining.decay_power: expected more than 0, found 0.0"),
        ({"decay_share": 0.0}, "pretraining.decay_share: expected over 0 to 1, found 0.0"),
        (
            {"schedule": "warmup_stable_decay", "warmup": 0.3, "decay_share": 0.8},
            "pretraining.decay_share: expected at most 1 - pretraining.warmup (0.3), found 0.8",
        ),
        (
            {"updates": 10, "milestones": [5, 5]},
            "pretraining.milestones: expected different updates in ascending order, from 1 to "
            "pretraining.updates (10), found [5, 5]",
        ),
        (
            {"updates": 10, "milestones": [5, 11]},
            "pretraining.milestones: expected different updates in ascending order, from 1 to "
            "pretraining.updates (10), found [5, 11]",
        ),
        (
            {"updates": 10, "counted_languages": ["sw"], "milestones": [0, 11]},
            "pretraining.milestones: expected different updates in ascending order, from 1, found "
            "[0, 11]",
        ),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        PretrainingConfig(**given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"feed_forward": 0}, "encoder.feed_forward: expected at least 1, found 0"),
        ({"init_std": 0.0}, "encoder.init_std: expected more than 0, found 0.0"),
    ],
)
def test_an_encoder_that_cannot_be_built_is_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        EncoderConfig(**given)
    assert str(caught.value) == message


def test_what_a_schedule_does_not_look_at_is_left_out() -> None:
    for schedule in ("linear", "inverse_sqrt"):
        given = PretrainingConfig(schedule=schedule, decay_power=2.0, decay_share=0.3)
        assert given.effective() == PretrainingConfig(schedule=schedule)
    power = PretrainingConfig(schedule="polynomial", decay_power=2.0, decay_share=0.3)
    assert power.effective() == PretrainingConfig(schedule="polynomial", decay_power=2.0)
    stable = PretrainingConfig(schedule="warmup_stable_decay", decay_power=2.0, decay_share=0.3)
    assert stable.effective() == PretrainingConfig(schedule="warmup_stable_decay", decay_share=0.3)
    assert PretrainingConfig(milestones=[]).effective() == PretrainingConfig()
    baseline = PretrainingConfig(updates=0, milestones=[1000])
    assert baseline.effective() == PretrainingConfig(updates=0)
