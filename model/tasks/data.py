"""The task stage: a labelled task's files, generated or found, read and described in task.json.

Files keep the published names and formats, so that a reader sees no difference between XNLI and
the synthetic task.
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from model.config import SyntheticConfig
from model.context import Context
from model.errors import InputError
from model.stages import TaskDataStage
from model.tasks.examples import count_each
from model.text.synthetic.inference import rendered

FILES = {
    "train": "XNLI-MT-1.0/multinli/multinli.train.{language}.tsv",
    "validation": "XNLI-1.0/xnli.dev.tsv",
    "test": "XNLI-1.0/xnli.test.tsv",
}
"""The generated files of each part, where XNLI's archives put them."""
COLUMNS = (
    "language gold_label sentence1_binary_parse sentence2_binary_parse sentence1_parse "
    "sentence2_parse sentence1 sentence2 promptID pairID genre label1 label2 label3 label4 label5 "
    "sentence1_tokenized sentence2_tokenized match"
).split()
_SYNTHETIC_EXAMPLES = {"train": 40_000, "validation": 2_490, "test": 5_010}
"""validation and test are as large as XNLI's."""
_SPLITS = {"validation": "dev", "test": "test"}
"""What the generator calls them."""


def run(config: TaskDataStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes task.json, and for the synthetic source the files that it names.

    Every file is read whole, so that a fault in a test set is told before anything is trained.
    Raises InputError.
    """
    root = output if config.synthetic is not None else location(config.source, context)
    parts = config.parts or {}
    if config.synthetic is not None:
        parts = _synthetic_parts(config)
        _write_synthetic(config.synthetic, config, output, context)
    description = {
        "task": config.task,
        "source": config.source,
        "synthetic": config.synthetic is not None,
        "languages": sorted(config.languages),
        "parts": parts,
        "counts": _checked(config.task, root, parts, context),
    }
    text = json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False)
    (output / "task.json").write_text(text + "\n", encoding="utf-8")


def location(source: str, context: Context) -> Path:
    """The folder of a source's files. Raises InputError if the stage was given none."""
    if source not in context.locations:
        raise InputError(
            f"locations.{source}: expected the folder of this task's files, found no such "
            f"location among {', '.join(sorted(context.locations)) or 'none'}"
        )
    return Path(context.locations[source])


def _checked(
    task: str, root: Path, parts: Mapping[str, Mapping[str, str]], context: Context
) -> dict[str, dict[str, dict[str, int]]]:
    """What each part has in each language, once all of it has been read."""
    aligned = {code: root / name for code, name in parts.get("aligned", {}).items()}
    counts = {}
    for done, (part, names) in enumerate(parts.items()):
        context.progress(done, len(parts))
        if part != "aligned":
            files = {code: root / name for code, name in names.items()}
            counts[part] = count_each(task, files, part=part, aligned=aligned)
    return counts


def _synthetic_parts(config: TaskDataStage) -> dict[str, dict[str, str]]:
    """The file of each part and language."""
    trained = {code: FILES["train"].format(language=code) for code in config.train_languages}
    scored = ("validation", "test")
    return {"train": trained} | {
        part: dict.fromkeys(config.languages, FILES[part]) for part in scored
    }


def _write_synthetic(
    config: SyntheticConfig, stage: TaskDataStage, output: Path, context: Context
) -> None:
    works = len(stage.train_languages) + 2
    for done, language in enumerate(stage.train_languages):
        context.progress(done, works)
        train = output / FILES["train"].format(language=language)
        train.parent.mkdir(parents=True, exist_ok=True)
        with train.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
            writer.writerow(("premise", "hypothesis", "label"))
            for premise, hypothesis, label in rendered(
                config, language, "train", _SYNTHETIC_EXAMPLES["train"]
            ):
                spelt = "contradictory" if label == "contradiction" else label
                writer.writerow((premise, hypothesis, spelt))
    for done, part in enumerate(("validation", "test"), works - 2):
        context.progress(done, works)
        path = output / FILES[part]
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
            writer.writerow(COLUMNS)
            for language in sorted(stage.languages):
                count = _SYNTHETIC_EXAMPLES[part]
                pairs = enumerate(rendered(config, language, _SPLITS[part], count), 1)
                writer.writerows(_row(language, i, *pair) for i, pair in pairs)


def _row(language: str, i: int, premise: str, hypothesis: str, label: str) -> list[str]:
    """XNLI's nineteen columns; parses are left empty, all five annotators agree."""
    filled = {
        "language": language,
        "gold_label": label,
        "sentence1": premise,
        "sentence2": hypothesis,
        "promptID": str(i),
        "pairID": str(i),
        "genre": "synthetic",
        "sentence1_tokenized": premise,
        "sentence2_tokenized": hypothesis,
        "match": "True",
    } | {f"label{k}": label for k in range(1, 6)}
    return [filled.get(column, "") for column in COLUMNS]
