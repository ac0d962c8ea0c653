"""Exact match and F1 of extracted answers, as SQuAD 1.1 and MLQA define them.

Both compare an answer with each gold answer after a normalisation, and take the best. SQuAD's
(which XQuAD uses in every language) lowers the case, removes ASCII punctuation and English
articles. MLQA's removes all of Unicode's punctuation and the articles of the answer's language, and
takes each Chinese character as a word.

One implementation serves both, instead of torchmetrics' SQuAD: that has no normalisation but
English, adds in single precision, and gives an F1 of 1 where gold and answer both normalise to
nothing ("The" and "a"), where the official scorer of SQuAD 1.1 gives 0.
"""

import re
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from model.errors import InputError

_ASCII = dict.fromkeys(map(ord, string.punctuation))
_ENGLISH = r"\b(a|an|the)\b"
_ARTICLES = {
    "en": _ENGLISH,
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "hi": None,
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": r"\sال^|ال",
    "zh": None,
}
"""What MLQA's scorer removes. Its Arabic pattern removes these two letters wherever they stand."""
_HAN = re.compile("([\u4e00-\u9fa5])")

Normalise = Callable[[str], str]


def squad_normalised(text: str) -> str:
    """As the official evaluate-v1.1.py: lower case, no punctuation, no articles, single spaces."""
    return _squeezed(re.sub(_ENGLISH, " ", text.lower().translate(_ASCII)))


def mlqa_normalised(text: str, language: str) -> str:
    """As the official mlqa_evaluation_v1.py, in the language of the answer."""
    if language not in _ARTICLES:
        raise InputError(
            f"MLQA's scorer knows the languages {', '.join(_ARTICLES)}, found {language}"
        )
    text = text.lower().translate(_punctuation())
    articles = _ARTICLES[language]
    if articles is not None:
        text = re.sub(articles, " ", text)
    if language == "zh":
        text = _HAN.sub(r" \1 ", text)
    return _squeezed(text)


def scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[str], normalise: Normalise
) -> dict[str, float]:
    """Mean F1 and exact match, each from 0 to 1; `gold` has the answers that count of each."""
    exact = f1 = 0.0
    for wanted, answer in zip(gold, predicted, strict=True):
        own = normalise(answer)
        pairs = [(normalise(text), own) for text in wanted]
        exact += max(one == other for one, other in pairs)
        f1 += max(_f1(one.split(), other.split()) for one, other in pairs)
    return {"f1": f1 / len(predicted), "exact_match": exact / len(predicted)}


def first_sentence(context: str) -> str:
    """Up to the first full stop, question or exclamation mark of any script that ends a word."""
    return re.split(r"(?<=[.!?։؟।॥。！？۔])(?:\s|(?<=[。！？]))", context, maxsplit=1)[0]


def _f1(gold: list[str], answer: list[str]) -> float:
    shared = sum((Counter(gold) & Counter(answer)).values())
    if shared == 0:
        return 0.0
    precision = shared / len(answer)
    recall = shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


@cache
def _punctuation() -> dict[int, None]:
    """Unicode's punctuation (categories P*) and ASCII's, some of which Unicode calls symbols."""
    categories = (unicodedata.category(chr(code)) for code in range(sys.maxunicode))
    return _ASCII | {code: None for code, name in enumerate(categories) if name[0] == "P"}
