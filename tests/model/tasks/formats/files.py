"""Small files as the publishers write them, to be spoilt in one place."""

import json
import random
from pathlib import Path
from typing import Any

from model.errors import InputError
from model.tasks.examples import read

XNLI_COLUMNS = (
    "language gold_label sentence1_binary_parse sentence2_binary_parse sentence1_parse "
    "sentence2_parse sentence1 sentence2 promptID pairID genre label1 label2 label3 label4 label5 "
    "sentence1_tokenized sentence2_tokenized match"
).split()
MNLI_COLUMNS = (
    "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse "
    "sentence2_parse sentence1 sentence2 label1 gold_label"
).split()


def table(*rows: str | list[str]) -> str:
    """Tab-separated lines; a string's words are its columns."""
    return "".join("\t".join(r.split() if isinstance(r, str) else r) + "\n" for r in rows)


def row(columns: list[str], **values: str) -> list[str]:
    """A row with these columns filled."""
    assert set(values) <= set(columns)
    return [values.get(name, "_") for name in columns]


XNLI = table(
    XNLI_COLUMNS,
    row(XNLI_COLUMNS, language="en", gold_label="neutral", sentence1="A man.", sentence2="A cat."),
    row(XNLI_COLUMNS, language="sw", gold_label="entailment", sentence1="Mtu.", sentence2="Mtu."),
    row(XNLI_COLUMNS, language="en", gold_label="contradiction", sentence1="No.", sentence2="Yes."),
)

TABLES: dict[str, tuple[str, str, str]] = {
    "xnli": ("XNLI-1.0/xnli.test.tsv", "en", XNLI),
    "xnli train": (
        "XNLI-MT-1.0/multinli/multinli.train.en.tsv",
        "en",
        table("premise hypothesis label", "a b contradictory", "c d neutral"),
    ),
    "pawsx": (
        "x-final/de/test_2k.tsv",
        "de",
        table("id sentence1 sentence2 label", "1 eins zwei 0", "2 drei vier 1"),
    ),
    "topic": (
        "eng_Latn/test.tsv",
        "en",
        table("index_id category text", ["7", "travel", "Go there."], "9 sports Run."),
    ),
    "mnli": (
        "MNLI/dev_matched.tsv",
        "en",
        table(
            MNLI_COLUMNS,
            row(MNLI_COLUMNS, sentence1="One.", sentence2="Two.", gold_label="neutral"),
            row(MNLI_COLUMNS, sentence1="Six.", sentence2="Ten.", gold_label="entailment"),
        ),
    ),
    "qnli": (
        "QNLI/dev.tsv",
        "en",
        table("index question sentence label", "0 Who? He. entailment", "1 Who? - not_entailment"),
    ),
    "qqp": (
        "QQP/dev.tsv",
        "en",
        table("id qid1 qid2 question1 question2 is_duplicate", "1 2 3 Why? How? 0", "4 5 6 a b 1"),
    ),
    "sst2": ("SST-2/dev.tsv", "en", table("sentence label", ["so good ", "1"], "bad 0")),
    "mrpc": (
        "MRPC/dev.tsv",
        "en",
        table(
            ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"],
            ["1", "11", "12", "He said so.", '"So," he said.'],
            ["0", "13", "14", "x", "y"],
        ),
    ),
}
"""A small whole file of each table: its path, its language and its text."""

CONLL: dict[str, tuple[str, str]] = {
    "en": (
        "eng.testb",
        "-DOCSTART- -X- -X- O\n\nEU NNP I-NP I-ORG\nBonn NNP I-NP I-LOC\n\na D x O\n",
    ),
    "de": (
        "deu.testb",
        "-DOCSTART- -X- -X- -X- O\n\nMünchen München NE I-NC I-LOC\nist sein V x O\n",
    ),
    "es": ("esp.testb", "Melbourne B-LOC\n( O\n\nNiño B-PER\nRuiz I-PER\n\n"),
    "nl": ("ned.testb", "-DOCSTART- -DOCSTART- O\nDe Art O\nReünie N B-MISC\n. Punc O\n\n"),
}
UNER = "# sent_id = 1\n# text = New York\n1\tNew\tB-LOC\t-\t-\n2\tYork\tI-LOC\t-\t-\n\n"
CONLLU = (
    "# sent_id = 1\n# text = du vin\n1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tde\tde\tADP\t_\t_\t3\tcase\t_\t_\n2\tle\tle\tDET\t_\t_\t3\tdet\t_\t_\n"
    "2.1\tvide\tvide\tVERB\t_\t_\t_\t_\t0:root\t_\n3\tvin\tvin\tNOUN\t_\t_\t0\troot\t_\t_\n\n"
)


def squad() -> dict[str, Any]:
    """Two articles, three questions."""

    def asked(name: str, text: str, start: int) -> dict[str, Any]:
        answers = [{"text": text, "answer_start": start}]
        return {"id": name, "question": f"What of {name}?", "answers": answers}

    first = {
        "context": "Été à Paris 𝄞 now.",
        "qas": [asked("q1", "Paris", 6), asked("q2", "now", 14)],
    }
    second = {"context": "中国的首都是北京。", "qas": [asked("q3", "北京", 6)]}
    articles = [{"title": "one", "paragraphs": [first]}, {"title": "two", "paragraphs": [second]}]
    return {"version": "1.1", "data": articles}


def written(root: Path, name: str, content: str | bytes) -> Path:
    """A file below a folder, with the folders between."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_squad(root: Path, value: Any, part: str = "test") -> list[Any]:
    """What is read of a SQuAD file with this value."""
    path = written(root, "xquad.en.json", json.dumps(value))
    return read("xquad", path, language="en", part=part)


def spoilt_is_told(task: str, root: Path, place: str, language: str, content: bytes) -> int:
    """Spoils a file in 400 random ways; how often it was told, as an InputError with its path."""
    draw = random.Random(place)
    told = []
    for _ in range(400):
        changed = content
        for _ in range(draw.randint(1, 4)):
            start = draw.randrange(len(changed) + 1)
            piece = draw.choice([b"", b"", b"\t", b"\n", b"\r\n", b" ", b'"', b"\xff", b"O", b"7"])
            changed = changed[:start] + piece + changed[start + draw.choice([0, 1, 1, 5, 40]) :]
        path = written(root, place, changed)
        try:
            assert read(task, path, language=language, part="train")
        except InputError as error:
            told.append(str(error))
    assert all(message.startswith(str(path)) for message in told)
    return len(told)
