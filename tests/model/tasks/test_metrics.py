"""Scores: equal to the official definitions, by hand and on thousands of random predictions."""

import random
import subprocess
import sys

import pytest

from model.errors import InputError
from model.tasks.catalogue import TASKS
from model.tasks.examples import Classified, Parallel, Question, Tagged
from model.tasks.metrics import METRICS, baseline, score
from tests.model.tasks import official

MLQA = ("en", "es", "ar", "hi", "vi", "zh", "de")
PIECES = {
    "en": "The a an cat sat on U.S. dog's 12.5% $5 the-end Straße İ 's",
    "es": "El la los niño comió ¿qué? unas «casas» 3,5 Las un",
    "ar": "ال البيت الكتاب في كتاب، 12 ؟ باللغة والمدرسة",
    "hi": "यह एक घर है। 12 की राम ने, (दिल्ली)",
    "vi": "của là cái nhà những Chiếc Hà Nội, năm 1945 “tốt”",
    "zh": "中国 北京市 在2008年 abc，def 。 《书》 的 〇 ㄅ",
    "de": "Der die das Haus einem große „Straße“ den Müller-Lüdenscheidt 3.",
}
"""Words, articles, punctuation of ASCII and of Unicode, symbols that are no punctuation."""
FILLERS = ("", " ", "\u00a0", "\u3000", "-", "–", ",", "، ", "。", "'")


def made(language: str, draw: random.Random) -> str:
    """A random answer of up to six pieces, joined by anything."""
    words = draw.choices(PIECES[language].split(), k=draw.randrange(7))
    return "".join(word + draw.choice(FILLERS) for word in words)


@pytest.mark.parametrize(
    ("gold", "answer", "f1", "exact"),
    [
        (["the Cat."], "cat", 1.0, 1.0),
        (["Denver Broncos"], "the Denver  Broncos!", 1.0, 1.0),
        (["a b c"], "b d", 2 * 0.5 * 0.5 / 1.0, 0.0),
        (["x", "y z"], "y", 2 * 1 * 0.5 / 1.5, 0.0),
        (["The"], "a", 0.0, 1.0),
        (["308"], "", 0.0, 0.0),
        (["„Haus“"], "Haus", 0.0, 0.0),
    ],
)
def test_squad_by_hand(gold: list[str], answer: str, f1: float, exact: float) -> None:
    """The last: ASCII punctuation alone is removed, so German quotes make another word."""
    assert score(TASKS["xquad"], "de", [gold], [answer]) == {"f1": f1, "exact_match": exact}


@pytest.mark.parametrize(
    ("language", "gold", "answer", "f1", "exact"),
    [
        ("de", "„Haus“", "das Haus", 1.0, 1.0),
        ("de", "the Haus", "Haus", 2 * 0.5 / 1.5, 0.0),
        ("es", "¿Los niños?", "niños", 1.0, 1.0),
        ("zh", "北京市", "北京", 2 * 1 * (2 / 3) / (5 / 3), 0.0),
        ("zh", "北 京，", "北京", 1.0, 1.0),
        ("zh", "iPhone手机", "iPhone 手", 0.8, 0.0),
        ("vi", "của Hà Nội", "Hà Nội", 1.0, 1.0),
        ("ar", "البيت", "بيت", 1.0, 1.0),
        ("hi", "घर है।", "घर है", 1.0, 1.0),
        ("en", "The U.S.", "us", 1.0, 1.0),
    ],
)
def test_mlqa_by_hand(language: str, gold: str, answer: str, f1: float, exact: float) -> None:
    found = score(TASKS["mlqa"], language, [[gold]], [answer])
    assert found == {"f1": pytest.approx(f1), "exact_match": exact}


@pytest.mark.parametrize("language", MLQA)
def test_mlqa_is_the_official_one(language: str) -> None:
    draw = random.Random(language)
    gold = [[made(language, draw) for _ in range(draw.randint(1, 3))] for _ in range(3000)]
    predicted = [draw.choice([made(language, draw), draw.choice(wanted)]) for wanted in gold]
    found = score(TASKS["mlqa"], language, gold, predicted)
    wanted = official.answers(gold, predicted, lambda text: official.mlqa_words(text, language))
    assert {name: 100 * value for name, value in found.items()} == pytest.approx(wanted, abs=1e-9)
    assert 20 < wanted["exact_match"] < 95


