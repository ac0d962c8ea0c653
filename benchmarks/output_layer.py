"""Time and memory of the output layer at XLM-R's vocabulary: ours beside full logits.

Run: OMP_NUM_THREADS=1 python benchmarks/output_layer.py [--width H] [--tokens N …] [--rounds N]

Both begin with the encoder's vectors of all places and end with the gradients of the vectors, of
the tied word table and of the head. `full` scores every place and leaves the others out of
PyTorch's cross-entropy, as transformers' models do; `ours` is the product's head on the masked
places. Losses and gradients must agree. Times are medians of CPU time of turns in one process.
Memory is that of one step in a process of its own: the most that was resident (VmHWM) less what was
before the step, with and without the gradients of the table and the head, which either way needs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.encoder.heads import LanguageModelHead
from model.training.distributed import import_deepspeed
from model.training.engine import prepare

ROWS, MASKED = 250_002, 0.15
IGNORED = -100
WAYS = ("ours", "full")
MIB = 1 << 20


class Layer:
    """The head, the table, and the vectors of `places` places, of which 15 % are masked."""

    def __init__(self, width: int, places: int, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        self.head = LanguageModelHead(width, ROWS).to(dtype)
        # In place, for freed memory is kept in the process and would serve the step.
        table = torch.empty(ROWS, width, dtype=dtype).normal_(std=width**-0.5)
        self.table = table.requires_grad_()
        self.hidden = torch.randn(places, width).to(dtype).requires_grad_()
        self.positions = torch.randperm(places)[: int(MASKED * places)].sort().values
        self.targets = torch.randint(4, ROWS, self.positions.shape)
        self.labels = torch.full((places,), IGNORED)
        self.labels[self.positions] = self.targets

    def ours(self) -> Tensor:
        chosen = self.hidden.index_select(0, self.positions)
        return self.head.loss(chosen, self.table, self.targets)[0]

    def full(self) -> Tensor:
        scores = self.head(self.hidden, self.table)
        return functional.cross_entropy(scores.float(), self.labels, ignore_index=IGNORED)

    def step(self, way: str) -> float:
        """Loss, forward and backward. Gradients are made anew."""
        for parameter in self.parameters():
            parameter.grad = None
        loss: Tensor = getattr(self, way)()
        loss.backward()
        return loss.item()

    def parameters(self) -> list[Tensor]:
        return [self.hidden, self.table, *self.head.parameters()]


def check(layer: Layer) -> None:
    """That both ways compute the same."""
    losses, gradients = [], []
    for way in WAYS:
        losses.append(layer.step(way))
        gradients.append([parameter.grad for parameter in layer.parameters()])
    if abs(losses[0] - losses[1]) > 1e-3:
        raise SystemExit(f"the losses differ: {losses}")
    for ours, full in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, full, rtol=1e-2, atol=1e-2 * full.abs().max().item())


def status(name: str) -> float:
    """MiB that are resident now (VmRSS) or were at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this benchmark reads /proc/self/status")


def measure_memory(way: str, width: int, places: int, dtype: torch.dtype) -> None:
    """Prints what one step takes beyond what was there: MiB with and without gradients."""
    Layer(64, 20, dtype).step(way)  # what libraries need once
    layer = Layer(width, places, dtype)
    Path("/proc/self/clear_refs").write_text("5")  # the most so far is what is resident now
    before = status("VmRSS")
    layer.step(way)
    extra = status("VmHWM") - before
    kept = sum(each.numel() * each.element_size() for each in layer.parameters()[1:]) / MIB
    print(json.dumps([extra, extra - kept]))


def memory(way: str, width: int, places: int, precision: str) -> list[float]:
    command = [sys.executable, __file__, "--width", str(width), "--tokens", str(places)]
    command += ["--precision", precision, "--memory-of", way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def seconds(function: Callable[[], object]) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=128, help="of the encoder (128)")
    parser.add_argument("--tokens", type=int, nargs="+", default=[512], help="places (512)")
    parser.add_argument("--precision", nargs="+", default=["fp32"], help="fp32, bf16 (fp32)")
    parser.add_argument("--rounds", type=int, default=3, help="(3)")
    parser.add_argument("--memory-of", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    prepare("cpu", 1)
    import_deepspeed("cpu")  # the head takes its loss where there are many scores
    types = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if options.memory_of:
        (places,), (precision,) = options.tokens, options.precision
        return measure_memory(options.memory_of, options.width, places, types[precision])
    print(f"Vocabulary {ROWS:,}, width {options.width}, masked {MASKED:.0%}\n")
    print("| places | precision | layer | CPU, s | memory, MiB | beside gradients, MiB | ", end="")
    print("ours to full: CPU | memory | beside gradients |\n|---|---|---|---|---|---|---|---|---|")
    for precision in options.precision:
        for places in options.tokens:
            layer = Layer(options.width, places, types[precision])
            check(layer)
            times = {way: list[float]() for way in WAYS}
            for _ in range(options.rounds):
                for way in WAYS:
                    times[way].append(seconds(lambda way=way, layer=layer: layer.step(way)))
            del layer
            found = {
                way: [statistics.median(times[way]), *memory(way, options.width, places, precision)]
                for way in WAYS
            }
            for way in WAYS:
                cpu, extra, beside = found[way]
                row = (
                    f"| {places:,} | {precision} | {way} | {cpu:.3f} | {extra:.0f} | {beside:.0f} |"
                )
                if way == "ours":
                    row += "".join(
                        f" {own / other:.3f} |"
                        for own, other in zip(found["ours"], found["full"], strict=True)
                    )
                else:
                    row += " | | |"
                print(row, flush=True)
    return None


if __name__ == "__main__":
    main()
