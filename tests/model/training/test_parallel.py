"""Several ranks train as one plain PyTorch process does: losses, norms, every gradient."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.config import EncoderConfig, PretrainingConfig, SamplingConfig
from model.context import Context
from model.encoder import layers
from model.encoder.encoder import build
from model.stages import PretrainingStage
from model.text.batches import Batch
from model.training import distributed, pretraining
from model.training.engine import Engine, parameter_groups
from model.training.loop import parts_of
from tests.model.training.ranks import together

ROOT = Path(__file__).parents[3]
ROWS, LENGTH, SEQUENCES, STEPS = 1003, 12, 10, 20
"""1003 rows are dealt unevenly at every degree above 1."""
RECIPE = PretrainingConfig(precision="fp32", clip=0.3, weight_decay=0.1)
RATE = 2e-3


def encoder(norm: str, dropout: float = 0.0) -> EncoderConfig:
    return EncoderConfig(
        layers=2,
        width=32,
        heads=8,
        max_positions=LENGTH,
        norm=norm,
        dropout=dropout,
        attention_dropout=dropout,
    )


def batch(step: int) -> Batch:
    generator = np.random.default_rng(step)
    places = np.sort(generator.permutation(SEQUENCES * LENGTH)[:23])
    return Batch(
        tokens=generator.integers(4, ROWS, (SEQUENCES, LENGTH)),
        positions=places,
        targets=generator.integers(4, ROWS, len(places)),
        languages=np.zeros(SEQUENCES, np.int64),
    )


def arguments(step: int) -> tuple[torch.Tensor, ...]:
    given = batch(step)
    return tuple(map(torch.from_numpy, (given.tokens, given.positions, given.targets)))


def plain(norm: str, rows: int = ROWS) -> dict[str, Any]:
    """20 steps of one plain PyTorch process, and the gradient of the next, before clipping."""
    model = build(encoder(norm), rows, seed=5)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, RECIPE.weight_decay),
        lr=RATE,
        betas=(RECIPE.beta1, RECIPE.beta2),
        eps=RECIPE.epsilon,
    )
    losses, norms = [], []
    for step in range(STEPS):
        loss, _ = model(*arguments(step))
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), RECIPE.clip)))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model(*arguments(STEPS))[0].backward()
    gradients = {name: value.grad.clone() for name, value in model.named_parameters()}
    weights = {name: value.detach() for name, value in model.named_parameters()}
    return {"losses": losses, "norms": norms, "gradients": gradients, "weights": weights}


def parallel(
    context: Context, norm: str, micro_batches: int, rows: int = ROWS, sabotage: str = ""
) -> dict[str, Any]:
    """The same on these ranks."""
    from deepspeed.utils import safe_get_full_grad

    config = encoder(norm)
    model = build(config, rows, seed=5, group=distributed.tensor_parallel_group())
    if sabotage == "no mpu":
        _forget_mpu()
    if sabotage == "unmarked shard":
        model.lm_head.bias.tensor_model_parallel = False
        model.encoder.embeddings.word_embeddings.weight.tensor_model_parallel = False
    count = micro_batches * distributed.data_parallel()
    losses, norms, gradients = [], [], {}
    with Engine(model, RECIPE, context=context, micro_batches=micro_batches) as engine:
        for step in range(STEPS):
            losses.append(float(engine.step(parts_of(batch(step), count, config), RATE)))
            norms.append(engine.gradient_norm)
        weights = dict(engine.weights())
        parts = parts_of(batch(STEPS), count, config)
        targets = [len(part[2]) for part in parts]
        own = engine.mine(parts)
        for part in own:
            loss, _ = engine.engine(*part)
            weight = len(part[2]) / sum(targets) * len(parts)
            engine.engine.backward(loss * weight)
            if part is not own[-1]:
                engine.engine.step()
        for name, parameter in engine.engine.module.named_parameters():
            shard = safe_get_full_grad(parameter).float()
            whole = distributed.whole_on_first(shard, engine.splits.get(name))
            if whole is not None:
                gradients[name] = whole
    return {"losses": losses, "norms": norms, "gradients": gradients, "weights": weights}


def _forget_mpu() -> None:
    deepspeed = distributed.import_deepspeed("cpu")
    initialize = deepspeed.initialize

    def without_mpu(**given: Any) -> Any:
        return initialize(**{**given, "mpu": None})

    deepspeed.initialize = without_mpu


def difference(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, float]:
    """Largest differences: of losses, of norms, and of a gradient relative to its own norm."""
    assert found["gradients"].keys() == expected["gradients"].keys()
    return {
        "loss": float(np.abs(np.subtract(found["losses"], expected["losses"])).max()),
        "norm": float(np.abs(np.subtract(found["norms"], expected["norms"])).max()),
        "gradient": max(
            float((found["gradients"][name] - value).norm() / value.norm())
            for name, value in expected["gradients"].items()
        ),
    }


@pytest.mark.parametrize("count", [1, 3, 6, 10, 13])
def test_a_batch_is_dealt_to_any_number_of_parts(count: int) -> None:
    given = batch(0)
    parts = parts_of(given, count, encoder("post"))
    assert len(parts) == count
    sizes = [len(tokens) for tokens, *_ in parts]
    assert min(sizes) >= 1 and max(sizes) <= min(sizes) + 1
    assert torch.cat([part[2] for part in parts]).tolist() == given.targets.tolist()
    held = torch.cat([tokens.flatten()[positions] for tokens, positions, *_ in parts])
    assert held.tolist() == given.tokens.reshape(-1)[given.positions].tolist()
    if count <= SEQUENCES:
        assert sum(sizes) == SEQUENCES


TOLERANCE = {"loss": 5e-6, "norm": 1e-5, "gradient": 1e-4}


@pytest.fixture(scope="module")
def reference() -> dict[str, dict[str, Any]]:
    return {norm: plain(norm) for norm in ("post", "pre")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("norm", "ranks", "degree", "micro_batches"),
    [("post", 1, 1, 1), ("post", 2, 2, 1), ("pre", 4, 4, 2), ("post", 8, 8, 1), ("pre", 4, 2, 3)],
    ids=["TP1", "TP2", "TP4", "TP8", "TP2xDP2"],
)
def test_ranks_compute_what_one_process_computes(
    tmp_path: Path, reference: dict, norm: str, ranks: int, degree: int, micro_batches: int
) -> None:
    found = together(parallel, tmp_path, norm, micro_batches, ranks=ranks, tensor_parallel=degree)
    expected = reference[norm]
    assert min(expected["norms"]) > RECIPE.clip, "the test must clip"
    differences = difference(found[0], expected)
    print(differences)
    assert all(differences[key] <= TOLERANCE[key] for key in TOLERANCE), differences
    for other in found[1:]:
        assert other["losses"] == found[0]["losses"] and not other["weights"]


def bf16_losses(context: Context) -> list[float]:
    model = build(encoder("post"), ROWS, seed=5, group=distributed.tensor_parallel_group())
    recipe = PretrainingConfig(precision="bf16", clip=0.3, weight_decay=0.1)
    with Engine(model, recipe, context=context) as engine:
        return [float(engine.step([arguments(step)], RATE)) for step in range(STEPS)]


@pytest.mark.slow
def test_bf16_keeps_near_fp32(tmp_path: Path, reference: dict) -> None:
    one, two = together(bf16_losses, tmp_path, ranks=2, tensor_parallel=2)
    assert one == two
    difference = np.abs(np.subtract(one, reference["post"]["losses"])).max()
    assert difference < 5e-3, difference


def attention_masks(context: Context, inputs: dict[str, Path]) -> list[torch.Tensor]:
    """What attention keeps in the only update of a small pretraining."""
    stage = PretrainingStage(
        languages=["en", "sw"],
        sampling=SamplingConfig(alpha=0.5),
        encoder=EncoderConfig(layers=1, width=16, heads=2, max_positions=16),
        pretraining=PretrainingConfig(updates=1, batch_size=8, sequence_length=16),
        seed=7,
    )
    found: list[torch.Tensor] = []
    drawn = layers.mask

    def noted(like: torch.Tensor, rate: float, rank: int = 0) -> torch.Tensor:
        found.append(drawn(like, rate, rank))
        return found[-1]

    layers.mask = noted
    output = context.work / str(context.rank)
    output.mkdir()
    pretraining.run(stage, inputs, output, context)
    return [mask.float() for mask in found]


@pytest.mark.slow
def test_copies_of_the_model_drop_other_values(world: Any, tmp_path: Path) -> None:
    ours, theirs = together(attention_masks, tmp_path, world.pretraining_inputs, ranks=2)
    assert len(ours) == len(theirs) == 1 and ours[0].shape == theirs[0].shape
    share = float((ours[0] == theirs[0]).float().mean())
    assert share == pytest.approx(0.82, abs=0.05), "masks are independent"


@pytest.mark.slow
@pytest.mark.parametrize("sabotage", ["no mpu", "unmarked shard"])
def test_the_comparison_finds_what_deepspeed_hides(tmp_path: Path, sabotage: str) -> None:
    rows = ROWS + 1  # dealt evenly: uneven shards that are averaged end the process
    found = together(parallel, tmp_path, "post", 1, rows, sabotage, ranks=2, tensor_parallel=2)
    differences = difference(found[0], plain("post", rows))
    assert any(differences[key] > 10 * TOLERANCE[key] for key in TOLERANCE), differences


def test_the_ranks_of_what_started_a_process_are_not_its_own(tmp_path: Path) -> None:
    """A run within a job of torchrun, say: one rank is rank 0 of 1, whatever the job said."""
    code = (
        "import os; from pathlib import Path; from model.context import Context; "
        "from model.training import distributed; distributed.join(Context(work=Path())); "
        "print(*(os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')))"
    )
    foreign = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | foreign,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0", "1", "0"]
