"""The official scorers' definitions, written again from their descriptions, word for word slow.

They share no code with the project and are compared with it on many random predictions.
"""

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

ARTICLES = {
    "en": "a an the",
    "es": "un una unos unas el la los las",
    "vi": "của là cái chiếc những",
    "de": "ein eine einen einem eines einer der die das den dem des",
    "hi": "",
    "zh": "",
}


def squad_words(text: str) -> list[str]:
    """Rajpurkar et al. 2016, Section 6.1: ignoring punctuation and articles."""
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return without(kept, ARTICLES["en"].split()).split()


def mlqa_words(text: str, language: str) -> list[str]:
    """Lewis et al. 2020, Section 5: its punctuation, its articles, Chinese by character."""
    kept = ""
    for letter in text.lower():
        if not (unicodedata.category(letter).startswith("P") or letter in string.punctuation):
            kept += letter
    if language == "ar":
        kept = kept.replace("ال", " ")
    else:
        kept = without(kept, ARTICLES[language].split())
    if language == "zh":
        kept = "".join(f" {c} " if 0x4E00 <= ord(c) <= 0x9FA5 else c for c in kept)
    return kept.split()


def without(text: str, words: list[str]) -> str:
    """Every run of word characters that is one of the words becomes a space."""
    return "".join(" " if part in words else part for part in re.split(r"(\W+)", text))


def answers(
    gold: Sequence[Sequence[str]], predicted: Sequence[str], words: Callable[[str], list[str]]
) -> dict[str, float]:
    """In per cent, the best over the gold answers of each question."""
    exact = f1 = 0.0
    for wanted, answer in zip(gold, predicted, strict=True):
        exact += max(float(words(text) == words(answer)) for text in wanted)
        f1 += max(overlap(words(text), words(answer)) for text in wanted)
    return {"exact_match": 100 * exact / len(gold), "f1": 100 * f1 / len(gold)}


def overlap(gold: list[str], answer: list[str]) -> float:
    left = Counter(gold)
    same = 0
    for word in answer:
        if left[word]:
            left[word] -= 1
            same += 1
    if same == 0:
        return 0.0
    precision, recall = same / len(answer), same / len(gold)
    return 2 * precision * recall / (precision + recall)


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """conlleval: an entity begins at B, and at I where no entity of its type goes on."""
    found = set()
    start = None
    for place, tag in enumerate([*tags, "O"]):
        goes_on = start is not None and tag[0] == "I" and tag[2:] == tags[start][2:]
        if start is not None and not goes_on:
            found.add((tags[start][2:], start, place))
            start = None
        if start is None and tag[0] in "BI":
            start = place
    return found


def conlleval(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, float]:
    """In per cent."""
    pairs = [(entities(one), entities(other)) for one, other in zip(gold, predicted, strict=True)]
    correct = sum(len(one & other) for one, other in pairs)
    wanted = sum(len(one) for one, _ in pairs)
    found = sum(len(other) for _, other in pairs)
    precision = 100 * correct / found if found else 0.0
    recall = 100 * correct / wanted if wanted else 0.0
    both = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / both if both else 0.0,
    }


def f1_of(label: str, gold: Sequence[str], predicted: Sequence[str]) -> float:
    true = sum(a == b == label for a, b in zip(gold, predicted, strict=True))
    both = sum(a == label for a in gold) + sum(b == label for b in predicted)
    return 2 * true / both if both else 0.0


def pearson(one: Sequence[float], other: Sequence[float]) -> float:
    mean, mean_other = sum(one) / len(one), sum(other) / len(other)
    left = [value - mean for value in one]
    right = [value - mean_other for value in other]
    size = math.sqrt(sum(v * v for v in left) * sum(v * v for v in right))
    return sum(a * b for a, b in zip(left, right, strict=True)) / size


def ranks(values: Sequence[float]) -> list[float]:
    """From 1; equal values share the mean of their ranks."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


def matthews(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Of two labels, from the four counts."""
    count = Counter(zip(gold, predicted, strict=True))
    tp, tn, fp, fn = count["1", "1"], count["0", "0"], count["0", "1"], count["1", "0"]
    size = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return (tp * tn - fp * fn) / size if size else 0.0
