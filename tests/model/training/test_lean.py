"""An update without needless copies gives DeepSpeed's own numbers."""

import math

import pytest
import torch

from model.config import PretrainingConfig
from model.encoder.encoder import build
from model.training import engine, lean
from model.training.engine import Engine
from tests.model.training.test_engine import ENCODER, ROWS, STEPS, split


def trained(
    precision: str, parts: int, broken: float | None = None
) -> tuple[list[float], list[float], dict]:
    """Losses and norms of clipped updates, and the weights after them.

    broken: what a gradient is in the second update, instead of what it should be.
    """
    recipe = PretrainingConfig(precision=precision, clip=0.3, weight_decay=0.1)
    losses, norms, updates = [], [], [0]

    def spoiled(gradient: torch.Tensor) -> torch.Tensor | None:
        updates[0] += 1
        return None if broken is None or updates[0] != 2 else gradient * broken

    model = build(ENCODER, ROWS, seed=5)
    model.lm_head.dense.weight.register_hook(spoiled)
    with Engine(model, recipe, micro_batches=parts) as running:
        for step in range(STEPS):
            losses.append(float(running.step(split(step, parts), 1e-2 / (step + 1))))
            norms.append(running.gradient_norm)
        return losses, norms, dict(running.weights())


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("ranks", [1, 2])
def test_numbers_are_deepspeeds(
    precision: str, parts: int, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ranks: what the optimizer is told; with 2 it takes the way of several ranks."""
    assert_deepspeeds(monkeypatch, ranks, precision, parts)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_an_update_that_is_skipped_leaves_nothing(
    broken: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = assert_deepspeeds(monkeypatch, 1, "fp32", 1, broken)
    assert [math.isinf(norm) for norm in norms] == [step == 1 for step in range(STEPS)]


def test_what_is_imported_ahead_is_there() -> None:
    import deepspeed.runtime.zero.muon.muon_optimizer
    import sklearn.metrics
    import torch._inductor

    assert torch._inductor and deepspeed and sklearn


def assert_deepspeeds(
    monkeypatch: pytest.MonkeyPatch,
    ranks: int,
    precision: str,
    parts: int,
    broken: float | None = None,
) -> list[float]:
    """That both ways give the same; returns the norms."""
    own = lean.spare_copies
    with monkeypatch.context() as patch:
        patch.setattr(engine, "spare_copies", lambda *_, **__: None)
        losses, norms, weights = trained(precision, parts, broken)
    monkeypatch.setitem(lean.BLOCK, "cpu", 100)  # the largest gradient has 1,024 values
    monkeypatch.setattr(
        engine, "spare_copies", lambda *given, **named: own(*given, **{**named, "ranks": ranks})
    )
    found, found_norms, found_weights = trained(precision, parts, broken)
    assert min(norms) > 0.3, "the test must clip"
    assert found == pytest.approx(losses, rel=1e-6)
    assert found_norms == pytest.approx(norms, rel=1e-6)
    for name, value in weights.items():
        torch.testing.assert_close(found_weights[name], value, rtol=1e-5, atol=1e-7)
    return norms
