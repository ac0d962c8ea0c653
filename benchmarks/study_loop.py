"""A laptop study against the same work as a loop of Trainer runs: seconds for all cells.

`PYTHONPATH=FOLDER_OF_ACCELERATE python benchmarks/study_loop.py [--part 0.25]` runs the first block
of the curse study at scale laptop with one seed (five cells), then pretrains and fine-tunes the
same models with Hugging Face's Trainer, one cell after another, and prints what
benchmarks/study_loop.md says. Trainer needs the package `accelerate`, which this project does not.

Theirs is given, at no cost, what a careful person would share: the tokenizers, the tokenized text
and the encoded examples that ours made, within its time. It gets the same sizes, batches, learning
rates and precision (fp32 where the CPU has no instructions for bf16), fused AdamW, SDPA attention,
dynamic padding and batches of like lengths for the task, all cores, and one process that imports
once. It leaves out what ours does beside: held-out text, checkpoints, checksums, results, figures.

`--part` shortens both: that share of the updates and of the task's examples.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

STUDY = ROOT / "studies" / "curse_of_multilinguality.yaml"
CHOSEN = ("blocks=[fixed width]", "replicates.seed=[1]")
ANSWER = "answer: "


def study(part: float, store: Path) -> Any:
    """The block's cells."""
    from grid.studies import load_studies

    whole = load_studies([STUDY], *CHOSEN, scale="laptop", store=store).cells[0].config
    updates, examples = whole.pretraining.updates, whole.tasks["xnli"].train_examples
    return load_studies(
        [STUDY],
        *CHOSEN,
        f"cell.pretraining.updates={int(part * updates)}",
        f"cell.tasks.xnli.train_examples={int(part * examples)}",
        scale="laptop",
        store=store,
    )


def ours(part: float, store: Path, workers: int) -> dict[str, float]:
    """Runs the study in a fresh process, and says what the launcher reports."""
    from grid.launch.report import Report

    began = time.perf_counter()
    report: Report = study(part, store).run(workers=workers)
    if not report.ok:
        raise RuntimeError(f"the study failed: {report.failed}")
    cpu = sum(timing.cpu_seconds for timing in report.timings.values())
    busy = sum(timing.seconds * timing.workers for timing in report.timings.values())
    kinds: Counter[str] = Counter()
    for (name, _), timing in report.timings.items():
        kinds[name] += timing.cpu_seconds
    return {
        "wall": time.perf_counter() - began,
        "cpu": cpu,
        "stages": len(report.timings),
        "utilisation": busy / report.workers / report.span,
        **{f"of {name}": seconds for name, seconds in kinds.most_common()},
    }


def theirs(part: float, store: Path, threads: int) -> dict[str, float]:
    """Trains all cells with Trainer; what is read from the store is read before the clock runs."""
    import torch
    import transformers

    from model.encoder.products import cpu_has_bf16

    torch.set_num_threads(threads)
    cells = [inputs_of(cell, study(part, store), store) for cell in study(part, store).cells]
    wall, cpu = time.perf_counter(), time.process_time()
    for cell in cells:
        transformers.set_seed(cell["seed"])
        config = transformers.XLMRobertaXLConfig(**cell["sizes"])
        model = transformers.XLMRobertaXLForMaskedLM._from_config(
            config, attn_implementation="sdpa"
        )
        pretraining, task = cell["config"].pretraining, cell["config"].tasks["xnli"]
        shared = {"bf16": cpu_has_bf16()}
        trained(
            model,
            cell["sequences"],
            cell["collator"],
            batch=pretraining.batch_size,
            rate=pretraining.learning_rate,
            warmup=int(pretraining.warmup * pretraining.updates),
            **shared,
        )
        classifier = transformers.XLMRobertaXLForSequenceClassification._from_config(
            transformers.XLMRobertaXLConfig(**cell["sizes"], num_labels=3),
            attn_implementation="sdpa",
        )
        classifier.roberta.load_state_dict(model.roberta.state_dict(), strict=False)
        trainer = trained(
            classifier,
            cell["examples"],
            padded,
            batch=task.batch_size,
            rate=task.learning_rate,
            warmup=int(task.warmup * task.epochs * len(cell["examples"]) / task.batch_size),
            num_train_epochs=task.epochs,
            train_sampling_strategy="group_by_length",
            length_column_name="length",
            **shared,
        )
        for tests in cell["tests"].values():
            found = trainer.predict(tests)
            score = float((found.predictions.argmax(-1) == found.label_ids).mean())
            print(f"{len(cell['config'].languages)} languages: {score:.3f}", file=sys.stderr)
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def inputs_of(cell: Any, studies: Any, store: Path) -> dict[str, Any]:
    """What a cell trains on, read and encoded: sequences of its languages, and the task's."""
    import numpy as np
    import transformers
    from tokenizers import Tokenizer, models

    from model.encoder.huggingface import to_config
    from model.tasks.catalogue import TASKS, find
    from model.tasks.examples import read_each
    from model.tasks.forms import form_of
    from model.text import tokenizer as tokenizers
    from model.text.sampling import probabilities

    roles, opened = studies.graph().cells[cell.id], studies.open_store()
    place = {role: opened.path(*id) for role, id in roles.items()}
    pieces = tokenizers.load(place["tokenizer"])
    config = cell.config
    recipe, task = config.pretraining, config.tasks["xnli"]
    languages = sorted(config.languages)
    streams, sentences = {}, {}
    for code in languages:
        info = json.loads((place[f"shards/{code}"] / "shards.json").read_text())
        streams[code] = np.fromfile(place[f"shards/{code}"] / "tokens.bin", info["dtype"])
        sentences[code] = info["sentences"]
    random = np.random.default_rng(cell.seed)
    shares = probabilities(sentences, config.sampling.alpha)
    drawn = random.choice(languages, recipe.updates * recipe.batch_size, p=list(shares.values()))
    length = recipe.sequence_length - 2
    sequences = []
    for code in drawn:
        start = random.integers(max(1, len(streams[code]) - length))
        inner = streams[code][start : start + length].tolist()
        sequences.append({"input_ids": [0, *inner, 2]})
    form = form_of(TASKS["xnli"], task)
    files = find("xnli", place["task/xnli"], config.evaluation.languages or languages)
    train = read_each("xnli", {"en": place["task/xnli"] / files["train"]["en"]}, part="train")
    tests = {code: place["task/xnli"] / path for code, path in files["test"].items()}
    examples = {
        code: encoded(form, found[: task.test_examples], pieces)
        for code, found in read_each("xnli", tests, part="test").items()
    }
    words = {f"{number:x}": number for number in range(pieces.rows - 1)}
    special = {"bos": "0", "pad": "1", "eos": "2", "unk": "3", "mask": "<mask>"}
    named = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(
            models.WordLevel(words | {"<mask>": pieces.rows - 1}, unk_token=special["unk"])
        ),
        **{f"{name}_token": token for name, token in special.items()},
    )
    return {
        "config": config,
        "seed": cell.seed,
        "sizes": to_config(config.encoder, pieces.rows),
        "sequences": sequences,
        "examples": encoded(form, train["en"][: task.train_examples], pieces),
        "tests": examples,
        "collator": transformers.DataCollatorForLanguageModeling(
            named, mlm_probability=recipe.mask_probability
        ),
    }