def test_mlqa_scores_no_other_language() -> None:
    with pytest.raises(InputError, match="en, es, hi, vi, de, ar, zh, found fr"):
        score(TASKS["mlqa"], "fr", [["un chat"]], ["chat"])


def squad_answers(seed: int, count: int) -> tuple[list[list[str]], list[str]]:
    draw = random.Random(seed)
    languages = [draw.choice(MLQA) for _ in range(count)]
    gold = [[made(code, draw) for _ in range(draw.randint(1, 3))] for code in languages]
    predicted = [
        draw.choice([made(code, draw), draw.choice(wanted)])
        for code, wanted in zip(languages, gold, strict=True)
    ]
    return gold, predicted


def test_squad_is_the_official_one() -> None:
    gold, predicted = squad_answers(1, 5000)
    found = score(TASKS["xquad"], "en", gold, predicted)
    wanted = official.answers(gold, predicted, official.squad_words)
    assert {name: 100 * value for name, value in found.items()} == pytest.approx(wanted, abs=1e-9)


def test_torchmetrics_differs_where_nothing_is_left_of_an_answer() -> None:
    """Why it does not score: it is equal elsewhere (in single precision), and not there."""
    from torchmetrics.functional.text import squad

    gold, predicted = squad_answers(2, 2000)
    empty = [
        any(not official.squad_words(text) for text in [answer, *wanted])
        for wanted, answer in zip(gold, predicted, strict=True)
    ]
    for left_empty in (False, True):
        kept = [index for index, flag in enumerate(empty) if flag is left_empty]
        asked = [
            {"answers": {"answer_start": [0], "text": gold[index]}, "id": str(index)}
            for index in kept
        ]
        told = [{"prediction_text": predicted[index], "id": str(index)} for index in kept]
        theirs = {name: float(value) for name, value in squad(told, asked).items()}
        ours = score(TASKS["xquad"], "en", [gold[i] for i in kept], [predicted[i] for i in kept])
        assert theirs["exact_match"] == pytest.approx(100 * ours["exact_match"], rel=1e-5)
        assert (theirs["f1"] == pytest.approx(100 * ours["f1"], rel=1e-5)) is not left_empty


def tags(draw: random.Random, count: int) -> list[str]:
    """Any tags, also an I after O or after another type, which no published file has."""
    return draw.choices(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC"], k=count)


def test_entities_are_conlleval_s() -> None:
    draw = random.Random(3)
    for _ in range(50):
        lengths = [draw.randint(1, 12) for _ in range(60)]
        gold = [tags(draw, length) for length in lengths]
        predicted = [
            [
                a if draw.random() < 0.7 else b
                for a, b in zip(one, tags(draw, len(one)), strict=True)
            ]
            for one in gold
        ]
        found = score(TASKS["ner"], "en", gold, predicted)
        wanted = official.conlleval(gold, predicted)
        assert {name: 100 * value for name, value in found.items()} == pytest.approx(wanted)


def test_entities_by_hand() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "B-ORG"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["B-ORG", "I-ORG"]]
    found = score(TASKS["ner"], "en", gold, predicted)
    assert found == pytest.approx({"precision": 1 / 3, "recall": 1 / 4, "f1": 2 / 7})
    nothing = [["O"] * len(sentence) for sentence in gold]
    assert score(TASKS["ner"], "en", gold, nothing) == {"f1": 0, "precision": 0, "recall": 0}


def test_glue_is_as_defined() -> None:
    draw = random.Random(4)
    for size in [1, 2, 3, *range(5, 200)]:
        share = draw.random()
        gold = [str(int(draw.random() < share)) for _ in range(size)]
        predicted = [label if draw.random() < 0.6 else draw.choice("01") for label in gold]
        found = score(TASKS["mrpc"], "en", gold, predicted)
        right = sum(a == b for a, b in zip(gold, predicted, strict=True)) / size
        assert found == pytest.approx(
            {
                "accuracy": right,
                "f1": official.f1_of("1", gold, predicted),
                "matthews": official.matthews(gold, predicted),
            }
        )


