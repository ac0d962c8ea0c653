"""SQuAD 1.1's JSON, which XQuAD and MLQA share: articles, paragraphs, questions, answers.

The whole file is one value, so it is held in memory; its size is bounded. A question's answer is a
text and the offset of its first character (Unicode code points) in the context. Training needs
both, so an answer that does not stand at its offset is an error there. The official scorers look
at the text alone, so in a test file its offset is put down as unknown (-1) and counted.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from model.errors import InputError
from model.tasks.examples import Question
from model.tasks.formats.lines import Reading

LARGEST_FILE = 1 << 28
"""Bytes. SQuAD's training file has 30 MB, its translations up to about 100."""
LONGEST_TEXT = 1 << 20
"""Characters of a context; SQuAD's have some hundreds, seldom thousands."""

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def read_squad(path: Path, reading: Reading) -> Iterator[Question]:
    """The questions in their order. Raises InputError with the place inside and the question."""
    seen: dict[str, str] = {}
    for place, article, context, found in _questions(path, _json(path)):
        where = f"{place} (question {found['id']})"
        if found["id"] in seen:
            _fail(path, where, "each question's id once", f"it again, first at {seen[found['id']]}")
        seen[found["id"]] = place
        answers = [
            _answer(path, f"{where}.answers[{index}]", context, answer, reading)
            for index, answer in enumerate(_field(path, where, found, "answers", list))
        ]
        if not answers:
            _fail(path, where, "at least one answer, as SQuAD 1.1 has", "none")
        yield Question(
            id=found["id"],
            context=context,
            question=_field(path, where, found, "question", str),
            answers=answers,
            article=article,
        )
    if not seen:
        raise InputError(f"{path}: expected questions, found none")


def _questions(path: Path, value: Any) -> Iterator[tuple[str, int, str, dict[str, Any]]]:
    """Where each question stands, its article's index, its context and itself."""
    for article, entry in enumerate(_field(path, "the file", value, "data", list)):
        above = f"data[{article}]"
        for index, paragraph in enumerate(_field(path, above, entry, "paragraphs", list)):
            place = f"{above}.paragraphs[{index}]"
            context = _field(path, place, paragraph, "context", str)
            if len(context) > LONGEST_TEXT:
                _fail(
                    path,
                    f"{place}.context",
                    f"at most {LONGEST_TEXT} characters",
                    str(len(context)),
                )
            for which, question in enumerate(_field(path, place, paragraph, "qas", list)):
                inner = f"{place}.qas[{which}]"
                _field(path, inner, question, "id", str)
                yield inner, article, context, question


def _answer(path: Path, where: str, context: str, answer: Any, reading: Reading) -> tuple[str, int]:
    text = _field(path, where, answer, "text", str)
    start = _field(path, where, answer, "answer_start", int)
    if not text.strip():
        _fail(path, f"{where}.text", "the answer's text", repr(text))
    if start >= 0 and context[start : start + len(text)] == text:
        return text, start
    if reading.training:
        _misplaced(path, where, context, text, start)
    reading.misplaced += 1
    return text, -1


def _misplaced(path: Path, where: str, context: str, text: str, start: int) -> NoReturn:
    there = context[max(0, start) : max(0, start) + len(text)]
    right = context.find(text)
    hint = f"it stands at {right}" if right >= 0 else "the context does not have it anywhere"
    _fail(
        path,
        f"{where}.answer_start",
        f"the offset of {text[:60]!r}",
        f"{start}, where {there[:60]!r} stands; {hint}",
    )


def _json(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(
                f"{path}: expected a file of at most {LARGEST_FILE >> 20} MiB, found "
                f"{size >> 20} MiB. SQuAD's JSON is held in memory"
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: expected a file that can be read, found: {error.strerror}"
        ) from error
    if not content:
        raise InputError(f"{path}: expected JSON, found an empty file. Fetch it again")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {number}: expected UTF-8, found byte {content[error.start]:#04x} at "
            f"{error.start} of the file. Convert it with iconv"
        ) from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}: expected JSON, found {error.msg} at column "
            f"{error.colno}. Fetch it again"
        ) from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: expected SQuAD's JSON, found {error}") from error


def _field(path: Path, where: str, value: Any, name: str, kind: type) -> Any:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind) or isinstance(found, bool):
        named = {list: "a list", str: "a string", int: "a whole number"}[kind]
        what = "none" if found is None else type(found).__name__
        _fail(path, where, f"{named} {name!r}", what)
    if isinstance(found, str):
        _text(path, f"{where}.{name}", found)
    return found


def _text(path: Path, where: str, text: str) -> None:
    """JSON's escapes can spell what no text has."""
    odd = _NO_TEXT.search(text)
    if odd is not None:
        _fail(path, where, "text", f"the character U+{ord(odd[0]):04X} at {odd.start()}")


def _fail(path: Path, where: str, expected: str, found: str) -> NoReturn:
    raise InputError(f"{path}, {where}: expected {expected}, found {found}")
