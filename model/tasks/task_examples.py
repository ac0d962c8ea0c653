"""The examples of one fine-tuning, by part and language, from the files that the task names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.checks import within
from model.context import Context
from model.errors import InputError
from model.stages import FinetuningStage
from model.task_config import TaskConfig
from model.tasks.data import location
from model.tasks.examples import read_each

Examples = dict[str, list[Any]]
"""By language."""


@dataclass(kw_only=True)
class TaskExamples:
    """What is trained on, what chooses, and what is reported."""

    train: Examples
    validation: Examples
    test: Examples


def read_examples(config: FinetuningStage, task: Path, context: Context) -> TaskExamples:
    """All examples of the stage, so that a fault in any file is found before any work is done.

    Raises InputError.
    """
    facts = json.loads((task / "task.json").read_text(encoding="utf-8"))
    root = task if facts["synthetic"] else location(facts["source"], context)
    settings = config.config
    trained = _part(config, facts, "train", root, settings.train_examples, config.train_languages)
    absent = [code for code in config.train_languages if code not in trained]
    if absent:
        raise InputError(_lacking(task, config.task, "train", absent))
    languages = sorted({*config.train_languages, *config.languages})
    limits = settings.validation_examples
    validated = _part(config, facts, "validation", root, limits, languages) if limits else {}
    tested = _part(config, facts, "test", root, settings.test_examples, config.languages)
    if not tested:
        raise InputError(_lacking(task, config.task, "test", config.languages))
    return TaskExamples(train=trained, validation=validated, test=tested)


def _part(
    config: FinetuningStage,
    facts: Mapping[str, Any],
    part: str,
    root: Path,
    most: int,
    languages: list[str],
) -> Examples:
    """The first `most` examples of each language that the part has a file of."""
    files = facts["parts"].get(part, {})
    there = {code: within(root, files[code]) for code in languages if code in files}
    if config.config.train_articles is None:
        return read_each(config.task, there, part=part, most=most)
    first, last = articles(config.config, part)
    if first == last:
        return {}
    found = read_each(config.task, there, part=part)
    for language, examples in found.items():
        kept = [each for each in examples if first <= each.article < last]
        if not kept:
            raise InputError(
                f"{there[language]}: expected articles after the first {first} for {part} "
                f"(tasks.*.train_articles), found {examples[-1].article + 1} in all"
            )
        found[language] = kept[:most]
    return found


def articles(config: TaskConfig, part: str) -> tuple[int, float]:
    """The articles [first, last) of a part, for a task that is split by article."""
    trained = config.train_articles or 0
    learnt = trained - config.validation_articles
    spans = {"train": (0, learnt), "validation": (learnt, trained), "test": (trained, float("inf"))}
    return spans[part]


def _lacking(task: Path, name: str, part: str, languages: list[str]) -> str:
    return (
        f"{task / 'task.json'}: expected a {part} file of task {name} in "
        f"{', '.join(languages)}, found none"
    )
