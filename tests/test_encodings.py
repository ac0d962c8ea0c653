"""Text in every reader: what is UTF-8 comes back code point by code point, the rest is told."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import InputError
from model.tasks.examples import read
from model.text.sources import read_documents
from tests.model.tasks.formats.files import XNLI_COLUMNS, row, table, written

TEXTS = {
    "composed": "caf\u00e9 \u1e69",
    "decomposed": "cafe\u0301 s\u0307\u0323",
    "marks in another order": "s\u0323\u0307",
    "compatibility": "\ufb01n \u2460 \uff21 \u1100\u1161",
    "right to left": "\u200fשלום \u202eabc\u202c \u2067x\u2069 عربي\u200e",
    "joiners": "क्\u200dष می\u200cخواهم 👩\u200d👩\u200d👧",
    "separators": "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg",
    "beyond the first plane": "𐍈𝄞🙂\U0010fffd",
    "no characters": "a\ufffeb\uffffc\U0001fffe",
    "a mark within": "a\ufeffb",
    "the replacement itself": "a\ufffdb",
    "escapes": "\\ud800 \\u0000 %00 &#0; \x1b[2J",
}


def _text(folder: Path, text: str) -> list[str]:
    path = written(folder, "en.txt", f"{text}\nend\n")
    return next(iter(read_documents(path)))[:1]


def _json_lines(folder: Path, text: str) -> list[str]:
    raw = json.dumps({"text": text}, ensure_ascii=False)
    path = written(folder, "en.jsonl", f"{raw}\n{json.dumps({'text': text})}\n")
    return [lines[0] for lines in read_documents(path)]


def _wiki(folder: Path, text: str) -> list[str]:
    inner = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    path = written(folder, "wiki_00", f'<doc id="1">\n{inner}\n</doc>\n')
    return next(iter(read_documents(path)))


def _xnli(folder: Path, text: str) -> list[str]:
    filled = row(XNLI_COLUMNS, language="en", gold_label="neutral", sentence1=text, sentence2=text)
    path = written(folder, "XNLI-1.0/xnli.test.tsv", table(XNLI_COLUMNS, filled))
    (example,) = read("xnli", path, language="en")
    return [example.first, example.second]


def _conll(folder: Path, text: str) -> list[str]:
    word = text.replace(" ", "_")
    path = written(folder, "ned.testb", f"{word} N O\n\n")
    (sentence,) = read("ner", path, language="nl")
    return [each.replace("_", " ") for each in sentence.words]


def _conllu(folder: Path, text: str) -> list[str]:
    path = written(folder, "fr_x-ud-test.conllu", f"1\t{text}\tx\tNOUN" + "\t_" * 6 + "\n\n")
    (sentence,) = read("pos", path, language="fr")
    return sentence.words


def _squad(folder: Path, text: str) -> list[str]:
    answer = {"text": text, "answer_start": 3}
    asked = {"id": "1", "question": text, "answers": [answer]}
    value = {"data": [{"paragraphs": [{"context": f"In {text} .", "qas": [asked]}]}]}
    path = written(folder, "train-v1.1.json", json.dumps(value, ensure_ascii=False))
    (question,) = read("xquad", path, language="en", part="train")
    assert question.context == f"In {text} ."
    return [question.question, *(each for each, start in question.answers if start == 3)]


READERS: dict[str, Callable[[Path, str], list[str]]] = {
    "text": _text, "json lines": _json_lines, "wikiextractor": _wiki, "xnli": _xnli,
    "conll": _conll, "conllu": _conllu, "squad": _squad,
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("reader", READERS)
def test_text_comes_back_as_it_was_written(reader: str, text: str, tmp_path: Path) -> None:
    """Nothing is normalised before the tokenizer, and no mark is left out."""
    found = READERS[reader](tmp_path, text)
    assert found and set(found) == {text}


WORDS = "日本語 für Привет"
ENCODED = {
    "UTF-16 with its mark": WORDS.encode("utf-16"),
    "UTF-16, little end first": WORDS.encode("utf-16-le"),
    "UTF-16, big end first": WORDS.encode("utf-16-be"),
    "UTF-32": WORDS.encode("utf-32"),
    "Shift JIS": "日本語".encode("shift_jis"),
    "GB 18030": "中国的首都".encode("gb18030"),
    "KOI8-R": "Привет".encode("koi8-r"),
    "Windows-1251": "Привет".encode("cp1251"),
    "half a surrogate pair": b"a \xed\xa0\x80 b",
    "CESU-8": b"a \xed\xa0\xbd\xed\xb8\x80 b",
    "an overlong slash": b"a \xc0\xaf b",
    "an overlong NUL": b"a \xc0\x80 b",
    "beyond Unicode": b"a \xf4\x90\x80\x80 b",
    "cut off": "日本語".encode()[:-1],
    "a lone continuation": b"a \x80 b",
    "NUL": b"a\0b",
}
PLACES = {
    "en.txt": b"first\n%b\nlast\n",
    "en.jsonl": b'{"text": "first"}\n{"text": "%b"}\n',
    "wiki_00": b'<doc id="1">\n%b\n</doc>\n',
    "MNLI/dev_matched.tsv": b"sentence1\tsentence2\tgold_label\n%b\tb\tneutral\n",
    "fr_x-ud-test.conllu": b"1\t%b\tx\tNOUN" + b"\t_" * 6 + b"\n\n",
    "xquad.en.json": b'{"data": [{"paragraphs": [{"context": "%b", "qas": []}]}]}',
}
TASKS = {"MNLI/dev_matched.tsv": ("mnli", "en"), "xquad.en.json": ("xquad", "en"),
         "fr_x-ud-test.conllu": ("pos", "fr")}  # fmt: skip


def read_any(place: str, path: Path) -> list[object]:
    if place not in TASKS:
        return list(read_documents(path))
    task, language = TASKS[place]
    return read(task, path, language=language)


@pytest.mark.parametrize("raw", ENCODED.values(), ids=ENCODED)
@pytest.mark.parametrize("place", PLACES)
def test_another_encoding_is_told(place: str, raw: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, place, PLACES[place] % raw)
    with pytest.raises(InputError) as error:
        read_any(place, path)
    assert str(path) in str(error.value) and len(str(error.value)) < 1000


@pytest.mark.parametrize("raw", [ENCODED["NUL"], ENCODED["UTF-16 with its mark"]])
def test_conll_takes_two_encodings_and_no_other(raw: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, "ned.testb", raw + b" N O\n\n")
    with pytest.raises(InputError, match="NUL"):
        read("ner", path, language="nl")
