"""One word a line, its tag in a column, a blank line after a sentence: CoNLL, UNER and CoNLL-U.

CoNLL-2002 and 2003: columns separated by a space, the entity last. Spanish has word and entity
(with part of speech in a later edition), Dutch has part of speech between them, English part of
speech and chunk, German a lemma as well. `-DOCSTART-` lines divide articles and are no sentence.
The files are ISO-8859-1; where a copy was converted to UTF-8 it is read as that (a Spanish, Dutch
or German file in ISO-8859-1 is never UTF-8 by chance, for its accented letters stand alone). The
2003 files are IOB1, where an entity begins with B only after another of its type; every tag is
turned into BIO as conlleval reads it.

UNER: five tab-separated columns (number, word, entity in BIO, two about the annotation) below
comments. CoNLL-U: ten, the universal part of speech fourth; lines of multi-word tokens (`1-2`) and
of empty nodes (`1.1`) hold no word of the sentence.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from model.errors import InputError
from model.tasks.examples import Tagged
from model.tasks.formats.lines import Reading, fail, is_utf8, numbered

CONLL_WIDTHS = {"es": (2, 3), "nl": (3,), "en": (4,), "de": (5,)}
LONGEST_SENTENCE = 10_000
"""Words. Published sentences have hundreds at most, or some over a thousand (Spanish CoNLL)."""
_ARTICLE = "-DOCSTART-"

Word = tuple[str, str] | None
"""A word and its tag; None for a line that holds no word."""


def read_conll(path: Path, reading: Reading) -> Iterator[Tagged]:
    """CoNLL-2002 (es, nl) and CoNLL-2003 (en, de). Raises InputError with file and line."""
    encoding = "utf-8" if is_utf8(path) else "iso-8859-1"
    widths = CONLL_WIDTHS.get(reading.language)
    if widths is None:
        raise InputError(
            f"{path}: expected one of CoNLL's languages ({', '.join(CONLL_WIDTHS)}), found "
            f"{reading.language}"
        )

    def word(number: int, line: str, _: int) -> Word:
        columns = line.rstrip(" ").split(" ")
        _width(path, number, columns, widths, "space-separated", line)
        if encoding != "utf-8" and any("\x7f" <= character < "\xa0" for character in line):
            fail(path, number, "ISO-8859-1 or UTF-8", f"a control character in {line[:60]!r}")
        return columns[0], _tag(path, number, columns[-1], reading)

    for tags_of in _sentences(path, encoding, word, lambda line: line.startswith(_ARTICLE)):
        tags_of.tags = begun(tags_of.tags)
        yield tags_of


def read_uner(path: Path, reading: Reading) -> Iterator[Tagged]:
    """UNER's .iob2. Raises InputError with file and line."""
    before = "O"

    def word(number: int, line: str, count: int) -> Word:
        nonlocal before
        columns = line.split("\t")
        _width(path, number, columns, (5,), "tab-separated", line)
        _numbered(path, number, columns[0], count + 1)
        tag = _tag(path, number, columns[2], reading)
        if tag.startswith("I-") and (count == 0 or before[1:] != tag[1:]):
            fail(path, number, f"B-{tag[2:]} where an entity begins", f"{tag} after {before}")
        before = tag
        return columns[1], tag

    return _sentences(path, "utf-8", word, lambda line: False, comments=True)


def read_conllu(path: Path, reading: Reading) -> Iterator[Tagged]:
    """Universal Dependencies, words and UPOS. Raises InputError with file and line."""

    def word(number: int, line: str, count: int) -> Word:
        columns = line.split("\t")
        _width(path, number, columns, (10,), "tab-separated", line)
        if "-" in columns[0] or "." in columns[0]:
            return None
        _numbered(path, number, columns[0], count + 1)
        return columns[1], _tag(path, number, columns[3], reading)

    return _sentences(path, "utf-8", word, lambda line: False, comments=True)


def begun(tags: list[str]) -> list[str]:
    """IOB1 or BIO as BIO: an entity begins at B, and at I after O or after another type."""
    before = "O"
    found = []
    for tag in tags:
        starts = tag[0] == "I" and (before == "O" or before[2:] != tag[2:])
        found.append("B" + tag[1:] if starts else tag)
        before = tag
    return found


def _sentences(
    path: Path,
    encoding: str,
    word_of: Callable[[int, str, int], Word],
    divides: Callable[[str], bool],
    *,
    comments: bool = False,
) -> Iterator[Tagged]:
    sentence = Tagged(words=[], tags=[])
    empty = True
    for number, line in numbered(path, encoding):
        if comments and not sentence.words and line.startswith("#"):
            continue
        if not line.strip(" \t") or divides(line):
            if sentence.words:
                empty = False
                yield sentence
                sentence = Tagged(words=[], tags=[])
            continue
        word = word_of(number, line, len(sentence.words))
        if word is None:
            continue
        if not word[0]:
            fail(path, number, "a word", f"none: {line[:80]!r}")
        if len(sentence.words) == LONGEST_SENTENCE:
            fail(path, number, "a blank line after each sentence", f"{LONGEST_SENTENCE} words")
        sentence.words.append(word[0])
        sentence.tags.append(word[1])
    if sentence.words:
        empty = False
        yield sentence
    if empty:
        raise InputError(f"{path}: expected sentences, found none")


def _width(
    path: Path, number: int, columns: list[str], widths: tuple[int, ...], kind: str, line: str
) -> None:
    if len(columns) not in widths:
        expected = " or ".join(map(str, widths))
        fail(path, number, f"{expected} {kind} columns", f"{len(columns)}: {line[:80]!r}")


def _numbered(path: Path, number: int, name: str, expected: int) -> None:
    if name != str(expected):
        fail(path, number, f"word {expected} of its sentence", repr(name[:40]))


def _tag(path: Path, number: int, tag: str, reading: Reading) -> str:
    if tag not in reading.labels:
        fail(path, number, f"a tag of {', '.join(reading.labels)}", repr(tag[:40]))
    return tag
