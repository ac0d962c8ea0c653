"""Each language's words: inherited through family and branch, borrowed from donors, or its own.

The levels follow languages.csv. A concept has a form in the family; a branch keeps it with
probability `cognates` and otherwise coins its own; a language keeps its branch's form with the
square root of that. What is inherited undergoes one regular change of a consonant at each level.
Grammar words, the most conserved part of a vocabulary, are the family's, unchanged. International
words have one form everywhere. With `cognates` 0 nothing is inherited, grammar words included, and
nothing is borrowed from a donor. All of it is spelt in the language's script, so that a shared word
looks the same only within a script.
"""

from dataclasses import dataclass
from functools import lru_cache

from model.config import SyntheticConfig
from model.languages import LANGUAGES
from model.text.synthetic.randomness import generator
from model.text.synthetic.scripts import CODAS, CONSONANTS, VOWELS, Syllable, Word, spell

GRAMMAR = ("not", "at", "the", "past", "s:plural", "s:past", "s:object")
"""Grammar words and suffixes (`s:`), coined and inherited as concepts are."""

_SAME_AS = {
    "bn_rom": "bn", "hi_rom": "hi", "ta_rom": "ta", "te_rom": "te", "ur_rom": "ur",
    "my_zaw": "my", "zh-Hant": "zh",
}  # fmt: skip
"""Entries of XLM-R's list that are another entry's language in other letters."""

_DONORS: dict[str, tuple[tuple[str, float], ...]] = {
    "ur": (("fa", 0.2), ("ar", 0.1)),
    "hi": (("sa", 0.15), ("fa", 0.1)),
    "fa": (("ar", 0.25),),
    "tr": (("ar", 0.1), ("fa", 0.05), ("fr", 0.05)),
    "sw": (("ar", 0.2),),
    "so": (("ar", 0.1),),
    "ha": (("ar", 0.15),),
    "ps": (("fa", 0.2), ("ar", 0.1)),
    "sd": (("fa", 0.1), ("ar", 0.1)),
    "ku": (("fa", 0.1), ("ar", 0.1)),
    "ug": (("fa", 0.1), ("ar", 0.1)),
    "uz": (("fa", 0.15), ("ru", 0.05)),
    "az": (("fa", 0.1), ("ru", 0.05)),
    "kk": (("ru", 0.1),),
    "ky": (("ru", 0.1),),
    "en": (("fr", 0.3),),
    "ro": (("fr", 0.1),),
    "sq": (("it", 0.1), ("tr", 0.05)),
    "eu": (("es", 0.2),),
    "tl": (("es", 0.2),),
    "cy": (("en", 0.1),),
    "ga": (("en", 0.05),),
    "fi": (("sv", 0.1),),
    "et": (("de", 0.15),),
    "hu": (("de", 0.05),),
    "yi": (("he", 0.1),),
    "vi": (("zh", 0.35),),
    "ja": (("zh", 0.35),),
    "ko": (("zh", 0.35),),
    "th": (("sa", 0.15),),
    "km": (("sa", 0.1),),
    "ms": (("ar", 0.1), ("sa", 0.1)),
    "id": (("ar", 0.1), ("sa", 0.1)),
    "jv": (("sa", 0.15), ("ar", 0.05)),
    "te": (("sa", 0.15),),
    "kn": (("sa", 0.15),),
    "ml": (("sa", 0.2),),
}
"""Well-known layers of borrowing: (donor, share of content words). Shares are coarse estimates by
hand."""


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """Words of one language: `words[concept]` and `grammar[name]`, spelt."""

    words: tuple[str, ...]
    grammar: dict[str, str]


def _coin(names: tuple[object, ...], count: int, syllables: tuple[float, ...]) -> list[Word]:
    """`count` new words; `syllables[i]` is the probability of i + 1 syllables."""
    rng = generator(*names)
    inventory = rng.permutation(list(CONSONANTS))[:13]
    closed = rng.uniform(0.05, 0.45)
    codas = rng.permutation(list(CODAS))[:4]

    def syllable() -> Syllable:
        coda = str(rng.choice(codas)) if rng.random() < closed else ""
        return str(rng.choice(inventory)), str(rng.choice(list(VOWELS))), coda

    lengths = rng.choice(len(syllables), size=count, p=syllables) + 1
    return [tuple(syllable() for _ in range(length)) for length in lengths]


