"""Tab-separated tables with a header and without quoting: XNLI, PAWS-X, SIB-200 and GLUE.

Each is an example a line, and differs in the columns that it takes. XNLI-1.0 has all languages in
one file (19 columns, of which the first names the language); XNLI-MT-1.0 spells contradiction
`contradictory`. PAWS-X marks a sentence that was not translated with `NS`, or leaves it empty, and
its authors ask everyone to clean these out. QQP has a few records that a line break inside a
question tore in two: they are left out, as GLUE's own baseline does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from model.errors import InputError
from model.tasks.examples import Classified
from model.tasks.formats.lines import Reading, fail, numbered


@dataclass(frozen=True, kw_only=True)
class Table:
    """The columns of one of the formats, by the names in its header."""

    first: str
    second: str | None = None
    label: str
    language: str | None = None
    key: str | None = None
    """A column whose values must differ."""
    spellings: dict[str, str] = field(default_factory=dict)
    """Labels that the file spells in another way."""
    untranslated: tuple[str, ...] = ()
    """Sentences that stand for a missing one: their examples are left out."""
    torn: bool = False
    """Records that a line break tore in two are left out."""


TABLES = {
    "xnli": Table(first="sentence1", second="sentence2", label="gold_label", language="language"),
    "xnli_train": Table(
        first="premise",
        second="hypothesis",
        label="label",
        spellings={"contradictory": "contradiction"},
    ),
    "pawsx": Table(first="sentence1", second="sentence2", label="label", untranslated=("NS", "")),
    "sib200": Table(first="text", label="category", key="index_id"),
    "mnli": Table(first="sentence1", second="sentence2", label="gold_label"),
    "qnli": Table(first="question", second="sentence", label="label"),
    "qqp": Table(first="question1", second="question2", label="is_duplicate", torn=True),
    "sst2": Table(first="sentence", label="label"),
    "mrpc": Table(first="#1 String", second="#2 String", label="Quality"),
}


def read_table(table: Table, path: Path, reading: Reading) -> Iterator[Classified]:
    """The examples of a file of one language. Raises InputError with file and line."""
    return (example for _, example in read_shared(table, path, reading))


def read_shared(table: Table, path: Path, reading: Reading) -> Iterator[tuple[str, Classified]]:
    """The examples of all languages that are asked for, each with its language, in one pass."""
    lines = numbered(path)
    _, header = next(lines)
    names = header.split("\t")
    places = _places(path, names, table)
    seen: dict[str, int] = {}
    empty = set(reading.languages)
    others = set()
    for number, row in _rows(path, lines, len(names), table.torn, reading):
        language = reading.language
        if table.language is not None:
            language = row[places[table.language]]
            if language not in reading.languages:
                others.add(language)
                continue
        example = Classified(
            first=row[places[table.first]],
            second=None if table.second is None else row[places[table.second]],
            label=_label(path, number, row[places[table.label]], table, reading),
        )
        if table.key is not None:
            unique(path, number, row[places[table.key]], seen, table.key)
        if {example.first.strip(), (example.second or "x").strip()} & set(table.untranslated):
            reading.left_out += 1
            continue
        empty.discard(language)
        yield language, example
    if empty:
        has = f", but some of {', '.join(sorted(others))[:200]}" if others else ""
        raise InputError(
            f"{path}: expected examples of {', '.join(sorted(empty))} below the header, "
            f"found none{has}"
        )


def _places(path: Path, names: list[str], table: Table) -> dict[str, int]:
    """Where the header has each name."""
    wanted = [
        name
        for name in (table.language, table.key, table.first, table.second, table.label)
        if name is not None
    ]
    wrong = [f"{name} {names.count(name)} times" for name in wanted if names.count(name) != 1]
    if wrong:
        fail(
            path,
            1,
            f"a header of tab-separated names with {', '.join(wanted)}",
            f"{', '.join(wrong)} among {len(names)}: {', '.join(names)[:200]!r}",
        )
    return {name: names.index(name) for name in wanted}


def _rows(
    path: Path, lines: Iterator[tuple[int, str]], width: int, torn: bool, reading: Reading
) -> Iterator[tuple[int, list[str]]]:
    """Rows of the header's width. The halves of a torn one have one column more together."""
    half = 0
    for number, line in lines:
        row = line.split("\t")
        if len(row) == width and not half:
            yield number, row
        elif torn and not half and len(row) < width:
            half = len(row)
        elif half and half + len(row) == width + 1:
            half = 0
            reading.left_out += 1
        else:
            fail(path, number, f"{width} tab-separated columns", f"{len(row)}: {line[:80]!r}")
    if half:
        fail(path, number, f"{width} tab-separated columns", f"{half}: {line[:80]!r}")


def _label(path: Path, number: int, label: str, table: Table, reading: Reading) -> str:
    label = table.spellings.get(label, label)
    if label not in reading.labels:
        fail(path, number, f"a label of {', '.join(reading.labels)}", repr(label[:80]))
    return label


def unique(path: Path, number: int, key: str, seen: dict[str, int], name: str) -> None:
    """Raises InputError if the key was seen before, naming both lines."""
    if key in seen:
        fail(path, number, f"each {name} once", f"{key!r} again, first in line {seen[key]}")
    seen[key] = number
