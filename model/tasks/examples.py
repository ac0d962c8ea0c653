"""What a task's files hold, in four kinds, and the one function that reads any of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from model.errors import InputError
from model.tasks.catalogue import TASKS, layout_of

if TYPE_CHECKING:
    from model.tasks.formats import Reading


@dataclass(kw_only=True, slots=True)
class Classified:
    """A sentence, or a pair of sentences, with its label."""

    first: str
    second: str | None = None
    label: str
    """One of the task's labels, in the task's own spelling."""


@dataclass(kw_only=True, slots=True)
class Tagged:
    """A sentence in words as the treebank cuts them, with a tag for each."""

    words: list[str]
    tags: list[str]
    """As many as words. Of entities: O, B-<type>, I-<type>, where every entity begins with B."""


@dataclass(kw_only=True, slots=True)
class Question:
    """A question on a passage, with its gold answers."""

    id: str
    context: str
    question: str
    answers: list[tuple[str, int]] = field(default_factory=list)
    """(text, offset of its first character in the context). The offset is -1 where the file of a
    test set gives one at which the text does not stand: it is scored by its text alone."""
    article: int = 0
    """Which of the file's articles it belongs to, from 0: parallel files are split by this."""


@dataclass(kw_only=True, slots=True)
class Parallel:
    """A sentence and its translation."""

    first: str
    """In the tested language."""
    second: str
    """In the language that it is compared with, which is English in the published sets."""


Example = Classified | Tagged | Question | Parallel


def read(
    task: str,
    path: Path,
    *,
    language: str,
    part: str = "test",
    most: int | None = None,
    aligned: Path | None = None,
) -> list[Any]:
    """The first `most` examples of one language (None: all) of one of the task's files.

    part: what the file is used as, a part of the catalogue. aligned: for sentence pairs, the file
    of the other language (what `find` calls `aligned`).

    Raises InputError that names the file and the line (in JSON: the place inside and the question)
    for anything that is not as published, also beyond the first `most`, and where the file has no
    example of the language. A file is read whole or not at all.
    """
    pairs = {} if aligned is None else {language: aligned}
    return read_each(task, {language: path}, part=part, most=most, aligned=pairs)[language]


def read_each(
    task: str,
    files: Mapping[str, Path],
    *,
    part: str = "test",
    most: int | None = None,
    aligned: Mapping[str, Path] = MappingProxyType({}),
) -> dict[str, list[Any]]:
    """`read` for each language's file; a file that several languages share is read once."""
    kept: dict[str, list[Any]] = {language: [] for language in files}
    for path, languages in _by_file(files).items():
        examples, _ = _opened(task, path, languages, part, aligned)
        for language, example in examples:
            if most is None or len(kept[language]) < most:
                kept[language].append(example)
    return kept


def count_each(
    task: str,
    files: Mapping[str, Path],
    *,
    part: str,
    aligned: Mapping[str, Path] = MappingProxyType({}),
) -> dict[str, dict[str, int]]:
    """Reads every file whole, keeps nothing, and counts: this is how files are checked.

    For each language `examples`; and where there are any, `words`, `left_out` (what the publishers
    say is to be left out) and `misplaced` (answers of a test file that are not at their offset).
    """
    counts = {language: Counter({"examples": 0}) for language in files}
    for path, languages in _by_file(files).items():
        examples, reading = _opened(task, path, languages, part, aligned)
        for language, example in examples:
            counts[language]["examples"] += 1
            if isinstance(example, Tagged):
                counts[language]["words"] += len(example.words)
        if len(languages) == 1:
            own = {"left_out": reading.left_out, "misplaced": reading.misplaced}
            counts[languages[0]].update({name: count for name, count in own.items() if count})
    return {language: dict(count) for language, count in counts.items()}


def _by_file(files: Mapping[str, Path]) -> dict[Path, list[str]]:
    found: dict[Path, list[str]] = {}
    for language, path in files.items():
        found.setdefault(path, []).append(language)
    return found


def _opened(
    task: str, path: Path, languages: list[str], part: str, aligned: Mapping[str, Path]
) -> tuple[Iterator[tuple[str, Any]], "Reading"]:
    from model.tasks.formats import READERS, SHARED, Reading  # they make this module's examples

    reading = Reading(
        labels=TASKS[task].labels or (),
        languages=tuple(languages),
        training=part in ("train", "translated_train"),
        aligned=aligned.get(languages[0]),
    )
    form = layout_of(task, path).format
    if form in SHARED:
        return SHARED[form](path, reading), reading
    if len(languages) > 1:
        raise InputError(
            f"{path}: expected a file for each language, found one for {', '.join(languages)}"
        )
    return ((languages[0], example) for example in READERS[form](path, reading)), reading


def gold(example: Example) -> Any:
    """What a prediction is compared with: a label, tags, the answers' texts."""
    if isinstance(example, Classified):
        return example.label
    if isinstance(example, Tagged):
        return example.tags
    if isinstance(example, Question):
        return [text for text, _ in example.answers]
    raise TypeError(f"a {type(example).__name__} has no gold value of its own")
