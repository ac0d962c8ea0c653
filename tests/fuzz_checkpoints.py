"""Looks for a checkpoint of a training that ends in anything but a resumed training or a message.

    python -m tests.fuzz_checkpoints --minutes 10 --seed 1 --keep findings

Changes one file of a real checkpoint, as bytes, as JSON, or a tensor's file as the values in it,
gives it the right checksum, as somebody would who means harm, and restores it. Only InputError may
come out, within seconds. What breaks that rule is written to the folder of findings.
"""

import argparse
import hashlib
import json
import random
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import torch

from grid.memory import lacked
from model.config import EncoderConfig, PretrainingConfig
from model.encoder.encoder import build
from model.errors import InputError
from model.training import checkpoint
from model.training.divergence import LossWatch
from model.training.engine import Engine
from model.training.record import Record
from model.training.unpickling import allow_deepspeed
from tests.fuzz_readers import mutated
from tests.fuzz_studies import limited

LIMIT = 20
"""Seconds of the processor that one checkpoint may take."""
STEP = 3
_ODD: list[Any] = [
    None, True, -1, 2**70, 1.5, float("nan"), "", "x", [], {}, [1], torch.zeros(3),
    torch.zeros(0), torch.zeros((1, 2, 3)), torch.tensor(float("inf")),
    torch.zeros(4, dtype=torch.int8), torch.empty(1).expand(1 << 40),
]  # fmt: skip


def engine() -> Engine:
    """A tiny model in training."""
    config = EncoderConfig(layers=1, width=8, heads=2, max_positions=8)
    return Engine(build(config, 16, seed=1), PretrainingConfig(precision="fp32"))


def record() -> Record:
    watch = LossWatch(spike=None, targets=4.0, name="pretraining", advice="")
    made = Record(languages=["en"], total=10, watch=watch)
    made.step = STEP
    return made


def restore(work: Path, made: Engine) -> str | None:
    """Goes on from the newest checkpoint, as pretraining does; the message of its mistake."""
    with redirect_stderr(StringIO()):
        try:
            with limited(LIMIT), checkpoint.understood(work):
                state = checkpoint.restore(work, made)
                if state is not None:
                    record().load(state)
        except InputError as error:
            return str(error)
        except RuntimeError as error:
            if not lacked(error):  # a tensor of a file may say that it has any size
                raise
            return str(error)
    return None if state is not None else "broken"


def seal(folder: Path) -> None:
    """Gives every file the checksum that it has."""
    sums = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "checksums.json"
    }
    (folder / "checksums.json").write_text(json.dumps(sums), encoding="utf-8")


def _values(content: bytes, draw: random.Random) -> bytes:
    """A file of tensors with one of its values another, or gone."""
    value = torch.load(BytesIO(content), weights_only=True)
    places: list[tuple[Any, Any]] = []
    left = [value]
    while left:
        holder = left.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, item in list(items):
            if not isinstance(holder, tuple):
                places.append((holder, key))
            if isinstance(item, dict | list | tuple):
                left.append(item)
    holder, key = draw.choice(places)
    if draw.random() < 0.3:
        del holder[key]
    else:
        holder[key] = draw.choice(_ODD)
    out = BytesIO()
    torch.save(value, out)
    return out.getvalue()


def fuzz(
    folder: Path, *, seed: int, seconds: float, most: int | None = None
) -> Iterator[tuple[str, bytes, str]]:
    """File, content and traceback of each finding, until the time is over or `most` were tried."""
    allow_deepspeed()
    draw, counts = random.Random(seed), Counter[str]()
    end = time.monotonic() + seconds
    with engine() as made:
        whole = checkpoint.save(folder / "whole", STEP, made, record().state())
        files = sorted(path for path in whole.rglob("*") if path.is_file())
        for number in range(most if most is not None else sys.maxsize):
            if time.monotonic() > end:
                break
            file = draw.choice(files)
            before = file.read_bytes()
            if file.suffix == ".pt" and draw.random() < 0.7:
                content = _values(before, draw)
            else:
                content = mutated(before, [before, draw.choice(files).read_bytes()], draw)
            work = folder / "one"
            shutil.copytree(whole, work / "checkpoints" / whole.name)
            name = file.relative_to(whole)
            (work / "checkpoints" / whole.name / name).write_bytes(content)
            if file.name != "checksums.json":
                seal(work / "checkpoints" / whole.name)
            try:
                told = restore(work, made)
                counts["resumed" if told is None else told if told == "broken" else "message"] += 1
            except KeyboardInterrupt:
                raise
            except BaseException:
                counts["finding"] += 1
                yield name.as_posix(), content, f"case {number}\n{traceback.format_exc()}"
            shutil.rmtree(work)
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{sum(counts.values())} checkpoints: {told}", file=sys.stderr)


def main() -> int:
    """The command `python -m tests.fuzz_checkpoints`; status 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=Path("findings"), help="folder of findings")
    options = parser.parse_args()
    folder = options.keep.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()
    for name, content, told in fuzz(
        folder / "store", seed=options.seed, seconds=60 * options.minutes
    ):
        lines = told.strip().splitlines()
        last = " ".join((lines[-1][:200], next((x for x in lines[::-1] if "File" in x), "")))
        if last in known:
            continue
        known.add(last)
        (folder / f"found{len(known)}").write_bytes(content)
        (folder / f"found{len(known)}.told").write_text(f"{name}\n{told}", encoding="utf-8")
        print(f"{name}: {lines[0]}: {last}", flush=True)
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
