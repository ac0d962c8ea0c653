"""Training gives the loss curve that is kept in tests/golden/loss_curve.json."""

import json

import numpy as np

from tests.model.training.loss_curve import GOLDEN, curve

TOLERANCE = 1e-3
"""Nats. One machine repeats the curve exactly; other processors round differently: weights that are
off by 1e-7 of themselves at the start move the curve by 2e-6."""


def test_two_hundred_updates_give_the_golden_losses() -> None:
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = curve()
    assert len(found) == len(expected) == 200
    assert np.abs(np.subtract(found, expected)).max() < TOLERANCE
    assert np.mean(found[-10:]) < found[0] - 2, "it learns"