def encoded(form: Any, examples: list[Any], pieces: Any) -> list[dict[str, Any]]:
    """Examples as Trainer takes them."""
    found = form.encode(examples, pieces)
    return [
        {"input_ids": tokens, "labels": label, "length": len(tokens)}
        for tokens, label in zip(found.tokens, found.targets, strict=True)
    ]


def padded(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch as long as its longest."""
    import torch

    from model.tasks import task_batches

    tokens, keep = task_batches.padded([row["input_ids"] for row in rows])
    keep = torch.ones_like(tokens) if keep is None else keep.long()
    labels = torch.tensor([row["labels"] for row in rows])
    return {"input_ids": tokens, "attention_mask": keep, "labels": labels}


def trained(
    model: Any, rows: list[Any], collator: Any, *, batch: int, rate: float, **settings: Any
) -> Any:
    """A Trainer that has trained, one epoch unless told."""
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        trainer = transformers.Trainer(
            model=model,
            args=transformers.TrainingArguments(
                output_dir=folder,
                num_train_epochs=settings.pop("num_train_epochs", 1),
                per_device_train_batch_size=batch,
                per_device_eval_batch_size=64,
                learning_rate=rate,
                warmup_steps=settings.pop("warmup"),
                weight_decay=0.01,
                adam_beta2=0.98,
                adam_epsilon=1e-6,
                max_grad_norm=1.0,
                optim="adamw_torch_fused",
                use_cpu=True,
                save_strategy="no",
                logging_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
                remove_unused_columns=False,
                **settings,
            ),
            train_dataset=rows,
            data_collator=collator,
        )
        trainer.train()
    return trainer


def in_own_process(side: str, arguments: argparse.Namespace, store: Path) -> dict[str, float]:
    threads = arguments.cores if side == "theirs" else 1
    given = ["--side", side, "--store", str(store), "--part", str(arguments.part)]
    done = subprocess.run(
        [sys.executable, __file__, *given, "--cores", str(arguments.cores)],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    (answer,) = (line for line in done.stdout.splitlines() if line.startswith(ANSWER))
    return dict(json.loads(answer.removeprefix(ANSWER)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", type=float, default=1.0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--side", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run = {"ours": ours, "theirs": theirs}[arguments.side]
        print(ANSWER + json.dumps(run(arguments.part, arguments.store, arguments.cores)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {side: in_own_process(side, arguments, Path(folder)) for side in ("ours", "theirs")}
    mine, loop = found["ours"], found["theirs"]
    print("| | seconds | CPU seconds |\n|---|---|---|")
    print(f"| the study, {mine['stages']:.0f} stages | {mine['wall']:.1f} | {mine['cpu']:.1f} |")
    print(f"| a loop of Trainer runs | {loop['wall']:.1f} | {loop['cpu']:.1f} |")
    print(f"| ratio | {loop['wall'] / mine['wall']:.2f} | {loop['cpu'] / mine['cpu']:.2f} |")
    kinds = [f"{key[3:]} {value:.1f}" for key, value in mine.items() if key.startswith("of ")]
    print(f"\nCPU seconds by stage: {', '.join(kinds)}")
    print(f"Cores in use between the first stage and the last: {100 * mine['utilisation']:.1f} %")


if __name__ == "__main__":
    main()
