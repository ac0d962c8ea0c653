"""Sentences and their translations, by line and by id."""

from pathlib import Path

import pytest

from model.errors import InputError
from model.tasks.examples import Parallel, read
from tests.model.tasks.formats.files import table, written


def pair(root: Path, mine: str | bytes, theirs: str | bytes) -> tuple[Path, Path]:
    return (
        written(root, "tatoeba.swh-eng.swh", mine),
        written(root, "tatoeba.swh-eng.eng", theirs),
    )


def test_lines_are_pairs(tmp_path: Path) -> None:
    mine, theirs = pair(tmp_path, '\ufeffMoja\u2028.\n"Mbili\n', "One.\r\nTwo")
    found = read("retrieval", mine, language="sw", aligned=theirs)
    assert found == [
        Parallel(first="Moja\u2028.", second="One."),
        Parallel(first='"Mbili', second="Two"),
    ]


@pytest.mark.parametrize(
    ("mine", "theirs", "where", "message"),
    [
        ("a\nb\nc\n", "a\nb\n", "swh, line 3", "as many lines as"),
        ("a\n", "a\nb\n", "eng, line 2", "as many lines as"),
        ("a\n\nc\n", "a\nb\nc\n", "swh, line 2", "a sentence, found a blank line"),
        ("a\nb\n", "a\n \u2028\n", "eng, line 2", "a sentence, found a blank line"),
        ("a\n", b"\xe9\n", "eng, line 1", "UTF-8, found byte 0xe9"),
    ],
)
def test_lines_that_are_no_pairs_are_told(
    mine: str, theirs: str | bytes, where: str, message: str, tmp_path: Path
) -> None:
    first, second = pair(tmp_path, mine, theirs)
    with pytest.raises(InputError) as error:
        read("retrieval", first, language="sw", aligned=second)
    assert f"tatoeba.swh-eng.{where}: expected {message}" in str(error.value)


def test_a_pair_needs_two_files(tmp_path: Path) -> None:
    first, _ = pair(tmp_path, "a\n", "")
    with pytest.raises(InputError, match="expected the file that it is aligned with"):
        read("retrieval", first, language="sw")
    with pytest.raises(InputError, match="eng: expected examples, found an empty file"):
        read("retrieval", first, language="sw", aligned=tmp_path / "tatoeba.swh-eng.eng")


def test_sib200_s_sentences_are_pairs_by_their_id(tmp_path: Path) -> None:
    header = "index_id category text"
    mine = written(tmp_path, "swh_Latn/test.tsv", table(header, "1 travel moja", "2 travel mbili"))
    other = written(tmp_path, "eng_Latn/test.tsv", table(header, "2 travel two", "1 travel one"))
    assert read("retrieval", mine, language="sw", aligned=other) == [
        Parallel(first="moja", second="one"),
        Parallel(first="mbili", second="two"),
    ]
    other = written(tmp_path, "eng_Latn/test.tsv", table(header, "2 travel two"))
    with pytest.raises(InputError, match="found 1 that only one of the two has, such as 1"):
        read("retrieval", mine, language="sw", aligned=other)
    other = written(tmp_path, "eng_Latn/test.tsv", table(header, "2 travel two", "2 travel x"))
    with pytest.raises(InputError, match="line 3: expected each index_id once, found '2' again"):
        read("retrieval", mine, language="sw", aligned=other)
    other = written(tmp_path, "eng_Latn/test.tsv", table("index text", "2 two"))
    with pytest.raises(InputError, match="line 1: expected the header index_id, category, text"):
        read("retrieval", mine, language="sw", aligned=other)