def test_correlations_are_as_defined() -> None:
    draw = random.Random(5)
    for size in range(3, 150):
        gold = [draw.randrange(6) * 1.0 for _ in range(size)] + [7.0]
        predicted = [value + draw.choice([-1.0, 0.0, 0.5, 2.0]) for value in gold]
        if len(set(gold)) < 2 or len(set(predicted)) < 2:
            continue
        told = [f"{value:.1f}" for value in predicted]
        assert METRICS["pearson"](gold, told) == pytest.approx(official.pearson(gold, predicted))
        assert METRICS["spearman"](gold, told) == pytest.approx(
            official.pearson(official.ranks(gold), official.ranks(predicted))
        )
    assert METRICS["pearson"]([1.0, 2.0], [3.0, 3.0]) == 0.0


def test_words_are_scored_by_accuracy_and_macro_f1() -> None:
    draw = random.Random(6)
    kinds = TASKS["pos"].labels or ()
    gold = [draw.choices(kinds[:9], k=draw.randint(1, 30)) for _ in range(200)]
    predicted = [
        [tag if draw.random() < 0.5 else draw.choice(kinds) for tag in sentence]
        for sentence in gold
    ]
    one = [tag for sentence in gold for tag in sentence]
    other = [tag for sentence in predicted for tag in sentence]
    right = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    mean = sum(official.f1_of(kind, one, other) for kind in kinds[:9]) / 9
    found = score(TASKS["pos"], "en", gold, predicted)
    assert found == pytest.approx({"accuracy": right, "macro_f1": mean})


def test_gold_is_worth_all() -> None:
    gold = {
        "classification": ["0", "1", "0"],
        "tagging": [["B-PER", "I-PER"], ["O"]],
        "span": [["one answer", "another"], ["三"]],
        "retrieval": ["0", "1"],
    }
    for task in TASKS.values():
        wanted = gold[task.form]
        predicted = [texts[0] for texts in wanted] if task.form == "span" else wanted
        found = score(task, "en", wanted, predicted)
        assert set(found) == set(task.metrics) and set(found.values()) == {1.0}
        assert task.main_metric in found


def test_every_example_is_scored_or_none() -> None:
    with pytest.raises(ValueError, match="found 1 of 2"):
        score(TASKS["xnli"], "en", ["neutral", "neutral"], ["neutral"])
    with pytest.raises(ValueError, match="found 0 of 0"):
        score(TASKS["xnli"], "en", [], [])
    with pytest.raises(ValueError, match="sentence 1: 1 tags for 2 words"):
        score(TASKS["ner"], "en", [["O"], ["O", "O"]], [["O"], ["O"]])


def test_baselines_know_the_training_labels_and_no_text() -> None:
    pairs = [Classified(first="", label=label) for label in ("neutral", "neutral", "entailment")]
    tested = [Classified(first="", label=label) for label in ("entailment", "neutral")]
    assert baseline(TASKS["xnli"], "sw", pairs, tested) == {"accuracy": 0.5}
    words = [Tagged(words=["a", "b", "c"], tags=["O", "O", "B-PER"])]
    assert baseline(TASKS["ner"], "sw", words, words)["f1"] == 0
    nouns = [Tagged(words=["a", "b", "c"], tags=["NOUN", "NOUN", "VERB"])]
    assert baseline(TASKS["pos"], "sw", nouns, nouns)["accuracy"] == pytest.approx(2 / 3)
    asked = [
        Question(
            id="1", context="It is 3.5 m. No more.", question="", answers=[("It is 3.5 m", 0)]
        ),
        Question(id="2", context="他去了。后来回来。", question="", answers=[("他去了", 0)]),
    ]
    assert baseline(TASKS["xquad"], "en", [], asked[:1]) == {"f1": 1.0, "exact_match": 1.0}
    assert baseline(TASKS["mlqa"], "zh", [], asked[1:]) == {"f1": 1.0, "exact_match": 1.0}
    lines = [Parallel(first="a", second="b")] * 4
    assert baseline(TASKS["retrieval"], "sw", [], lines) == {"accuracy": 0.25}


def test_no_library_is_loaded_before_it_scores() -> None:
    """`plan` and `--help` import the catalogue."""
    heavy = "{'torch', 'sklearn', 'scipy', 'seqeval', 'numpy', 'polars'}"
    code = (
        f"import sys, model.tasks.catalogue, model.tasks.metrics; print({heavy} & {{*sys.modules}})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
