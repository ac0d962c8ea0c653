"""Readers of XNLI 1.0 (Conneau et al. 2018) and of its machine-translated training data.

XNLI-1.0: 19 tab-separated columns with a header, quoting off. XNLI-MT-1.0: premise, hypothesis,
label, where contradiction is spelled `contradictory`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from model.errors import InputError

LABELS = ("entailment", "neutral", "contradiction")
_SPELLINGS = {name: index for index, name in enumerate(LABELS)} | {"contradictory": 2}
_TRAIN_COLUMNS = ("premise", "hypothesis", "label")
_TEST_COLUMNS = ("language", "gold_label", "sentence1", "sentence2")
_TEST_WIDTH = 19


@dataclass(kw_only=True)
class Example:
    """A pair of sentences; `label` is an index into LABELS."""

    premise: str
    hypothesis: str
    label: int


def read_train(path: Path, most: int) -> list[Example]:
    """The first `most` examples of multinli.train.<language>.tsv."""
    examples = []
    lines = _lines(path)
    _header(path, lines, _TRAIN_COLUMNS, len(_TRAIN_COLUMNS))
    for number, line in islice(lines, most):
        premise, hypothesis, label = _fields(path, number, line, len(_TRAIN_COLUMNS))
        examples.append(
            Example(premise=premise, hypothesis=hypothesis, label=_label(path, number, label))
        )
    if not examples:
        raise InputError(f"{path}: expected examples below the header, found none")
    return examples


def read_test(path: Path, languages: list[str], most: int) -> dict[str, list[Example]]:
    """The first `most` examples of each of the languages that xnli.test.tsv (or dev) has.

    Languages that the file does not have are left out: XNLI has 15.
    """
    lines = _lines(path)
    columns = _header(path, lines, _TEST_COLUMNS, _TEST_WIDTH)
    examples: dict[str, list[Example]] = {language: [] for language in languages}
    for number, line in lines:
        fields = _fields(path, number, line, _TEST_WIDTH)
        language, label, premise, hypothesis = (fields[columns[name]] for name in _TEST_COLUMNS)
        wanted = examples.get(language)
        if wanted is not None and len(wanted) < most:
            wanted.append(
                Example(premise=premise, hypothesis=hypothesis, label=_label(path, number, label))
            )
    return {language: found for language, found in examples.items() if found}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines, from 1. Sentences may hold any other separator that str.splitlines knows."""
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    yield number, line.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    raise InputError(
                        f"{path}, line {number}: expected UTF-8, found byte "
                        f"{line[error.start]:#04x} at {error.start}"
                    ) from error
    except OSError as error:
        raise InputError(
            f"{path}: expected a file of the XNLI task there, found: {error.strerror}"
        ) from error


def _header(
    path: Path, lines: Iterator[tuple[int, str]], names: tuple[str, ...], width: int
) -> dict[str, int]:
    _, line = next(lines, (1, ""))
    columns = line.removeprefix("\ufeff").split("\t")
    missing = [name for name in names if name not in columns]
    if missing or len(columns) != width:
        raise InputError(
            f"{path}, line 1: expected a header of {width} tab-separated columns with "
            f"{', '.join(names)}, found {len(columns)}: {', '.join(columns)[:200]!r}"
        )
    return {name: columns.index(name) for name in names}


def _fields(path: Path, number: int, line: str, width: int) -> list[str]:
    fields = line.split("\t")
    if len(fields) != width:
        raise InputError(
            f"{path}, line {number}: expected {width} tab-separated columns, "
            f"found {len(fields)}: {line[:80]!r}"
        )
    return fields


def _label(path: Path, number: int, label: str) -> int:
    if label not in _SPELLINGS:
        raise InputError(
            f"{path}, line {number}: expected a label of {', '.join(LABELS)}, found {label!r}"
        )
    return _SPELLINGS[label]