def _sound_change(names: tuple[object, ...], words: list[Word]) -> list[Word]:
    """One regular change: a consonant becomes another wherever it opens a syllable."""
    rng = generator(*names)
    before, after = (str(letter) for letter in rng.permutation(list(CONSONANTS))[:2])
    return [tuple((after if c == before else c, v, k) for c, v, k in word) for word in words]


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """What the forms of words follow from, besides the languages' facts."""

    seed: int
    concepts: int
    cognates: float
    loanwords: float
    syllables: float

    def coin(self, *names: object) -> list[Word]:
        """A word for each concept and each name of GRAMMAR.

        A content word has 1 + Binomial(2, p) syllables, `syllables` in the mean.
        """
        p = (self.syllables - 1) / 2
        lengths = ((1 - p) ** 2, 2 * p * (1 - p), p**2)
        content = _coin((self.seed, *names, "content"), self.concepts, lengths)
        return content + _coin((self.seed, *names, "grammar"), len(GRAMMAR), (1.0,))


def _inherit(
    shape: _Shape, names: tuple[object, ...], parent: list[Word], share: float
) -> list[Word]:
    concepts, own = shape.concepts, shape.coin(*names)
    names = (shape.seed, *names)
    kept = _sound_change((*names, "change"), parent[:concepts]) + parent[concepts:]
    keeps = generator(*names, "keeps").random(len(parent)) < share
    keeps[concepts:] = share > 0
    return [k if keep else o for k, o, keep in zip(kept, own, keeps, strict=True)]


@lru_cache(maxsize=512)
def _forms(shape: _Shape, code: str) -> list[Word]:
    """Every concept's and grammar word's sounds in a language, before borrowing."""
    language, concepts = LANGUAGES[code], shape.concepts
    family = shape.coin("family", language.family)
    branch_names = ("branch", language.family, language.branch)
    branch = _inherit(shape, branch_names, family, shape.cognates)
    words = _inherit(shape, ("language", code), branch, shape.cognates**0.5)
    everywhere = shape.coin("international")
    draw = generator(shape.seed, "international", "which").random(concepts)
    is_everywhere = draw < shape.loanwords
    return [
        everywhere[i] if i < concepts and is_everywhere[i] else word for i, word in enumerate(words)
    ]


def _borrowed(shape: _Shape, code: str) -> dict[int, tuple[str, Word]]:
    """Of the concepts that `code` has borrowed a word for: the donor and the donor's word."""
    draw = generator(shape.seed, "borrowing", code).random(shape.concepts)
    loans: dict[int, tuple[str, Word]] = {}
    threshold = 0.0
    for donor, share in _DONORS.get(code, ()):
        lent = _forms(shape, donor)
        here = (threshold <= draw) & (draw < threshold + share)
        loans |= {int(concept): (donor, lent[concept]) for concept in here.nonzero()[0]}
        threshold += share
    return loans


@lru_cache(maxsize=512)
def _lexicon(shape: _Shape, shared_meaning: bool, code: str) -> Lexicon:
    base, concepts = _SAME_AS.get(code, code), shape.concepts
    script = LANGUAGES[code].script
    spelt = [spell(word, script) for word in _forms(shape, base)]
    if shape.cognates > 0:
        for concept, (donor, word) in _borrowed(shape, base).items():
            keeps_characters = script == "Jpan" and donor == "zh"
            spelt[concept] = spell(word, "Hans" if keeps_characters else script)
    content = spelt[:concepts]
    if not shared_meaning:
        content = [
            content[i] for i in generator(shape.seed, "scramble", base).permutation(concepts)
        ]
    return Lexicon(words=tuple(content), grammar=dict(zip(GRAMMAR, spelt[concepts:], strict=True)))


def lexicon_of(config: SyntheticConfig, concepts: int, code: str) -> Lexicon:
    """The words of `code` in the world that `config` describes, which has `concepts` concepts.

    Borrowings are spelt in the language's own script; those from Chinese keep their characters in
    Japanese. Without shared meaning, forms are dealt to concepts at random.
    """
    shape = _Shape(
        seed=config.seed,
        concepts=concepts,
        cognates=config.cognates,
        loanwords=config.loanwords,
        syllables=config.syllables,
    )
    return _lexicon(shape, config.shared_meaning, code)
