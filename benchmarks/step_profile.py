"""Where an update of pretraining spends its time, at the sizes of benchmarks/pretraining.py.

`OMP_NUM_THREADS=1 python benchmarks/step_profile.py [SIZE ...]` prints a table of milliseconds by
kind of operation, from PyTorch's profiler over a few updates of the engine, one thread. "Rest" is
what the profiler sees in no operation of PyTorch's: Python, DeepSpeed, NumPy's dropout masks. With
`--device cuda` the milliseconds are the GPU's, and the rest is when it had nothing to do.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pretraining import GPU_SIZES, SIZES, Size  # noqa: E402

from model.config import EncoderConfig, PretrainingConfig  # noqa: E402
from model.context import Context  # noqa: E402
from model.encoder.encoder import build  # noqa: E402
from model.encoder.products import cpu_has_bf16  # noqa: E402
from model.training.engine import Engine, prepare  # noqa: E402

KINDS = {
    "matrix products": ("mm", "addmm", "bmm", "baddbmm", "mkldnn", "linear"),
    "attention": (
        "_flash_attention_forward",
        "_flash_attention_backward",
        "_efficient_attention_forward",
        "_efficient_attention_backward",
        "_cudnn_attention_forward",
        "_cudnn_attention_backward",
    ),
    "softmax and loss": ("softmax", "_softmax", "_softmax_backward_data", "gather", "log", "exp"),
    "gelu, norms": ("gelu", "gelu_backward", "native_layer_norm", "native_layer_norm_backward"),
    "dropout": ("native_dropout", "native_dropout_backward"),
    "products and sums of elements": ("mul", "mul_", "addcmul", "add", "add_", "ge"),
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


def profile(size: Size, device: str) -> tuple[float, Counter[str]]:
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
    cuda = device != "cpu"
    activity = torch.profiler.ProfilerActivity
    context = Context(work=Path(), device=device)
    with Engine(build(encoder, size.rows, 1), PretrainingConfig(), context=context) as engine:

        def updates(number: int) -> float:
            began = time.perf_counter()
            for _ in range(number):
                loss = engine.step([batch], 1e-4)
            loss.item()  # what a GPU has not yet done
            return (time.perf_counter() - began) / number

        updates(3)
        plain = updates(UPDATES)
        kinds = [activity.CPU, activity.CUDA] if cuda else [activity.CPU]
        with torch.profiler.profile(activities=kinds) as found:
            updates(UPDATES)
    seconds: Counter[str] = Counter()
    for event in found.key_averages():
        if event.key.startswith(("aten::", "Optimizer.step")):
            own = event.self_device_time_total if cuda else event.self_cpu_time_total
            seconds[kind_of(event.key)] += own / 1e6 / UPDATES
    return plain, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", help="by default all")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    prepare(arguments.device, 1)
    if arguments.device == "cpu":
        print(f"bf16 by instructions of this CPU: {'yes' if cpu_has_bf16() else 'no'}\n")
    sizes = SIZES if arguments.device == "cpu" else GPU_SIZES
    for name in arguments.sizes or sizes:
        plain, seconds = profile(sizes[name], arguments.device)
        seconds["rest"] = max(0.0, plain - sum(seconds.values()))
        print(f"| {name} | ms | share |\n|---|---|---|")
        for kind, value in seconds.most_common():
            print(f"| {kind} | {1000 * value:.1f} | {100 * value / plain:.0f} % |")
        print(f"| an update | {1000 * plain:.1f} | |\n", flush=True)


if __name__ == "__main__":
    main()
