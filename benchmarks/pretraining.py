"""Pretraining against Hugging Face's Trainer: tokens a second through the product's own stage.

`PYTHONPATH=FOLDER_OF_ACCELERATE python benchmarks/pretraining.py [SIZE ...]` prints what
benchmarks/pretraining.md says. Trainer needs the package `accelerate`, which this project does not.

Both sides get random ids, the same sizes, batches, dropout, masking rate, AdamW (fused), clipping
and linear schedule, in bf16; on a CPU without instructions for it, where it is no good to them,
theirs runs in fp32. Ours is the stage `pretraining` with DeepSpeed's engine and its own
batches; theirs is `XLMRobertaForMaskedLM` with `DataCollatorForLanguageModeling`, eager or SDPA
attention, whichever is faster. Each run is a process of its own that times itself from its third
report on; the sides take turns, and the ratio is the median over the turns.

On a GPU (`--device cuda`) theirs also runs compiled, and both sides say their model FLOPs
utilisation (see `flops`) and the most memory of the GPU that they had.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from model.config import EncoderConfig, PretrainingConfig, SamplingConfig  # noqa: E402

ANSWER = "answer: "
"""What a side's last line begins with, among whatever else a library prints."""
WARM = 3
"""Reports at the start that are not timed."""
PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bf16 FLOPs a second, by NVIDIA's data sheets."""


@dataclass(kw_only=True)
class Size:
    """A model and its batches."""

    layers: int
    width: int
    heads: int
    rows: int
    length: int
    batch: int
    updates: int
    """Of a turn."""

    @property
    def encoder(self) -> dict[str, Any]:
        return {"layers": self.layers, "width": self.width, "heads": self.heads}


SIZES = {
    "tiny": Size(layers=4, width=128, heads=4, rows=8192, length=128, batch=32, updates=60),
    "small": Size(layers=6, width=256, heads=4, rows=32_000, length=128, batch=16, updates=24),
    "base": Size(layers=4, width=768, heads=12, rows=250_002, length=256, batch=4, updates=8),
}
"""Those of a CPU. Base has four of its twelve layers."""
GPU_SIZES = {
    "Base, V=250,002": Size(
        layers=12, width=768, heads=12, rows=250_002, length=512, batch=64, updates=60
    ),
    "Base, V=32,000": Size(
        layers=12, width=768, heads=12, rows=32_000, length=512, batch=64, updates=60
    ),
    "Large, V=250,002": Size(
        layers=24, width=1024, heads=16, rows=250_002, length=512, batch=32, updates=30
    ),
    "XL, 6 of 36 layers": Size(
        layers=6, width=2560, heads=32, rows=250_002, length=512, batch=16, updates=20
    ),
}


def flops(size: Size, masked: float = 0.15) -> float:
    """FLOPs of an update that the model needs, forward and backward, a multiply-add counted twice.

    6 for each token and each weight of the layers' matrices (12 width² a layer), 12 T width a
    layer and token for the attention's two products (Chowdhery et al. 2022, Appendix B), and 6 for
    each masked token and each weight of the head: what is computed at other positions is no use.
    """
    tokens = size.batch * size.length
    layers = size.layers * (72 * size.width**2 + 12 * size.length * size.width)
    head = 6 * (size.width**2 + size.width * size.rows)
    return tokens * (layers + masked * head)


