"""Where an update of pretraining spends its time, at the sizes of benchmarks/pretraining.py.

`OMP_NUM_THREADS=1 python benchmarks/step_profile.py [SIZE ...]` prints a table of milliseconds by
kind of operation, from PyTorch's profiler over a few updates of the engine, one thread. "Rest" is
what the profiler sees in no operation of PyTorch's: Python, DeepSpeed, NumPy's dropout masks.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pretraining import SIZES, Size  # noqa: E402

from model.config import EncoderConfig, PretrainingConfig  # noqa: E402
from model.encoder.encoder import build  # noqa: E402
from model.encoder.products import cpu_has_bf16  # noqa: E402
from model.training.engine import Engine, prepare  # noqa: E402

KINDS = {
    "matrix products": ("mm", "addmm", "bmm", "baddbmm", "mkldnn", "linear"),
    "softmax and loss": ("softmax", "_softmax", "_softmax_backward_data", "gather", "log", "exp"),
    "gelu, norms": ("gelu", "gelu_backward", "native_layer_norm", "native_layer_norm_backward"),
    "dropout's and other products of elements": ("mul", "mul_", "addcmul", "add", "add_", "ge"),
    "copies and casts": ("copy_", "cat", "clone", "contiguous", "fill_", "zero_"),
    "embeddings": ("embedding", "embedding_dense_backward", "index_select", "index_add_"),
    "optimiser": ("_fused_adamw_", "norm", "linalg_vector_norm", "_foreach_norm"),
}
UPDATES = 4


def kind_of(name: str) -> str:
    short = name.removeprefix("aten::")
    if "AdamW" in name:
        return "optimiser"
    return next((kind for kind, names in KINDS.items() if short in names), "other operations")


def profile(size: Size) -> tuple[float, Counter[str]]:
    """Seconds of an update by the clock without the profiler, and by kind with it."""
    encoder = EncoderConfig(**size.encoder, max_positions=size.length)
    generator = torch.Generator().manual_seed(0)
    places = size.batch * size.length
    count = int(0.15 * places)
    batch = (
        torch.randint(4, size.rows, (size.batch, size.length), generator=generator),
        torch.randperm(places, generator=generator)[:count].sort().values,
        torch.randint(4, size.rows, (count,), generator=generator),
        None,
    )
    with Engine(build(encoder, size.rows, 1), PretrainingConfig()) as engine:
        for _ in range(3):
            engine.step([batch], 1e-4)
        began = time.perf_counter()
        for _ in range(UPDATES):
            engine.step([batch], 1e-4)
        plain = (time.perf_counter() - began) / UPDATES
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
            for _ in range(UPDATES):
                engine.step([batch], 1e-4)
    seconds: Counter[str] = Counter()
    for event in found.key_averages():
        if event.key.startswith(("aten::", "Optimizer.step")):
            seconds[kind_of(event.key)] += event.self_cpu_time_total / 1e6 / UPDATES
    return plain, seconds


def main() -> None:
    prepare("cpu", 1)
    print(f"bf16 by instructions of this CPU: {'yes' if cpu_has_bf16() else 'no'}\n")
    for name in sys.argv[1:] or SIZES:
        plain, seconds = profile(SIZES[name])
        seconds["rest"] = max(0.0, plain - sum(seconds.values()))
        print(f"| {name} | ms | share |\n|---|---|---|")
        for kind, value in seconds.most_common():
            print(f"| {kind} | {1000 * value:.1f} | {100 * value / plain:.0f} % |")
        print(f"| an update | {1000 * plain:.1f} | |\n", flush=True)


if __name__ == "__main__":
    main()
