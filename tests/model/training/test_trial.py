"""A trial is a real pretraining in a process of its own, and says what that cost."""

from dataclasses import replace
from pathlib import Path

import pytest

from model.config import EncoderConfig, PretrainingConfig
from model.text import tokenizer
from model.training.trial import Trial, measure, write_inputs

TRIAL = Trial(
    encoder=EncoderConfig(layers=1, width=16, heads=2, max_positions=16),
    pretraining=PretrainingConfig(updates=8, batch_size=4, sequence_length=16, precision="fp32"),
    vocab_size=300,
)


def test_made_up_inputs_are_a_tokenizer_of_the_wanted_size(tmp_path: Path) -> None:
    write_inputs(tmp_path, 300)
    pieces = tokenizer.load(tmp_path / "tokenizer")
    assert pieces.rows == 302
    assert pieces.encode("7 8") == [8, 9]


def test_a_trial_tells_its_costs() -> None:
    cost = measure(TRIAL)
    assert 0 < cost.update_seconds < cost.start_seconds < cost.cpu_seconds
    assert 1e8 < cost.start_bytes <= cost.peak_bytes < 2e9


def test_a_trial_that_fails_says_why() -> None:
    recipe = replace(TRIAL.pretraining, sequence_length=32)  # longer than the position table
    broken = replace(TRIAL, pretraining=recipe)
    with pytest.raises(RuntimeError, match="the trial's stage failed"):
        measure(broken)
