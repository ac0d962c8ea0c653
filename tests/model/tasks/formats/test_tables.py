"""Tables: what is read of each published format, and what is said of a spoilt row."""

from pathlib import Path

import pytest

from model.errors import InputError
from model.tasks.examples import Classified, count_each, read, read_each
from tests.model.tasks.formats.files import MNLI_COLUMNS, TABLES, XNLI, row, table, written

FIRST = {
    "xnli": Classified(first="A man.", second="A cat.", label="neutral"),
    "xnli train": Classified(first="a", second="b", label="contradiction"),
    "pawsx": Classified(first="eins", second="zwei", label="0"),
    "topic": Classified(first="Go there.", label="travel"),
    "mnli": Classified(first="One.", second="Two.", label="neutral"),
    "qnli": Classified(first="Who?", second="He.", label="entailment"),
    "qqp": Classified(first="Why?", second="How?", label="0"),
    "sst2": Classified(first="so good ", label="1"),
    "mrpc": Classified(first="He said so.", second='"So," he said.', label="1"),
}


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_read(name: str, tmp_path: Path) -> None:
    place, language, text = TABLES[name]
    path = written(tmp_path, place, text)
    found = read(name.split()[0], path, language=language)
    assert found[0] == FIRST[name] and len(found) == 2
    assert read(name.split()[0], path, language=language, most=1) == found[:1]


@pytest.mark.parametrize("name", TABLES)
def test_a_spoilt_row_is_told_beyond_what_is_kept(name: str, tmp_path: Path) -> None:
    place, language, text = TABLES[name]
    header, *rows = text.splitlines()
    label = FIRST[name].label.replace("contradiction", "contradictory")
    unlabelled = "\t".join("maybe" if x == label else x for x in rows[0].split("\t"))
    faults = {
        "line 1: expected a header of tab-separated names with": "\n".join(rows),
        f"line {len(rows) + 1}: expected {header.count(chr(9)) + 1} tab-separated columns, found "
        f"{rows[-1].count(chr(9)) + 2}": text.rstrip("\n") + "\tmore",
        "2 times among": header + "\t" + header + "\n",
        "line 2: expected a label of": "\n".join([header, unlabelled, *rows[1:]]),
        "below the header, found none": header + "\n",
    }
    for message, content in faults.items():
        path = written(tmp_path, place, content)
        for call in (
            lambda path=path: read(name.split()[0], path, language=language, most=0),
            lambda path=path: count_each(name.split()[0], {language: path}, part="test"),
        ):
            with pytest.raises(InputError) as error:
                call()
            assert message in str(error.value) and str(path) in str(error.value)


def test_quotes_and_separators_are_characters(tmp_path: Path) -> None:
    """A quote at the beginning of a line or a field opens nothing; MNLI's columns may move."""
    odd = '"\u2028 \x85 \x0b ""'
    rows = [
        ["premise", "hypothesis", "label"],
        ['"He said', "no", "neutral"],
        [odd, odd, "entailment"],
    ]
    path = written(tmp_path, "XNLI-MT-1.0/multinli/multinli.train.sw.tsv", table(*rows))
    found = read("xnli", path, language="sw", part="translated_train")
    assert [example.first for example in found] == ['"He said', odd]
    columns = [*MNLI_COLUMNS[:10], "label1", "label2", "label3", "label4", "label5", "gold_label"]
    last = row(columns, sentence1='"', sentence2="b", gold_label="neutral", label1="entailment")
    path = written(tmp_path, "MNLI/dev_mismatched.tsv", table(columns, last))
    assert read("mnli_mismatched", path, language="en") == [
        Classified(first='"', second="b", label="neutral")
    ]


def test_a_file_of_several_languages_is_read_once_for_all(tmp_path: Path) -> None:
    path = written(tmp_path, "XNLI-1.0/xnli.test.tsv", XNLI)
    found = read_each("xnli", {"sw": path, "en": path})
    assert [example.label for example in found["en"]] == ["neutral", "contradiction"]
    assert [example.first for example in found["sw"]] == ["Mtu."]
    assert read("xnli", path, language="en") == found["en"]
    message = "examples of bg, ur below the header, found none, but some of en"
    with pytest.raises(InputError, match=message):
        read_each("xnli", {"bg": path, "ur": path, "sw": path})
    path = written(tmp_path, "XNLI-1.0/xnli.test.tsv", XNLI + "en\tneutral\n")
    with pytest.raises(InputError, match="line 5: expected 19 tab-separated columns, found 2"):
        read("xnli", path, language="sw")


def test_untranslated_pairs_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = ["id sentence1 sentence2 label", "1 a b 0", "2 NS b 1", "3 a NS 1", ["4", "", "b", "0"]]
    path = written(tmp_path, "x-final/ko/dev_2k.tsv", table(*rows))
    assert len(read("pawsx", path, language="ko")) == 1
    counts = count_each("pawsx", {"ko": path}, part="validation")
    assert counts == {"ko": {"examples": 1, "left_out": 3}}


def test_torn_questions_are_left_out_and_counted(tmp_path: Path) -> None:
    """As in GLUE's QQP: a line break inside a question makes two short lines of one record."""
    whole = TABLES["qqp"][2]
    torn = '7\t8\t9\t"When did he live?\n"\tWas he real?\t0\n'
    path = written(tmp_path, "QQP/train.tsv", whole + torn + "1\t2\t3\tx\ty\t1\n")
    assert len(read("qqp", path, language="en", part="train")) == 3
    assert count_each("qqp", {"en": path}, part="train")["en"] == {"examples": 3, "left_out": 1}
    for broken in ("7\t8\t9\tx\n", '7\t8\t9\t"x\n1\t2\t3\tx\ty\t1\n', "1\t2\t3\tx\ty\t1\tz\n"):
        path = written(tmp_path, "QQP/train.tsv", whole + broken)
        with pytest.raises(InputError, match=r"line [45]: expected 6 tab-separated columns"):
            read("qqp", path, language="en", part="train")


def test_an_id_stands_once(tmp_path: Path) -> None:
    text = TABLES["topic"][2] + "7\thealth\tSleep.\n"
    path = written(tmp_path, "eng_Latn/train.tsv", text)
    with pytest.raises(InputError, match="line 4: expected each index_id once, found '7' again, "):
        read("topic", path, language="en", part="train")
