"""Sentences and their translations: two files aligned by line, or SIB-200's by its sentence ids."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from model.errors import InputError
from model.tasks.examples import Parallel
from model.tasks.formats.lines import Reading, fail, numbered
from model.tasks.formats.tables import unique


def read_lines(path: Path, reading: Reading) -> Iterator[Parallel]:
    """Tatoeba, FLORES-200 and any other pair of files with a sentence a line."""
    other = _other(path, reading)
    for mine, theirs in zip_longest(numbered(path), numbered(other)):
        if mine is None or theirs is None:
            longer, number = (path, mine[0]) if mine else (other, theirs[0] if theirs else 0)
            shorter = other if mine else path
            fail(longer, number, f"as many lines as {shorter} has", "one more")
        for file, (number, line) in ((path, mine), (other, theirs)):
            if not line.strip():
                fail(file, number, "a sentence", "a blank line")
        yield Parallel(first=mine[1], second=theirs[1])


def read_sib200_pairs(path: Path, reading: Reading) -> Iterator[Parallel]:
    """SIB-200's sentences, which are FLORES-200's: equal index_id, equal meaning."""
    other = _other(path, reading)
    second = dict(_sentences(other))
    first = dict(_sentences(path))
    if first.keys() != second.keys():
        alone = sorted(first.keys() ^ second.keys())
        raise InputError(
            f"{path}: expected the index_id of {other}, found {len(alone)} that only one of the "
            f"two has, such as {alone[0]}"
        )
    for key, text in first.items():
        yield Parallel(first=text, second=second[key])


def _sentences(path: Path) -> Iterator[tuple[str, str]]:
    lines = numbered(path)
    number, header = next(lines)
    if header.split("\t") != ["index_id", "category", "text"]:
        fail(path, number, "the header index_id, category, text", repr(header[:80]))
    seen: dict[str, int] = {}
    for number, line in lines:
        row = line.split("\t")
        if len(row) != 3:
            fail(path, number, "3 tab-separated columns", f"{len(row)}: {line[:80]!r}")
        unique(path, number, row[0], seen, "index_id")
        yield row[0], row[2]


def _other(path: Path, reading: Reading) -> Path:
    if reading.aligned is None:
        raise InputError(f"{path}: expected the file that it is aligned with, found none")
    return reading.aligned
