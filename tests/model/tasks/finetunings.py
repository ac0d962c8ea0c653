"""A small pretrained model, and a task that is easy to learn, for tests of fine-tuning."""

import json
from dataclasses import dataclass
from pathlib import Path

from model.config import EncoderConfig
from model.context import Context
from model.encoder.encoder import build
from model.encoder.files import Description, write_model
from model.stages import FinetuningStage
from model.task_config import TaskConfig
from model.tasks import finetuning
from model.tasks.catalogue import NLI
from model.tasks.data import COLUMNS
from model.text import tokenizer as tokenizers

LENGTH = 32
TRAIN = "XNLI-MT-1.0/multinli/multinli.train.en.tsv"
SCORED = {"validation": "XNLI-1.0/xnli.dev.tsv", "test": "XNLI-1.0/xnli.test.tsv"}


class KilledError(Exception):
    """Stands for a signal that leaves no time to save."""


@dataclass(kw_only=True)
class KilledAt(Context):
    """Dies when this update is reported, before anything of it is saved."""

    reported: int

    def progress(self, step: int, total: int, **metrics: float) -> None:
        super().progress(step, total, **metrics)
        if step >= self.reported:
            raise KilledError


def pretrained_model(folder: Path, tokenizer: Path) -> Path:
    """The output of a pretraining that made no update."""
    config = EncoderConfig(
        layers=1, width=32, heads=2, max_positions=LENGTH, norm="pre", initialization="fan_in"
    )
    rows = tokenizers.load(tokenizer).rows
    description = Description(encoder=config, rows=rows, sequence_length=LENGTH)
    write_model(folder, build(config, rows, 1).named_parameters(), description)
    exposure = {"languages": {"en": {"sequences": 3}}}
    (folder / "exposure.json").write_text(json.dumps(exposure))
    return folder


def easy_task(folder: Path, **facts: object) -> Path:
    """The label is the hypothesis's first word."""
    words = dict(zip(NLI, ("the", "of", "and"), strict=True))
    rows = [(f"a man number {i}", words[NLI[i % 3]], NLI[i % 3]) for i in range(120)]
    for name in (TRAIN, *SCORED.values()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / TRAIN).write_text(
        "premise\thypothesis\tlabel\n"
        + "".join(f"{a}\t{b}\t{c.replace('contradiction', 'contradictory')}\n" for a, b, c in rows)
    )
    for part, first in (("validation", 30), ("test", 0)):
        lines = ["\t".join(COLUMNS)]
        for a, b, label in rows[first : first + 30]:
            values = dict.fromkeys(COLUMNS, "") | {
                "language": "en",
                "gold_label": label,
                "sentence1": a,
                "sentence2": b,
            }
            lines.append("\t".join(values[name] for name in COLUMNS))
        (folder / SCORED[part]).write_text("\n".join(lines) + "\n")
    parts = {"train": {"en": TRAIN}, **{part: {"en": path} for part, path in SCORED.items()}}
    told = {"task": "xnli", "source": "synthetic", "synthetic": True, "parts": parts} | facts
    (folder / "task.json").write_text(json.dumps(told))
    return folder


def run(
    folder: Path,
    world,
    pretrained: Path,
    task: Path,
    languages: list[str],
    context: Context | None = None,
    **changes: object,
) -> Path:
    """Fine-tunes in `folder`/{output,work} and returns the output."""
    output = folder / "output"
    output.mkdir(parents=True, exist_ok=True)
    settings = {
        "max_length": LENGTH,
        "epochs": 25,
        "batch_size": 20,
        "learning_rate": 5e-3,
        "precision": "fp32",
        "selection": "last",
    }
    of_the_stage = {"regime": "zero-shot", "train_languages": ["en"], "milestone": None}
    given = {name: changes.pop(name, value) for name, value in of_the_stage.items()}
    config = TaskConfig(**{**settings, **changes})
    stage = FinetuningStage(task="xnli", config=config, languages=languages, seed=1, **given)
    inputs = {"pretraining": pretrained, "tokenizer": world.tokenizer, "task": task}
    context = context or Context(work=folder / "work", checkpoint_seconds=1e9)
    finetuning.run(stage, inputs, output, context)
    return output
