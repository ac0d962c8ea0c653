"""What the engine costs over a plain PyTorch loop on the same model, and parts of it.

Run: OMP_NUM_THREADS=1 python benchmarks/engine_cost.py [rounds]
The runs take turns, step by step, in one process; numbers are medians of CPU time, which does not
count waiting for a core. Starting is measured in a process of its own.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.config import EncoderConfig, PretrainingConfig
from model.encoder import loss, parallel
from model.encoder.encoder import MaskedLanguageModel, build, initialise
from model.training.engine import Engine, parameter_groups, prepare

ROWS, LENGTH, SEQUENCES = 8192, 128, 32
CONFIG = EncoderConfig(layers=4, width=128, heads=4, feed_forward=512, max_positions=LENGTH)
RATE = 1e-4
WARM_UP = 3


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    places = SEQUENCES * LENGTH
    count = int(0.15 * places)
    return (
        torch.randint(4, ROWS, (SEQUENCES, LENGTH), generator=generator),
        torch.randperm(places, generator=generator)[:count].sort().values,
        torch.randint(4, ROWS, (count,), generator=generator),
    )


def plain_loop(recipe: PretrainingConfig) -> Callable[[], None]:
    """Clipping and fused AdamW by hand; in bf16 on fp32 copies of the weights, as DeepSpeed has."""
    model = build(CONFIG, ROWS, seed=1)
    copies = model
    if recipe.precision == "bf16":
        model = build(CONFIG, ROWS, seed=1).bfloat16()
    optimizer = torch.optim.AdamW(
        parameter_groups(copies, recipe.weight_decay),
        lr=RATE,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon,
        fused=True,
    )
    given = batch()
    pairs = list(zip(copies.parameters(), model.parameters(), strict=True))

    def step() -> None:
        model(*given)[0].backward()
        for copy, parameter in pairs:
            if copy is not parameter:
                copy.grad, parameter.grad = parameter.grad.float(), None
        torch.nn.utils.clip_grad_norm_(copies.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            for copy, parameter in pairs:
                if copy is not parameter:
                    parameter.copy_(copy)

    return step


def engine_loop(
    recipe: PretrainingConfig, *, deepspeed_layers: bool = False, deepspeed_loss: bool = False
) -> Callable[[], None]:
    model = build(CONFIG, ROWS, seed=1)
    if deepspeed_layers:
        with torch.device("meta"):
            model = MaskedLanguageModel(CONFIG, ROWS)
        parallel.shard(model, None)
        parallel.materialise(model)
        initialise(model, CONFIG, 1)
    engine = Engine(model, recipe)
    given = batch()
    # One score less than there are: DeepSpeed's loss, in two chunks.
    scores = {"cpu": ROWS * len(given[2]) - 1} if deepspeed_loss else loss.SCORES_AT_ONCE

    def step() -> None:
        usual, loss.SCORES_AT_ONCE = loss.SCORES_AT_ONCE, scores
        engine.step([given], RATE)
        loss.SCORES_AT_ONCE = usual

    return step


def compare(precision: str, rounds: int) -> None:
    recipe = PretrainingConfig(precision=precision)
    runs = {
        "plain PyTorch loop": plain_loop(recipe),
        "engine": engine_loop(recipe),
        "engine, DeepSpeed's layers": engine_loop(recipe, deepspeed_layers=True),
        "engine, DeepSpeed's loss": engine_loop(recipe, deepspeed_loss=True),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + WARM_UP):
        for name, step in runs.items():
            began = time.process_time()
            step()
            if turn >= WARM_UP:
                times[name].append(time.process_time() - began)
    base = times["plain PyTorch loop"]
    for name, found in times.items():
        ratios = sorted(a / b for a, b in zip(found, base, strict=True))
        low, high = ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]
        milliseconds = 1000 * statistics.median(found)
        ratio = statistics.median(found) / statistics.median(base)
        print(
            f"| {precision} | {name} | {milliseconds:.1f} | {ratio:.3f} | {low:.3f} to {high:.3f} |"
        )


_START = """
import time
import torch
from benchmarks.engine_cost import CONFIG, ROWS
from model.config import PretrainingConfig
from model.encoder.encoder import build
from model.training.engine import Engine, prepare
prepare("cpu", 1)
model = build(CONFIG, ROWS, seed=1)
wall, cpu = time.perf_counter(), time.process_time()
Engine(model, PretrainingConfig())
print(f"{time.perf_counter() - wall:.2f} {time.process_time() - cpu:.2f}")
"""


def starts(times: int) -> None:
    root = Path(__file__).parents[1]
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, "-c", _START], capture_output=True, text=True, check=True, cwd=root
        )
        wall, cpu = done.stdout.split()
        print(f"start: {wall} s, of which {cpu} s CPU time")


if __name__ == "__main__":
    prepare("cpu", 1)
    print("| precision | loop | ms a step | to the plain loop | middle half of the rounds |")
    print("|---|---|---|---|---|")
    for each in ("fp32", "bf16"):
        compare(each, int(sys.argv[1]) if len(sys.argv) > 1 else 40)
    starts(3)
