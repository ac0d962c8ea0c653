"""XNLI's files: what is read, and what is said about a line that is not as it should be."""

from pathlib import Path

import pytest

from model.errors import InputError
from model.tasks.data import COLUMNS
from model.tasks.xnli import read_test, read_train

HEADER = "\t".join(COLUMNS)


def line(language: str, label: str, first: str = "A man.", second: str = "A person.") -> str:
    values = dict.fromkeys(COLUMNS, "")
    values |= {
        "language": language,
        "gold_label": label,
        "sentence1": first,
        "sentence2": second,
    }
    return "\t".join(values[name] for name in COLUMNS)


def written(folder: Path, *lines: str) -> Path:
    path = folder / "file.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_test_file_gives_each_language_its_first_examples(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER,
        line("sw", "neutral", 'He said "no', "\u2028 odd separators \x85 stay"),
        line("en", "entailment"),
        line("en", "contradiction"),
        line("en", "neutral"),
        line("bg", "neutral"),
    )
    found = read_test(path, ["en", "sw", "fr"], 2)
    assert sorted(found) == ["en", "sw"]
    assert [example.label for example in found["en"]] == [0, 2]
    assert found["sw"][0].premise == 'He said "no'
    assert found["sw"][0].hypothesis == "\u2028 odd separators \x85 stay"


def test_train_file_spells_contradiction_its_own_way(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "premise\thypothesis\tlabel",
        "a b\tc\tcontradictory",
        '"d\te\tneutral',
        "f\tg\tentailment",
    )
    assert [example.label for example in read_train(path, 2)] == [2, 1]
    assert read_train(path, 9)[1].premise == '"d'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["premise\thypothesis\tlabel", "a\tb"], "line 2: expected 3 tab-separated columns"),
        (["premise\thypothesis\tlabel", "a\tb\tmaybe"], "line 2: expected a label of entailment"),
        (["premise\thypothesis"], "line 1: expected a header of 3"),
        (["premise\thypothesis\tlabel"], "expected examples below the header, found none"),
    ],
)
def test_a_mistake_in_a_train_file_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(InputError) as error:
        read_train(path, 10)
    assert message in str(error.value) and str(path) in str(error.value)


def test_a_mistake_in_a_test_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, line("en", "neutral"), line("en", "-"))
    with pytest.raises(InputError, match="line 3: expected a label"):
        read_test(path, ["en"], 10)
    path.write_bytes(HEADER.encode() + b"\nen\t\xff\n")
    with pytest.raises(InputError, match="line 2: expected UTF-8, found byte 0xff at 3"):
        read_test(path, ["en"], 10)
    with pytest.raises(InputError, match="expected a file of the XNLI task there"):
        read_test(tmp_path / "nothing.tsv", ["en"], 10)
