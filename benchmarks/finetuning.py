"""Fine-tuning against transformers' Trainer: the same losses, the same scores, and the time.

`PYTHONPATH=FOLDER_OF_ACCELERATE python benchmarks/finetuning.py FOLDER` fine-tunes a small encoder
on UD English-EWT (`pos`) or on SIB-200's English (`topic`), whose files lie in FOLDER/ud and
FOLDER/sib200, and prints what benchmarks/finetuning.md says. Trainer needs the package
`accelerate`, which this project does not.

Both sides are given the same sequences, head and weights. Each works in a process of one thread of
its own, which has imported everything and trained a little before; they take turns. Times are of
training alone (the Trainer or the engine is made within them), as CPU seconds and by the clock.

  losses    without dropout and in the same order: the largest difference of the first 50 losses
  variants  a few updates with each attention and precision: each side goes on with its fastest
  seeds     each side as it would be used, with dropout and its own order: score and time
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


from finetuning_sides import CHECKED, Job, config_of, model_folder, ours, theirs  # noqa: E402

from model.config import EncoderConfig  # noqa: E402
from model.encoder.description import Description  # noqa: E402
from model.encoder.encoder import build  # noqa: E402
from model.encoder.files import write_model  # noqa: E402
from model.tasks import metrics  # noqa: E402
from model.tasks.catalogue import TASKS, find  # noqa: E402
from model.tasks.examples import gold, read  # noqa: E402
from model.tasks.forms import form_of  # noqa: E402
from model.text.tokenizer import Tokenizer  # noqa: E402
from model.training.engine import prepare  # noqa: E402

SIZES = {
    "L4 H128 V8000": {"layers": 4, "width": 128, "heads": 4},
    "L6 H256 V8000": {"layers": 6, "width": 256, "heads": 4},
}
FOLDERS = {"pos": "ud", "topic": "sib200"}
EPOCHS = {"pos": 2, "topic": 6}
VOCABULARY = 8000
ANSWER = "answer: "
"""What a line of the result begins with, among whatever else a library prints."""


def make(folder: Path, data: Path) -> None:
    """Writes a tokenizer that is trained on the words, and the models to begin with."""
    import io

    import sentencepiece

    train, _ = examples_of("pos", data)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(" ".join(example.words) for example in train),
        model_writer=model,
        vocab_size=VOCABULARY,
        character_coverage=0.9995,
        normalization_rule_name="nmt_nfkc",
        minloglevel=4,
    )
    (folder / "sentencepiece.model").write_bytes(model.getvalue())
    (folder / "data.txt").write_text(str(data))
    for name, size in SIZES.items():
        for dropout in (0.0, 0.1):
            target = model_folder(folder, name, dropout > 0)
            target.mkdir()
            encoder = EncoderConfig(
                **size,
                max_positions=128,
                initialization="fan_in",
                dropout=dropout,
                attention_dropout=dropout,
            )
            rows = VOCABULARY + 2
            description = Description(encoder=encoder, rows=rows, sequence_length=128)
            write_model(target, build(encoder, rows, 1).named_parameters(), description)


def examples_of(task: str, data: Path) -> list[list[Any]]:
    """Training and test examples."""
    root = data / FOLDERS[task]
    files = find(task, root, ["en"])
    return [
        read(task, root / files[part]["en"], language="en", part=part) for part in ("train", "test")
    ]


def serve(side: str) -> None:
    """Trains what the lines of standard input say, and answers each with a line."""
    prepare("cpu", 1)
    train_on = {"ours": ours, "theirs": theirs}[side]
    warm: set[tuple[str, str, str, str]] = set()
    for line in sys.stdin:
        job = Job(**json.loads(line))
        folder = Path(job.folder)
        tokenizer = Tokenizer((folder / "sentencepiece.model").read_bytes(), "none")
        train, test = examples_of(job.task, Path((folder / "data.txt").read_text()))
        form = form_of(TASKS[job.task], config_of(job))
        kind = (job.task, job.size, job.precision, job.attention)
        if kind not in warm:
            train_on(replace(job, epochs=1), form, form.encode(train[:320], tokenizer))
            warm.add(kind)
        told, predicted = train_on(job, form, form.encode(train[: job.examples], tokenizer))
        answers = predicted(test, form.encode(test, tokenizer)) if job.scored else []
        if job.scored:
            wanted = [gold(example) for example in test]
            told["score"] = metrics.score(TASKS[job.task], "en", wanted, answers)["accuracy"]
        print(ANSWER + json.dumps(told), flush=True)


class Side:
    """A process that serves one side."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.name = name

    def run(self, **job: Any) -> dict[str, Any]:
        given, told = self._process.stdin, self._process.stdout
        if given is None or told is None:
            raise RuntimeError("the process has no pipes")
        given.write(json.dumps(vars(Job(side=self.name, **job))) + "\n")
        given.flush()
        for line in told:
            if line.startswith(ANSWER):
                return dict(json.loads(line.removeprefix(ANSWER)))
        raise RuntimeError(f"{self.name} ended: {job}")