def ours(size: Size, dropout: float, device: str, threads: int) -> dict[str, float]:
    """One run of the stage."""
    from model.context import Context
    from model.stages import PretrainingStage
    from model.training import pretraining, trial

    class Noted(Context):
        """Notes the clocks at every report."""

        def progress(self, step: int, total: int, **metrics: float) -> None:
            notes.append((step, time.perf_counter(), time.process_time()))

    notes: list[tuple[int, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        trial.write_inputs(Path(folder), size.rows - 2)
        languages = ["en", "fr", "sw"]
        inputs = {f"shards/{code}": Path(folder, code) for code in languages}
        encoder = EncoderConfig(
            **size.encoder,
            max_positions=size.length,
            dropout=dropout,
            attention_dropout=dropout,
        )
        recipe = PretrainingConfig(
            updates=size.updates,
            batch_size=size.batch,
            sequence_length=size.length,
            learning_rate=1e-4,
        )
        config = PretrainingStage(
            languages=languages,
            sampling=SamplingConfig(),
            encoder=encoder,
            pretraining=recipe,
            seed=1,
        )
        output = Path(folder, "output")
        output.mkdir()
        context = Noted(
            work=Path(folder, "work"), device=device, threads=threads, checkpoint_seconds=1e9
        )
        pretraining.run(config, {"tokenizer": Path(folder, "tokenizer")} | inputs, output, context)
    return measured(notes, size)


def theirs(
    size: Size, dropout: float, device: str, threads: int, attention: str, compiled: bool
) -> dict[str, float]:
    """One run of Trainer."""
    import numpy as np
    import torch
    import transformers
    from tokenizers import Tokenizer, models

    from model.encoder.products import cpu_has_bf16

    torch.set_num_threads(threads)
    transformers.set_seed(1)
    words = {f"{number:x}": number for number in range(size.rows - 1)} | {"<mask>": size.rows - 1}
    special = {"bos": "0", "pad": "1", "eos": "2", "unk": "3", "mask": "<mask>"}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token=special["unk"])),
        **{f"{name}_token": token for name, token in special.items()},
    )
    config = transformers.XLMRobertaConfig(
        vocab_size=size.rows,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
        max_position_embeddings=size.length + 2,
        type_vocab_size=1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    model = transformers.XLMRobertaForMaskedLM._from_config(config, attn_implementation=attention)
    ids = np.random.default_rng(0).integers(4, size.rows - 1, (512, size.length))
    ids[:, 0], ids[:, -1] = 0, 2
    notes: list[tuple[int, float, float]] = []

    class Noted(transformers.TrainerCallback):
        """Notes the clocks after every update."""

        def on_step_end(self, arguments: Any, state: Any, *given: Any, **named: Any) -> None:
            if device != "cpu":
                torch.cuda.synchronize()
            notes.append((state.global_step, time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=size.updates,
            per_device_train_batch_size=size.batch,
            learning_rate=1e-4,
            warmup_steps=1,
            weight_decay=0.01,
            adam_beta2=0.98,
            adam_epsilon=1e-6,
            max_grad_norm=1.0,
            optim="adamw_torch_fused",
            bf16=device != "cpu" or cpu_has_bf16(),
            torch_compile=compiled,
            use_cpu=device == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_num_workers=0 if device == "cpu" else 4,
            dataloader_pin_memory=device != "cpu",
        )
        transformers.Trainer(
            model=model,
            args=arguments,
            train_dataset=[{"input_ids": row.tolist()} for row in ids],
            data_collator=transformers.DataCollatorForLanguageModeling(tokenizer),
            callbacks=[Noted()],
        ).train()
    return measured(notes, size)


def measured(notes: list[tuple[int, float, float]], size: Size) -> dict[str, float]:
    """Seconds of an update, by the clock and of the processor, between the third report and the
    last."""
    first, last = notes[min(WARM, len(notes) - 2)], notes[-1]
    updates = last[0] - first[0]
    wall, cpu = (last[1] - first[1]) / updates, (last[2] - first[2]) / updates
    return {"wall": wall, "cpu": cpu, "tokens_per_s": size.batch * size.length / wall}


def turn(side: str, size: Size, arguments: argparse.Namespace, threads: int) -> dict[str, float]:
    """One run in a process of its own."""
    given = {"side": side, "size": asdict(size), "threads": threads}
    given |= {"dropout": arguments.dropout, "device": arguments.device}
    done = subprocess.run(
        [sys.executable, __file__, "--turn", json.dumps(given)],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    answers = [line for line in done.stdout.splitlines() if line.startswith(ANSWER)]
    if not answers:
        raise RuntimeError(f"{side} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(answers[-1].removeprefix(ANSWER)))


def take(given: dict[str, Any]) -> dict[str, float]:
    """What the process of a turn does."""
    side, size = given["side"], Size(**given["size"])
    rest = (size, given["dropout"], given["device"], given["threads"])
    if side == "ours":
        found = ours(*rest)
    else:
        found = theirs(*rest, attention=side.split()[0], compiled="compiled" in side)
    if given["device"] != "cpu":
        import torch

        found["peak_bytes"] = float(torch.cuda.max_memory_allocated())
    return found


def compare(name: str, size: Size, arguments: argparse.Namespace) -> None:
    """Turns of all sides; one row of the table each."""
    others = ["eager", "sdpa"] if arguments.device == "cpu" else ["sdpa", "sdpa compiled"]
    sides = arguments.sides or ["ours", *others]
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(arguments.turns):
        for side in sides:
            runs[side].append(turn(side, size, arguments, arguments.threads))
            print(f"  {name}, {side}: {runs[side][-1]}", file=sys.stderr, flush=True)
    middle = {
        side: statistics.median(run["tokens_per_s"] for run in found)
        for side, found in runs.items()
    }
    cells = [name, f"{middle['ours']:,.0f}"]
    best = max(sides[1:], key=lambda side: middle[side], default=None)
    if best is None:
        cells += ["", "", ""]
    else:
        ratios = quotients(runs["ours"], runs[best], "tokens_per_s")
        cells += [
            f"{middle[best]:,.0f} ({best})",
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        ]
    if arguments.device == "cpu":
        of_cpu = quotients(runs[best], runs["ours"], "cpu") if best else []
        cells.append(f"{statistics.median(of_cpu):.2f}" if of_cpu else "")
    else:
        cells += [utilisation(size, middle[side]) if side else "" for side in ("ours", best)]
        for side in ("ours", best):
            most = max(run["peak_bytes"] for run in runs[side]) if side else 0.0
            cells.append(f"{most / 2**30:.1f}" if side else "")
    print(f"| {' | '.join(cells)} |", flush=True)


def quotients(of: list[dict[str, float]], by: list[dict[str, float]], measure: str) -> list[float]:
    """Of one side's turns by the other's."""
    return [a[measure] / b[measure] for a, b in zip(of, by, strict=True)]


def utilisation(size: Size, tokens_per_s: float) -> str:
    """Share of the GPU's peak; where that is not known, FLOPs a second."""
    import torch

    rate = flops(size) * tokens_per_s / (size.batch * size.length)
    card = torch.cuda.get_device_name()
    peak = next((value for key, value in PEAK.items() if key in card), None)
    return f"{100 * rate / peak:.1f} %" if peak else f"{rate / 1e12:.0f} TFLOP/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", help="by default all")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sides", nargs="+", help="ours, and what it is compared with")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.turn:
        print(ANSWER + json.dumps(take(json.loads(arguments.turn))))
        return
    sizes = SIZES if arguments.device == "cpu" else GPU_SIZES
    last = ["CPU time"]
    if arguments.device != "cpu":
        last = ["ours, of the peak", "theirs", "ours, GiB", "theirs, GiB"]
    heads = ["size", "ours, tokens/s", "Trainer, tokens/s", "ratio", "of the turns", *last]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|", flush=True)
    for name in arguments.sizes or sizes:
        compare(name, sizes[name], arguments)


if __name__ == "__main__":
    main()
