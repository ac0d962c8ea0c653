"""SQuAD's JSON: answers at their offsets, and faults with the place inside and the question."""

import json
from pathlib import Path
from typing import Any

import pytest

from model.errors import InputError
from model.tasks.examples import count_each, gold, read
from model.tasks.formats import squad as reader
from tests.model.tasks.formats.files import read_squad, spoilt_is_told, squad, written


def test_questions_with_their_articles_and_answers(tmp_path: Path) -> None:
    found = read_squad(tmp_path, squad(), "train")
    assert [(q.id, q.article, q.answers) for q in found] == [
        ("q1", 0, [("Paris", 6)]),
        ("q2", 0, [("now", 14)]),
        ("q3", 1, [("北京", 6)]),
    ]
    assert gold(found[2]) == ["北京"] and found[2].question == "What of q3?"
    text = json.dumps(squad(), ensure_ascii=False, indent=1)
    for content in (text, "\ufeff" + text, text.replace("\n", "\r\n"), text.replace("\n", "")):
        path = written(tmp_path, "xquad.en.json", content)
        assert read("xquad", path, language="en", part="train") == found


Q1 = "data[0].paragraphs[0].qas[0] (question q1)"


def change(value: dict[str, Any], place: str, new: Any) -> dict[str, Any]:
    """The value with something else at `data.0.paragraphs`; `-` takes it away."""
    *above, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    inner: Any = value
    for part in above:
        inner = inner[part]
    if new == "-":
        del inner[last]
    else:
        inner[last] = new
    return value


@pytest.mark.parametrize(
    ("place", "new", "message"),
    [
        ("data", "-", "the file: expected a list 'data', found none"),
        ("data.1", 5, "data[1]: expected a list 'paragraphs', found none"),
        ("data.1.paragraphs", {}, "data[1]: expected a list 'paragraphs', found dict"),
        ("data.0.paragraphs.0.context", "-", "data[0].paragraphs[0]: expected a string 'context'"),
        ("data.0.paragraphs.0.qas.1.id", 7, "data[0].paragraphs[0].qas[1]: expected a string 'id'"),
        ("data.0.paragraphs.0.qas.0.question", None, f"{Q1}: expected a string 'question'"),
        ("data.0.paragraphs.0.qas.0.answers", [], f"{Q1}: expected at least one answer"),
        ("data.0.paragraphs.0.qas.0.answers.0.text", "", f"{Q1}.answers[0].text: expected the"),
        (
            "data.0.paragraphs.0.qas.0.answers.0.answer_start",
            "6",
            f"{Q1}.answers[0]: expected a whole number 'answer_start', found str",
        ),
        (
            "data.1.paragraphs.0.qas.0.id",
            "q1",
            "data[1].paragraphs[0].qas[0] (question q1): expected each question's id once, found "
            "it again, first at data[0].paragraphs[0].qas[0]",
        ),
        (
            "data.0.paragraphs.0.qas.0.question",
            "half \ud83d",
            f"{Q1}.question: expected text, found the character U+D83D at 5",
        ),
        (
            "data.0.paragraphs.0.context",
            "nothing\0",
            "data[0].paragraphs[0].context: expected text, found the character U+0000 at 7",
        ),
        ("data", [], "expected questions, found none"),
    ],
)
def test_a_fault_is_told_with_its_place(place: str, new: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_squad(tmp_path, change(squad(), place, new))
    assert message in str(error.value)
    assert str(tmp_path / "xquad.en.json") in str(error.value)


def test_an_answer_off_its_offset_is_a_fault_of_training_data_alone(tmp_path: Path) -> None:
    """The official scorers never look at offsets; a loss does."""
    moved = change(squad(), "data.0.paragraphs.0.qas.0.answers.0.answer_start", 7)
    for part in ("train", "translated_train"):
        with pytest.raises(InputError) as error:
            read_squad(tmp_path, moved, part)
        assert (
            f"{Q1}.answers[0].answer_start: expected the offset of 'Paris', found 7, where "
            "'aris ' stands; it stands at 6"
        ) in str(error.value)
    found = read_squad(tmp_path, moved)
    assert found[0].answers == [("Paris", -1)] and gold(found[0]) == ["Paris"]
    path = tmp_path / "xquad.en.json"
    counts = count_each("xquad", {"en": path}, part="test")
    assert counts == {"en": {"examples": 3, "misplaced": 1}}
    lost = change(squad(), "data.0.paragraphs.0.qas.0.answers.0.text", "Rome")
    with pytest.raises(InputError, match="the context does not have it anywhere"):
        read_squad(tmp_path, lost, "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected JSON, found an empty file"),
        (b'{"data": [\n 1,,]}', "line 2: expected JSON, found Expecting value at column 4"),
        (b'{"data":\n "caf\xe9"}', "line 2: expected UTF-8, found byte 0xe9 at 14 of the file"),
        (b'{"data": []}', "expected questions, found none"),
        (b"[" * 100_000, "expected SQuAD's JSON, found maximum recursion depth exceeded"),
        (b'{"data": ' + b"1" * 5000 + b"}", "expected SQuAD's JSON, found Exceeds the limit"),
        (b'["data"]', "the file: expected a list 'data', found none"),
    ],
)
def test_what_is_no_json_is_told_with_its_line(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = written(tmp_path, "xquad.en.json", content)
    with pytest.raises(InputError) as error:
        read("xquad", path, language="en")
    assert message in str(error.value) and str(path) in str(error.value)


def test_a_file_is_read_or_told_however_it_is_spoilt(tmp_path: Path) -> None:
    content = json.dumps(squad(), ensure_ascii=False, indent=1).encode()
    assert spoilt_is_told("xquad", tmp_path, "xquad.en.json", "en", content) > 200


def test_texts_and_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten megabytes on one line are a file like any other; as one context they are not."""
    padded = {**squad(), "note": "x" * 10_000_000}
    assert len(read_squad(tmp_path, padded)) == 3
    long = change(squad(), "data.1.paragraphs.0.context", "y" * 10_000_000)
    with pytest.raises(InputError) as error:
        read_squad(tmp_path, long)
    told = "data[1].paragraphs[0].context: expected at most 1048576 characters, found 10000000"
    assert told in str(error.value)
    monkeypatch.setattr(reader, "LARGEST_FILE", 1 << 20)
    with pytest.raises(InputError, match="expected a file of at most 1 MiB, found 9 MiB"):
        read_squad(tmp_path, padded)
