"""One word a line: CoNLL in four languages, UNER and CoNLL-U."""

from pathlib import Path

import pytest

from model.errors import InputError
from model.tasks.examples import Tagged, read
from model.tasks.formats.columns import begun
from tests.model.tasks.formats.files import CONLL, CONLLU, UNER, written

CONLL_SENTENCES = {
    "en": [
        Tagged(words=["EU", "Bonn"], tags=["B-ORG", "B-LOC"]),
        Tagged(words=["a"], tags=["O"]),
    ],
    "de": [Tagged(words=["München", "ist"], tags=["B-LOC", "O"])],
    "es": [
        Tagged(words=["Melbourne", "("], tags=["B-LOC", "O"]),
        Tagged(words=["Niño", "Ruiz"], tags=["B-PER", "I-PER"]),
    ],
    "nl": [Tagged(words=["De", "Reünie", "."], tags=["O", "B-MISC", "O"])],
}


@pytest.mark.parametrize("language", CONLL)
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_conll_in_its_columns_and_encodings(language: str, encoding: str, tmp_path: Path) -> None:
    name, text = CONLL[language]
    path = written(tmp_path, name, text.encode(encoding))
    assert read("ner", path, language=language) == CONLL_SENTENCES[language]


@pytest.mark.parametrize("language", CONLL)
def test_conll_tells_a_spoilt_line(language: str, tmp_path: Path) -> None:
    name, text = CONLL[language]
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith(("LOC", "MISC")))
    columns = lines[at].split(" ")
    faults = {
        "a tag of O, B-PER": " ".join([*columns[:-1], "B-TIME"]),
        "space-separated columns, found 1": "x",
        "space-separated columns, found 6": "a b c d e f",
        "a word, found none": " ".join(["", *columns[1:]]),
        "ISO-8859-1 or UTF-8, found a control character": "\x96" + lines[at] + "é",
    }
    for message, line in faults.items():
        changed = "\n".join([*lines[:at], line, *lines[at + 1 :]])
        path = written(tmp_path, name, changed.encode("iso-8859-1"))
        with pytest.raises(InputError) as error:
            read("ner", path, language=language)
        assert f"{path}, line {at + 1}: expected" in str(error.value)
        assert message in str(error.value)


def test_white_space_of_unicode_is_part_of_a_word(tmp_path: Path) -> None:
    path = written(tmp_path, "esp.train", "10\u00a0000 O\n\u2028 O\n".encode())
    (sentence,) = read("ner", path, language="es", part="train")
    assert sentence.words == ["10\u00a0000", "\u2028"]


@pytest.mark.parametrize(
    ("tags", "bio"),
    [
        ("I-PER I-PER O I-PER", "B-PER I-PER O B-PER"),
        ("I-PER B-PER I-PER", "B-PER B-PER I-PER"),
        ("I-PER I-LOC", "B-PER B-LOC"),
        ("B-PER I-PER B-PER O O", "B-PER I-PER B-PER O O"),
        ("O B-LOC I-PER I-PER", "O B-LOC B-PER I-PER"),
    ],
)
def test_iob1_becomes_bio_and_bio_stays(tags: str, bio: str) -> None:
    assert begun(tags.split()) == bio.split()
    assert begun(bio.split()) == bio.split()


def test_uner_and_conllu_give_their_words(tmp_path: Path) -> None:
    path = written(tmp_path, "tl_trg-ud-test.iob2", UNER)
    assert read("ner", path, language="tl") == [
        Tagged(words=["New", "York"], tags=["B-LOC", "I-LOC"])
    ]
    path = written(tmp_path, "UD_French-GSD/fr_gsd-ud-test.conllu", CONLLU)
    assert read("pos", path, language="fr") == [
        Tagged(words=["de", "le", "vin"], tags=["ADP", "DET", "NOUN"])
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("1\tNew\t", "1\t", 3, "5 tab-separated columns, found 4"),
        ("B-LOC", "B-OTH", 3, "a tag of O, B-PER"),
        ("B-LOC", "O", 4, "B-LOC where an entity begins, found I-LOC after O"),
        ("B-LOC", "B-PER", 4, "B-LOC where an entity begins, found I-LOC after B-PER"),
        ("2\tYork", "1\tYork", 4, "word 2 of its sentence, found '1'"),
        ("\tYork\t", "\t\t", 4, "a word, found none"),
    ],
)
def test_uner_tells_a_spoilt_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    path = written(tmp_path, "tl_trg-ud-test.iob2", UNER.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read("ner", path, language="tl")
    assert f"{path}, line {line}: expected {message}" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("\tNOUN\t", "\tNN\t", 7, "a tag of ADJ, ADP"),
        ("\tNOUN\t", "\t_\t", 7, "a tag of ADJ, ADP"),
        ("3\tvin", "4\tvin", 7, "word 3 of its sentence, found '4'"),
        ("\tcase\t_\t_", "\tcase\t_", 4, "10 tab-separated columns, found 9"),
        ("\tde\tde\t", "\t\tde\t", 4, "a word, found none"),
    ],
)
def test_conllu_tells_a_spoilt_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    path = written(tmp_path, "fr_gsd-ud-test.conllu", CONLLU.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read("pos", path, language="fr")
    assert f"{path}, line {line}: expected {message}" in str(error.value)


def test_comments_alone_are_no_sentences(tmp_path: Path) -> None:
    path = written(tmp_path, "fr_gsd-ud-test.conllu", "# nothing\n\n\n")
    with pytest.raises(InputError, match="expected sentences, found none"):
        read("pos", path, language="fr")


def test_conll_has_four_languages(tmp_path: Path) -> None:
    path = written(tmp_path, "fra.testb", "a O\n")
    with pytest.raises(InputError, match=r"one of CoNLL's languages .es, nl, en, de., found fr"):
        read("ner", path, language="fr")


def test_a_file_without_blank_lines_is_no_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, "ned.train", "De Art O\n" * 10_001)
    with pytest.raises(InputError, match="line 10001: expected a blank line after each sentence"):
        read("ner", path, language="nl", part="train")
