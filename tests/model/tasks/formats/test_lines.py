"""What is common to all files of lines: ends, marks, encodings, lengths."""

import tracemalloc
from pathlib import Path

import pytest

from model.errors import InputError
from model.tasks.examples import count_each, read
from model.tasks.formats.lines import numbered
from tests.model.tasks.formats.files import (
    CONLL,
    CONLLU,
    TABLES,
    UNER,
    spoilt_is_told,
    written,
)

FILES = {
    **{name: (name.split()[0], *rest) for name, rest in TABLES.items()},
    **{f"conll {code}": ("ner", path, code, text) for code, (path, text) in CONLL.items()},
    "uner": ("ner", "tl_trg-ud-test.iob2", "tl", UNER),
    "pos": ("pos", "fr_gsd-ud-test.conllu", "fr", CONLLU),
}


@pytest.mark.parametrize("name", FILES)
def test_marks_and_ends_of_lines_change_nothing(name: str, tmp_path: Path) -> None:
    task, place, language, text = FILES[name]
    wanted = read(task, written(tmp_path, place, text), language=language)
    assert wanted
    for changed in ("\ufeff" + text, text.replace("\n", "\r\n"), text.rstrip("\n")):
        path = written(tmp_path, place, changed)
        assert read(task, path, language=language) == wanted
        assert count_each(task, {language: path}, part="test")[language]["examples"] == len(wanted)


@pytest.mark.parametrize("name", FILES)
def test_a_spoilt_file_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    task, place, language, text = FILES[name]
    lines = text.splitlines(keepends=True)
    body = len("".join(lines[:-1]).encode())
    whole = text.encode()
    faults = {
        "found an empty file": b"",
        f"line {len(lines)}: expected text, found a NUL byte": whole[:body] + b"x\0y\n",
        "line 1: expected": text.encode("utf-16"),
        f"line {len(lines) + 1}: expected lines of at most": whole + b"x" * 10_000_000,
    }
    for message, content in faults.items():
        path = written(tmp_path, place, content)
        with pytest.raises(InputError) as error:
            read(task, path, language=language)
        assert message in str(error.value) and str(error.value).startswith(str(path))


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_or_told_however_it_is_spoilt(name: str, tmp_path: Path) -> None:
    task, place, language, text = FILES[name]
    assert spoilt_is_told(task, tmp_path, place, language, text.encode()) > 100


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("conll")])
def test_a_byte_that_is_no_utf8_is_told(name: str, tmp_path: Path) -> None:
    task, place, language, text = FILES[name]
    first, rest = text.encode().split(b"\n", 1)
    path = written(tmp_path, place, first + b"\n\xe9" + rest)
    with pytest.raises(InputError, match="line 2: expected UTF-8, found byte 0xe9 at 0"):
        read(task, path, language=language)


def test_a_long_line_is_never_held(tmp_path: Path) -> None:
    path = written(tmp_path, "QNLI/dev.tsv", b"y" * 50_000_000)
    tracemalloc.start()
    with pytest.raises(InputError, match="line 1: expected lines of at most 1048576 bytes"):
        read("qnli", path, language="en")
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_a_line_ends_with_a_line_feed_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "x", "a\x0bb\x0c\x1c\x1d\x85c\u2028d\u2029\re\r\nf\r")
    assert list(numbered(path)) == [(1, "a\x0bb\x0c\x1c\x1d\x85c\u2028d\u2029\re"), (2, "f")]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a file that can be read, found: No such file"):
        read("sst2", tmp_path / "SST-2" / "dev.tsv", language="en")
    (tmp_path / "SST-2" / "dev.tsv").mkdir(parents=True)
    with pytest.raises(InputError, match="found: Is a directory"):
        read("sst2", tmp_path / "SST-2" / "dev.tsv", language="en")
