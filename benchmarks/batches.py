"""Speed of batches, masks included: ours beside HF's DataLoader and collator, and beside a step.

Run: OMP_NUM_THREADS=1 python benchmarks/batches.py [--rounds N] [--large]

All of them take turns in one process; numbers are medians of CPU time, which does not count waiting
for a core. The text is random ids of 100 languages: what a batch costs does not depend on them.
HF's side has everything in memory, already cut into sequences; ours reads memory-mapped shards at
places that it draws. HF's collator is timed in each form that its documentation allows, and with
worker processes, whose time counts. The step is that of the tiny model: forward, backward and
update. Take bf16 where the CPU has it.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.config import EncoderConfig, PretrainingConfig
from model.encoder.encoder import build
from model.text.batches import Batches
from model.text.sampling import probabilities
from model.text.tokenizer import BOS, EOS, PAD, SPECIALS, UNK
from model.training.engine import Engine, prepare
from model.training.loop import parts_of

ROWS, LANGUAGES, TOKENS = 8192, 100, 100_000
"""The vocabulary's ids; languages, and ids of each."""
ENCODER = EncoderConfig(layers=4, width=128, heads=4, feed_forward=512, max_positions=128)
MASKED = 0.15


def write_shards(folder: Path) -> dict[str, Path]:
    """Shards as the stage writes them."""
    random = np.random.default_rng(0)
    info = {"dtype": "uint16", "tokens": TOKENS, "rows": ROWS}
    paths = {}
    for number in range(LANGUAGES):
        language = f"l{number:02d}"
        paths[language] = folder / language
        paths[language].mkdir()
        ids = random.integers(SPECIALS, ROWS - 1, TOKENS).astype("<u2")
        (paths[language] / "tokens.bin").write_bytes(ids.tobytes())
        text = json.dumps({**info, "language": language})
        (paths[language] / "shards.json").write_text(text, encoding="utf-8")
    return paths


def our_batches(paths: dict[str, Path], size: int, length: int, words: bool) -> Batches:
    counts = {language: 1000 + 100 * number for number, language in enumerate(paths)}
    starts = np.random.default_rng(1).random(ROWS) < 0.6 if words else None
    return Batches(
        paths,
        probabilities(counts, 0.3),
        size,
        length,
        MASKED,
        "mixed",
        ROWS,
        ROWS - 1,
        seed=1,
        word_starts=starts,
    )


class Blocks(torch.utils.data.Dataset):
    """Sequences in memory, each a mapping of what the collator reads."""

    def __init__(self, length: int, kind: str) -> None:
        random = np.random.default_rng(2)
        ids = random.integers(SPECIALS, ROWS - 1, (20_000, length))
        ids[:, 0], ids[:, -1] = BOS, EOS
        special = np.zeros(length, np.int64)
        special[[0, -1]] = 1
        if kind == "tensors":
            rows: Any = torch.from_numpy(ids)
            mask: Any = torch.from_numpy(special)
        elif kind == "arrays":
            rows, mask = ids, special
        else:
            rows, mask = ids.tolist(), special.tolist()
        self._rows, self._mask = rows, mask

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self._rows[index], "special_tokens_mask": self._mask}


def hf_tokenizer() -> Any:
    """A tokenizer of as many ids, of which the collator asks the special ones."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    special = {BOS: "<s>", PAD: "<pad>", EOS: "</s>", UNK: "<unk>", ROWS - 1: "<mask>"}
    vocabulary = {special.get(id, f"p{id}"): id for id in range(ROWS)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(vocabulary, unk_token="<unk>")),  # noqa: S106
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
        mask_token="<mask>",  # noqa: S106
    )


def hf_loader(size: int, length: int, kind: str, workers: int) -> Iterator[Any]:
    """Batches without end."""
    from transformers import DataCollatorForLanguageModeling

    collator = DataCollatorForLanguageModeling(
        hf_tokenizer(),
        mlm_probability=MASKED,
        return_tensors="np" if kind == "arrays" else "pt",
        seed=1 if kind == "arrays" else None,
    )
    loader = torch.utils.data.DataLoader(
        Blocks(length, kind),
        batch_size=size,
        shuffle=True,
        drop_last=True,
        collate_fn=collator,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    while True:
        yield from loader


def step_of(precision: str, batches: Batches) -> Callable[[], object]:
    """An update of the tiny model on one batch."""
    engine = Engine(build(ENCODER, ROWS, seed=1), PretrainingConfig(precision=precision))
    parts = parts_of(batches.batch(0), 1, ENCODER)
    return lambda: engine.step(parts, 1e-4)


def with_workers(size: int, length: int, count: int, workers: int) -> float:
    """CPU seconds a batch of this process and its workers, their start counted out."""
    used = []
    for batches in (count, 3 * count):
        before = sum(os.times()[:4])
        loader = hf_loader(size, length, "tensors", workers)
        for _ in range(batches):
            next(loader)
        del loader  # ends the workers, and only then their time is known
        used.append(sum(os.times()[:4]) - before)
    return (used[1] - used[0]) / (2 * count)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="(15)")
    parser.add_argument("--large", action="store_true", help="also batches of 8,192 x 512 (10 s)")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="of HF's (1 2)")
    parser.add_argument("--precision", nargs="+", default=["fp32"], help="of the step (fp32)")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    prepare("cpu", 1)
    size, length = 32, 128
    with tempfile.TemporaryDirectory() as name:
        paths = write_shards(Path(name))
        pieces = our_batches(paths, size, length, words=False)
        words = our_batches(paths, size, length, words=True)
        hf = {
            f"HF, of {kind}": hf_loader(size, length, kind, 0)
            for kind in ("lists", "tensors", "arrays")
        }
        step = iter(range(1_000_000))
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda: pieces.batch(next(step)),
            "ours, and as tensors": lambda: parts_of(pieces.batch(next(step)), 1, ENCODER),
            "ours, whole words": lambda: words.batch(next(step)),
            **{what: lambda loader=loader: next(loader) for what, loader in hf.items()},
            **{f"step, {each}": step_of(each, pieces) for each in options.precision},
        }
        found = {what: [] for what in ways}
        for turn in range(options.rounds + 3):
            for what, function in ways.items():
                times = 1 if what.startswith("step") else 10
                began = time.process_time()
                for _ in range(times):
                    function()
                if turn >= 3:
                    found[what].append((time.process_time() - began) / times)
        middle = {what: statistics.median(times) for what, times in found.items()}
        for workers in options.workers:
            count = 4 * options.rounds
            what = f"HF, of tensors, {workers} worker{'s' * (workers > 1)}"
            middle[what] = with_workers(size, length, count, workers)
        print(f"\n| {size} x {length} | CPU, ms | to ours |\n|---|---|---|")
        for what, seconds in middle.items():
            print(f"| {what} | {1000 * seconds:.3f} | {seconds / middle['ours']:.1f} |")
        if options.large:
            large = our_batches(paths, 8192, 512, words=False)
            loader = hf_loader(8192, 512, "tensors", 0)
            times = []
            for number in range(5):
                began = time.process_time()
                large.batch(number)
                between = time.process_time()
                next(loader)
                times.append((between - began, time.process_time() - between))
            own, other = (statistics.median(column) for column in zip(*times, strict=True))
            print(f"\n8,192 x 512: ours {own:.3f} s, HF {other:.3f} s, {other / own:.1f} times")


if __name__ == "__main__":
    main()
