"""XLM-style pre-tokenization: lower case, no accents, punctuation and CJK characters split off.

XLM's pipeline (github.com/facebookresearch/XLM, tools/) lower-cases, removes accents (NFD without
the combining marks, category Mn) and tokenizes: with Moses in most languages, with the Stanford
segmenter in Chinese, and others in Japanese and Thai. Those tools are not Python; in their place
punctuation and symbols are split off by their Unicode category, and Han characters and kana stand
alone, as in BERT. Thai stays unsegmented.
"""

import unicodedata

_ALONE = (
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # CJK Extension A
    (0x4E00, 0x9FFF),  # CJK Unified Ideographs
    (0xF900, 0xFAFF),  # CJK Compatibility Ideographs
    (0x20000, 0x323AF),  # CJK Extensions B to H
)


class _Table(dict[int, str | int | None]):
    """A translation table that fills itself with the characters that are met."""

    def __missing__(self, codepoint: int) -> str | int | None:
        character = chr(codepoint)
        category = unicodedata.category(character)
        value: str | int | None = codepoint
        if category == "Mn":
            value = None
        elif category[0] in "PS" or any(low <= codepoint <= high for low, high in _ALONE):
            value = f" {character} "
        self[codepoint] = value
        return value


_TABLE = _Table()


def xlm(text: str) -> str:
    """The text as XLM's BPE sees it; white space is single and at no end."""
    return " ".join(unicodedata.normalize("NFD", text.lower()).translate(_TABLE).split())


def places(text: str) -> list[int]:
    """Where in `text` each character of `xlm(text)` comes from, and at the end its length.

    A space comes from where the character after it does.
    """
    kept = [place for place, character in enumerate(text) for _ in xlm(character).replace(" ", "")]
    found = []
    index = 0
    for character in xlm(text):
        found.append(kept[index])
        index += character != " "
    return [*found, len(text)]
