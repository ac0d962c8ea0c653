"""The published files themselves: each is read whole, and holds what its publishers say."""

import tarfile
from pathlib import Path

import pytest

from model.tasks.catalogue import TASKS, find
from model.tasks.examples import Tagged, count_each, gold, read_each
from model.tasks.metrics import score

ARCHIVE = Path(__file__).resolve().parents[4] / "shared" / "data" / "eval.tar.xz"
LANGUAGES = "ar bg de el en es fr hi pt ro ru sv sw th tl tr ur vi zh".split()

pytestmark = pytest.mark.skipif(
    not ARCHIVE.exists(), reason=f"NO REAL FILE IS READ: {ARCHIVE} is not there"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


EXPECTED = {
    # XQuAD's readme: 1190 questions in each language.
    ("xquad", "test"): dict.fromkeys("ar de el en es hi ro ru th tr vi zh".split(), 1190),
    # SIB-200 (Adelani et al. 2024): 701, 99 and 204 sentences in each language.
    ("topic", "train"): dict.fromkeys("ar bg de el en es fr hi ru sw th tr ur vi zh".split(), 701),
    ("topic", "validation"): dict.fromkeys(
        "ar bg de el en es fr hi ru sw th tr ur vi zh".split(), 99
    ),
    ("topic", "test"): dict.fromkeys("ar bg de el en es fr hi ru sw th tr ur vi zh".split(), 204),
    ("retrieval", "test"): dict.fromkeys("ar bg de el es fr hi ru sw th tr ur vi zh".split(), 204),
    # The treebanks' own test sets: PUD has 1,000 sentences in each language, EWT 2,001 and 2,077.
    ("pos", "train"): {"en": 12544},
    ("pos", "validation"): {"en": 2001},
    ("pos", "test"): {
        "ar": 1000, "bg": 1116, "de": 977, "el": 456, "en": 2077, "es": 427, "fr": 416,
        "hi": 1000, "ru": 601, "th": 1000, "tr": 1100, "ur": 535, "vi": 800, "zh": 500,
    },
    # UNER is annotated on UD's sentences: EWT, Bosque, Talbanken, GSD, TRG.
    ("ner", "train"): {"pt": 7018, "sv": 4303, "zh": 3997},
    ("ner", "validation"): {"en": 2001, "pt": 1172, "sv": 504, "zh": 500},
    ("ner", "test"): {"en": 2077, "pt": 1167, "sv": 1219, "tl": 128, "zh": 500},
}  # fmt: skip


def test_every_file_is_read_whole(root: Path) -> None:
    counts = {}
    words = 0
    for task in ("xquad", "topic", "retrieval", "pos", "ner"):
        found = find(task, root, LANGUAGES)
        aligned = {code: root / name for code, name in found.pop("aligned", {}).items()}
        for part, names in found.items():
            files = {code: root / name for code, name in names.items()}
            told = count_each(task, files, part=part, aligned=aligned)
            counts[task, part] = {code: count["examples"] for code, count in told.items()}
            assert all(set(count) <= {"examples", "words"} for count in told.values())
            words += sum(count.get("words", 0) for count in told.values())
    assert counts == EXPECTED
    lines = _word_lines(root)
    assert words == lines == 945_484


def _word_lines(root: Path) -> int:
    """Counted another way: lines that begin with a whole number and a tab."""
    files = [*root.glob("ud/*/*.conllu"), *root.glob("uner/*/*.iob2")]
    return sum(
        line.split(b"\t")[0].isdigit() for file in files for line in file.read_bytes().split(b"\n")
    )


def test_gold_is_worth_all_and_every_answer_stands_where_it_says(root: Path) -> None:
    for task in ("xquad", "topic", "pos", "ner"):
        found = find(task, root, LANGUAGES)
        files = {code: root / name for code, name in found["test"].items()}
        for language, examples in read_each(task, files).items():
            wanted = [gold(example) for example in examples]
            answers = [texts[0] for texts in wanted] if task == "xquad" else wanted
            assert set(score(TASKS[task], language, wanted, answers).values()) == {1.0}
            if task == "xquad":
                assert {example.article for example in examples} == set(range(48))
                assert all(
                    example.context[start:].startswith(text)
                    for example in examples
                    for text, start in example.answers
                )
            if isinstance(examples[0], Tagged):
                assert {tag for tags in wanted for tag in tags} <= set(TASKS[task].labels or ())


def test_xquad_is_parallel(root: Path) -> None:
    """So an article that is trained on in one language can be kept out of every test."""
    found = find("xquad", root, LANGUAGES)["test"]
    read = read_each("xquad", {code: root / name for code, name in found.items()})
    asked = {
        code: [(each.id, each.article) for each in examples] for code, examples in read.items()
    }
    assert all(questions == asked["en"] for questions in asked.values())