def compared(sides: list[Side], shared: dict[str, Any], arguments: argparse.Namespace) -> None:
    """All three parts for one task and size."""
    plain = {"dropout": False, "precision": "fp32", "own_order": False, "rate": 1e-4}
    losses = [side.run(**shared, **plain, examples=400, epochs=4)["losses"] for side in sides]
    first = [each[:CHECKED] for each in losses]
    worst = max(abs(a - b) for a, b in zip(*first, strict=True))
    print(f"losses: {len(first[0])} compared, largest difference {worst:.1e}", flush=True)
    settings = {side.name: fastest(side, shared) for side in sides}
    found: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
    used = {"examples": arguments.examples, "epochs": EPOCHS[shared["task"]], "scored": True}
    for seed in range(1, arguments.seeds + 1):
        for side in sides:
            result = side.run(**shared, **used, **settings[side.name], seed=seed)
            found[side.name].append(result)
            print(f"  seed {seed} {side.name}: {told_of(result)}", flush=True)
    for name in ("cpu", "wall"):
        ratio = [b[name] / a[name] for a, b in zip(found["ours"], found["theirs"], strict=True)]
        each = {side: statistics.median(run[name] for run in runs) for side, runs in found.items()}
        print(
            f"{name}: ours {each['ours']:.1f} s, Trainer {each['theirs']:.1f} s, ratio "
            f"{statistics.median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f})"
        )
    for side, runs in found.items():
        values = [100 * run["score"] for run in runs]
        print(
            f"accuracy, {side}: {statistics.mean(values):.2f} "
            f"(standard deviation {statistics.stdev(values):.2f})",
            flush=True,
        )


def fastest(side: Side, shared: dict[str, Any]) -> dict[str, str]:
    """The attention and precision with which a side needs the least CPU time."""
    cost = {}
    for attention in ("eager", "sdpa") if side.name == "theirs" else ("eager",):
        for precision in ("bf16", "fp32"):
            kind = {"attention": attention, "precision": precision}
            result = side.run(**shared, **kind, examples=640, epochs=1)
            cost[tuple(kind.items())] = result["cpu"] / result["updates"]
            told = 1000 * result["cpu"] / result["updates"]
            print(f"{side.name}, {attention} {precision}: {told:.0f} CPU ms an update", flush=True)
    return dict(min(cost, key=lambda kind: cost[kind]))


def told_of(found: dict[str, Any]) -> str:
    return (
        f"{found['updates']} updates, {found['cpu']:.1f} CPU s, {found['wall']:.1f} s, "
        f"accuracy {100 * found['score']:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, help="folder of ud/ and sib200/")
    parser.add_argument("--examples", type=int, default=1600)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="*", default=list(FOLDERS), choices=list(FOLDERS))
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    if arguments.data is None:
        parser.error("expected the folder of ud/ and sib200/")
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), arguments.data.resolve())
        for size in arguments.sizes:
            for task in arguments.tasks:
                print(f"\n{task}, {size}", flush=True)
                shared = {"folder": folder, "task": task, "size": size}
                compared([Side("ours"), Side("theirs")], shared, arguments)


if __name__ == "__main__":
    main()
