"""When a training counts as diverged, on curves that were recorded and on noise.

loss_curves.json holds the first losses, update by update, of runs on seven generated languages at
the laptop scale's sizes of the day: as it was; with the published initialisation, whose plateau is
long; with one language a batch; with four targets a batch; and with learning rates that destroy the
model.
"""

import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import DivergenceError
from model.training.divergence import WINDOW, LossWatch

CURVES = json.loads(Path(__file__).with_name("loss_curves.json").read_text())
HEALTHY = ["laptop", "published_init_post_ln", "monolingual", "tiny_batch"]
DIVERGING = {"rate_1": 106, "rate_10": 15, "rate_10_fp32": 15, "rate_10_nowarm": 2}
TARGETS = {"tiny_batch": 2 * 14 * 0.15}
"""Of an update; in the other runs 48 sequences with 30 % of 38 tokens."""


def watch(spike: float | None = 3.0, targets: float = 48 * 38 * 0.3) -> LossWatch:
    return LossWatch(spike=spike, targets=targets, name="pretraining", advice="Try less.")


def feed(looking: LossWatch, losses: list[float]) -> None:
    for step, loss in enumerate(losses, 1):
        looking.add(step, loss)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_run_that_learns_is_left_alone_and_always_worth_saving(name: str) -> None:
    assert len(CURVES[name]) >= 600
    looking = watch(targets=TARGETS.get(name, 48 * 38 * 0.3))
    for step, loss in enumerate(CURVES[name], 1):
        looking.add(step, loss)
        assert looking.mean <= looking.lowest + 1.5, step
        assert looking.sound or name == "tiny_batch", step


@pytest.mark.parametrize(("name", "step"), DIVERGING.items())
def test_a_rate_that_is_too_high_is_found_out(name: str, step: int) -> None:
    looking = watch()
    with pytest.raises(DivergenceError, match=rf"diverged: at update {step} the mean loss"):
        feed(looking, CURVES[name])
    assert not looking.sound


def test_batches_of_few_targets_are_looked_at_for_longer() -> None:
    assert watch().window == WINDOW
    assert watch(targets=4.2).window == 239


def test_the_message_says_when_from_what_to_what_and_what_to_try() -> None:
    looking = watch()
    falling = [9.0 - step / 20 for step in range(1, 101)]
    with pytest.raises(DivergenceError) as caught:
        feed(looking, falling + [10.0] * 100)
    assert str(caught.value) == (
        "pretraining has diverged: at update 135 the mean loss of the last 50 updates is 8.30 "
        "nats, after 5.22 at update 100: a rise of more than execution.spike (3). Try less."
    )


def test_a_state_on_its_way_up_is_not_worth_keeping() -> None:
    looking = watch()
    for step in range(1, 101):
        looking.add(step, 4.0)
    looking.add(101, 6.9)
    assert looking.sound, "an odd batch"
    looking.add(102, 7.5)
    assert not looking.sound, "this one is out of bounds"
    for step in range(103, 130):
        looking.add(step, 6.9)
        assert looking.sound == (looking.mean <= 5.5), step
    assert not looking.sound
    for step in range(130, 200):
        looking.add(step, 4.0)
    assert looking.sound, "it has come back"


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_every_run(loss: float) -> None:
    looking = watch(spike=None)
    looking.add(1, 5.0)
    looking.add(2, 500.0)
    assert looking.sound, "without a rule only the infinite is refused"
    with pytest.raises(DivergenceError, match=rf"the loss of update 3 is {loss}\. Try less\."):
        looking.add(3, loss)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 1000))
def test_ordinary_noise_is_no_divergence(seed: int, targets: int) -> None:
    """A plateau, then a slow fall, in the noise of batches of so many targets."""
    draw = random.Random(seed)
    looking = watch(targets=targets)
    for step in range(1, 1001):
        level = 9.0 if step < 300 else 9.0 - 5.0 * (step - 300) / 700
        looking.add(step, draw.gauss(level, 2.5 / math.sqrt(targets)))
    assert looking.sound and looking.lowest < 9.0


@settings(deadline=None)
@given(st.lists(st.floats(0, 6), min_size=1, max_size=150), st.integers(1, 150))
def test_a_resumed_watch_goes_on_as_if_it_had_not_been_interrupted(
    losses: list[float], cut: int
) -> None:
    whole, resumed = watch(10.0), watch(10.0)
    for step, loss in enumerate(losses, 1):
        whole.add(step, loss)
        resumed.add(step, loss)
        if step == cut:
            saved = json.loads(json.dumps(resumed.state()))
            resumed = watch(10.0)
            resumed.load(saved)
    assert resumed.state() == whole.state()
