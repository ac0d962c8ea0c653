"""The task stage: a labelled task's files, generated or found, described in task.json.

Files keep the published names and formats, so that a reader sees no difference between XNLI and
the synthetic task.
"""

import csv
import json
from pathlib import Path

from model.config import SyntheticConfig
from model.context import Context
from model.stages import TaskDataStage
from model.text.synthetic.inference import rendered

FILES = {
    "train": "XNLI-MT-1.0/multinli/multinli.train.{language}.tsv",
    "dev": "XNLI-1.0/xnli.dev.tsv",
    "test": "XNLI-1.0/xnli.test.tsv",
}
"""Where XNLI's archives put their files, below the source's location."""
COLUMNS = (
    "language gold_label sentence1_binary_parse sentence2_binary_parse sentence1_parse "
    "sentence2_parse sentence1 sentence2 promptID pairID genre label1 label2 label3 label4 label5 "
    "sentence1_tokenized sentence2_tokenized match"
).split()
_SYNTHETIC_EXAMPLES = {"train": 40_000, "dev": 2_490, "test": 5_010}
"""dev and test are as large as XNLI's."""


def run(config: TaskDataStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes task.json, and for the synthetic source the files that it names."""
    if config.synthetic is not None:
        _write_synthetic(config.synthetic, config.languages, output, context)
    description = {
        "task": config.task,
        "source": config.source,
        "synthetic": config.synthetic is not None,
        "languages": sorted(config.languages),
        "train": FILES["train"],
        "dev": FILES["dev"],
        "test": FILES["test"],
    }
    text = json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False)
    (output / "task.json").write_text(text + "\n", encoding="utf-8")


def _write_synthetic(
    config: SyntheticConfig, languages: list[str], output: Path, context: Context
) -> None:
    train = output / FILES["train"].format(language="en")
    train.parent.mkdir(parents=True)
    with train.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
        writer.writerow(("premise", "hypothesis", "label"))
        for premise, hypothesis, label in rendered(
            config, "en", "train", _SYNTHETIC_EXAMPLES["train"]
        ):
            spelt = "contradictory" if label == "contradiction" else label
            writer.writerow((premise, hypothesis, spelt))
    for done, split in enumerate(("dev", "test")):
        context.progress(done, 2)
        path = output / FILES[split]
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
            writer.writerow(COLUMNS)
            for language in sorted(languages):
                count = _SYNTHETIC_EXAMPLES[split]
                pairs = enumerate(rendered(config, language, split, count), 1)
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
