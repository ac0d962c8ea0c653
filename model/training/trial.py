"""One pretraining on made-up text in a process of its own, to measure what it costs.

`measure` writes what the stage reads (a SentencePiece model of the wanted size that nobody trained,
and shards of random ids), runs the stage itself in a fresh process of one thread, and returns what
that process says of itself. Times are CPU seconds, which a busy machine disturbs less than the
clock; memory is VmHWM, which a new process starts anew.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.config import EncoderConfig, PretrainingConfig, SamplingConfig
from model.context import Context
from model.stages import PretrainingStage

_ROOT = Path(__file__).resolve().parents[2]
_LANGUAGES = ["en", "fr", "sw"]
_TOKENS = 200_000
"""Ids in each language's shards: batches drawn from more would cost the same."""
_WARM = 3
"""Updates at the start that are not timed: memory is still being taken from the system."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A pretraining to measure."""

    encoder: EncoderConfig
    pretraining: PretrainingConfig
    vocab_size: int
    """SentencePiece pieces."""
    micro_batch: int | None = None
    activation_checkpointing: bool = False


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the process of a trial cost."""

    cpu_seconds: float
    """User and system time of the whole process, imports included."""
    start_seconds: float
    """Those until the first update."""
    update_seconds: float
    """Those of one update: the median after the first few."""
    start_bytes: int
    """Resident memory before the first update."""
    peak_bytes: int
    """Highest resident memory."""


def measure(trial: Trial) -> Cost:
    """Runs a trial. Raises RuntimeError with the end of its output if the stage fails."""
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder), trial.vocab_size)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "model.training.trial", folder, json.dumps(asdict(trial))],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"the trial's stage failed:\n{done.stderr[-3000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def write_inputs(folder: Path, pieces: int) -> None:
    """The tokenizer and the shards that `_run` reads."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.trainer_spec.model_type = 1
    model.normalizer_spec.name = "identity"
    for number in range(pieces):
        piece = model.pieces.add()
        piece.piece = ["<unk>", "<s>", "</s>"][number] if number < 3 else f"\u2581{number:x}"
        piece.score = -float(number)
        if number < 3:
            piece.type = piece.UNKNOWN if number == 0 else piece.CONTROL
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "sentencepiece.model").write_bytes(model.SerializeToString())
    _write(tokenizer / "tokenizer.json", {"config": {"pre_tokenize": "none"}})
    rows = pieces + 2
    dtype = "uint16" if rows <= 1 << 16 else "uint32"
    random = np.random.default_rng(0)
    for language in _LANGUAGES:
        shards = folder / language
        shards.mkdir()
        ids = random.integers(4, rows - 1, _TOKENS).astype(dtype)
        (shards / "tokens.bin").write_bytes(ids.tobytes())
        counts = {"tokens": _TOKENS, "sentences": 1000, "documents": 100, "bytes": 4 * _TOKENS}
        _write(
            shards / "shards.json", {"language": language, "dtype": dtype, "rows": rows, **counts}
        )


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


class _Timed(Context):
    """A context that notes the process's time and memory at every report."""

    def progress(self, step: int, total: int, **metrics: float) -> None:
        self.noted.append((time.process_time(), _resident("VmRSS")))

    @property
    def noted(self) -> list[tuple[float, int]]:
        return self.__dict__.setdefault("_noted", [])


def _run(folder: Path, trial: Trial) -> Cost:
    from model.training import moments, pretraining

    moments.PROGRESS_SECONDS = 0.0  # a report after every update
    context = _Timed(
        work=folder / "work",
        checkpoint_seconds=1e9,
        micro_batch=trial.micro_batch,
        activation_checkpointing=trial.activation_checkpointing,
    )
    config = PretrainingStage(
        languages=_LANGUAGES,
        sampling=SamplingConfig(),
        encoder=trial.encoder,
        pretraining=trial.pretraining,
        seed=1,
    )
    shards = {f"shards/{code}": folder / code for code in _LANGUAGES}
    output = folder / "output"
    output.mkdir()
    pretraining.run(config, {"tokenizer": folder / "tokenizer", **shards}, output, context)
    times = [seconds for seconds, _ in context.noted]
    warm = min(_WARM, len(times) - 2)
    updates = sorted(b - a for a, b in zip(times[warm:], times[warm + 1 :], strict=False))
    return Cost(
        cpu_seconds=time.process_time(),
        start_seconds=times[0],
        update_seconds=updates[len(updates) // 2],
        start_bytes=context.noted[0][1],
        peak_bytes=_resident("VmHWM"),
    )


def _resident(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {name}")


def _read(text: str) -> Trial:
    values = json.loads(text)
    values["encoder"] = EncoderConfig(**values["encoder"])
    values["pretraining"] = PretrainingConfig(**values["pretraining"])
    return Trial(**values)


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(_run(Path(sys.argv[1]), _read(sys.argv[2])))))
