"""A small training whose loss curve is kept: `python -m tests.model.training.loss_curve` writes it.

A change to the encoder, the loss or the engine must give the same curve, or be argued for.
"""

import json
from pathlib import Path

import numpy as np
import torch

from model.config import EncoderConfig, PretrainingConfig
from model.encoder.encoder import build, derived_seed
from model.training.engine import Engine, prepare
from model.training.schedule import learning_rate

GOLDEN = Path(__file__).parents[2] / "golden" / "loss_curve.json"
STEPS, ROWS, LENGTH, SEQUENCES = 200, 32, 16, 16
MASK = ROWS - 1


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sequences that count upwards round a circle of 24, a fifth of the tokens masked."""
    words = np.random.Philox(key=1, counter=[0, step, 0, 0]).random_raw(SEQUENCES * (1 + LENGTH))
    starts_B1 = (words[:SEQUENCES, None] % 24).astype(np.int64)
    tokens_BT = 4 + (starts_B1 + np.arange(LENGTH)) % 24
    positions_N = np.flatnonzero(words[SEQUENCES:] % 5 == 0)
    targets_N = tokens_BT.reshape(-1)[positions_N]
    tokens_BT.reshape(-1)[positions_N] = MASK
    return torch.from_numpy(tokens_BT), torch.from_numpy(positions_N), torch.from_numpy(targets_N)


def curve() -> list[float]:
    """The loss of each of 200 updates, in fp32 on one thread, with dropout."""
    threads = torch.get_num_threads()
    prepare("cpu", 1)
    config = EncoderConfig(
        layers=2, width=32, heads=4, max_positions=LENGTH, initialization="fan_in"
    )
    recipe = PretrainingConfig(precision="fp32", learning_rate=6e-3, updates=STEPS)
    losses = []
    with Engine(build(config, ROWS, seed=1), recipe) as engine:
        for step in range(STEPS):
            torch.manual_seed(derived_seed("dropout", 1, step))
            rate = learning_rate(step, peak=recipe.learning_rate, warmup=0.1, total=STEPS)
            losses.append(float(engine.step([batch(step)], rate)))
    torch.set_num_threads(threads)
    return losses


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps([round(loss, 6) for loss in curve()]) + "\n", encoding="utf-8")
