"""The engine does what a plain PyTorch loop does: same losses, clipping, decay, accumulation."""

import math

import pytest
import torch

from model.config import EncoderConfig, PretrainingConfig
from model.encoder.encoder import build
from model.errors import DivergenceError
from model.training.engine import Engine, parameter_groups

ENCODER = EncoderConfig(
    layers=2, width=16, heads=2, max_positions=16, dropout=0.0, attention_dropout=0.0
)
ROWS = 53
STEPS = 8


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    tokens = torch.randint(4, ROWS, (8, 12), generator=generator)
    positions = torch.randperm(96, generator=generator)[:21].sort().values
    return tokens, positions, torch.randint(4, ROWS, (21,), generator=generator)


def plain_run(recipe: PretrainingConfig) -> tuple[list[float], list[float], dict]:
    model = build(ENCODER, ROWS, seed=5)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, recipe.weight_decay),
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon,
    )
    losses, norms = [], []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 / (step + 1)
        loss, _ = model(*batch(step))
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses, norms, {name: value.detach() for name, value in model.named_parameters()}


def split(step: int, parts: int) -> list[tuple[torch.Tensor, ...]]:
    tokens, positions, targets = batch(step)
    rows = 8 // parts
    found = []
    for first in range(0, 8, rows):
        inside = (positions >= first * 12) & (positions < (first + rows) * 12)
        found.append(
            (tokens[first : first + rows], positions[inside] - first * 12, targets[inside])
        )
    return found


@pytest.mark.parametrize("parts", [1, 2])
def test_fp32_engine_equals_a_plain_loop(parts: int) -> None:
    recipe = PretrainingConfig(precision="fp32", clip=0.3, weight_decay=0.1)
    losses, norms, weights = plain_run(recipe)
    model = build(ENCODER, ROWS, seed=5)
    found, found_norms = [], []
    with Engine(model, recipe, micro_batches=parts) as engine:
        for step in range(STEPS):
            found.append(float(engine.step(split(step, parts), 1e-2 / (step + 1))))
            found_norms.append(engine.gradient_norm)
        trained = dict(engine.weights())
    assert min(norms) > recipe.clip, "the test must clip"
    assert found == pytest.approx(losses, rel=1e-5)
    assert found_norms == pytest.approx(norms, rel=1e-4)
    assert trained.keys() == weights.keys()
    for name, value in weights.items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=2e-5)


def test_bf16_engine_keeps_fp32_weights_near_the_plain_loops() -> None:
    recipe = PretrainingConfig(precision="bf16", clip=0.3, weight_decay=0.1)
    losses, _, _ = plain_run(recipe)
    with Engine(build(ENCODER, ROWS, seed=5), recipe) as engine:
        found = [float(engine.step([batch(i)], 1e-2 / (i + 1))) for i in range(STEPS)]
        weights = dict(engine.weights())
    assert found == pytest.approx(losses, rel=1e-2)
    rounded = all(torch.equal(v, v.bfloat16().float()) for v in weights.values())
    assert not rounded, "the weights are the optimiser's fp32 copy"


def test_norms_and_biases_do_not_decay() -> None:
    model = build(ENCODER, ROWS, seed=5)
    decaying, free = parameter_groups(model, 0.1)
    assert decaying["weight_decay"] == 0.1 and free["weight_decay"] == 0.0
    names = {id(value): name for name, value in model.named_parameters()}
    assert all("norm" in names[id(p)] or names[id(p)].endswith("bias") for p in free["params"])
    assert all("norm" not in names[id(p)] for p in decaying["params"])
    assert len(decaying["params"]) + len(free["params"]) == len(names)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_updates_without_targets_do_no_harm(precision: str) -> None:
    """Small batches may have no masked place; then there is nothing to learn, and no NaN."""
    tokens, positions, targets = batch(0)
    nothing = (tokens, positions[:0], targets[:0])
    recipe = PretrainingConfig(precision=precision, weight_decay=0.0)
    with Engine(build(ENCODER, ROWS, seed=5), recipe, micro_batches=2) as engine:
        before = dict(engine.weights())
        assert float(engine.step([nothing, nothing], 1e-2)) == 0.0
        after = dict(engine.weights())
        assert all(torch.equal(after[name], value) for name, value in before.items())
        assert float(engine.step([nothing, (tokens, positions, targets)], 1e-2)) > 1.0
        dict(engine.weights())


def test_weights_that_are_not_finite_are_refused() -> None:
    with Engine(build(ENCODER, ROWS, seed=5), PretrainingConfig(precision="fp32")) as engine:
        engine.step([batch(0)], math.inf)
        with pytest.raises(DivergenceError, match=r"not finite after the last update.*diverged"):
            dict(engine.weights())
