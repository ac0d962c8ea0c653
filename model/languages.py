"""The 100 languages of XLM-R: facts about each (languages.csv), language sets and file names.

The list is CC-100's as XLM-R was trained on it (Conneau et al. 2020, arXiv 1911.02116, Table 6).
That table reaches 100 by counting files: Chinese twice (zh, zh-Hant), Burmese in two encodings (my,
my_zaw) and five romanised variants (bn_rom, hi_rom, ta_rom, te_rom, ur_rom). They are kept, for
without them the paper's "100 languages" would be 93. Codes are CC-100's file codes, but `zh` for
its zh-Hans.

Columns of languages.csv and where they come from:

- script: ISO 15924, of the text in CC-100. my_zaw is Mymr in the Zawgyi encoding.
- family, branch: after Glottolog, with familiar names for branches. Isolates are a family of their
  own; Esperanto is `Constructed`, although its roots are mostly Romance and Germanic.
- word_order: dominant order of subject, object and verb after WALS feature 81A; `none` where it
  finds no dominant one. Languages outside WALS have their usual order from reference grammars.
- morphology: coarse type from common reference grammars. A simplification: no language is pure.
  (These four columns were compiled by hand, not extracted from the databases.)
- spaces: whether words are separated by white space.
- cc100_gib: Table 6 as corrected for its two misprints (Swedish, Ukrainian).
- wikipedia_gib: uncompressed text of the dumps of October 2020, measured by
  github.com/mayhewsw/multilingual-data-stats; not the 2018-19 dumps of the paper. 0 where there is
  no Wikipedia of its own (romanised variants, my_zaw; zh-Hant shares that of zh).
"""

import csv
import difflib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Language:
    """Facts about one language; sources in this module's docstring."""

    code: str
    name: str
    """English name."""
    script: str
    """ISO 15924 code, such as `Cyrl`."""
    family: str
    branch: str
    """Closest established group within the family, such as Germanic."""
    word_order: str
    """SVO, SOV, VSO, VOS or `none`."""
    morphology: str
    """`isolating`, `fusional` or `agglutinative`."""
    spaces: bool
    """Whether white space separates words."""
    cc100_gib: float
    """Text in CC-100, GiB."""
    wikipedia_gib: float
    """Text in its Wikipedia, GiB; 0 if it has none of its own."""


def _read(path: Path) -> dict[str, Language]:
    with path.open(encoding="utf-8", newline="") as stream:
        return {
            row["code"]: Language(
                code=row["code"],
                name=row["name"],
                script=row["script"],
                family=row["family"],
                branch=row["branch"],
                word_order=row["word_order"],
                morphology=row["morphology"],
                spaces=row["spaces"] == "yes",
                cc100_gib=float(row["cc100_gib"]),
                wikipedia_gib=float(row["wikipedia_gib"]),
            )
            for row in csv.DictReader(stream)
        }


LANGUAGES: dict[str, Language] = _read(Path(__file__).with_name("languages.csv"))
"""Facts by code, in the order of the codes."""

_XLM_7 = ("en", "fr", "de", "ru", "zh", "sw", "ur")
_XNLI = ("en", "fr", "es", "de", "el", "bg", "ru", "tr", "ar", "vi", "th", "zh", "hi", "sw", "ur")


def _language_sets() -> dict[str, tuple[str, ...]]:
    """The nested sets of the ablations, xlm-7 to xlm-100.

    xlm-7 is printed (arXiv 1911.02116, Section 3). xlm-15 is taken to be XNLI's fifteen, the only
    set of that size that the paper names. Those of 30 and 60 were never published. Here languages
    join in the order of their Wikipedia, the largest first, as in the list of the XLM-100 release:
    the ablations were made on Wikipedia. Ties (no Wikipedia) fall back on CC-100's size, then on
    the code.
    """
    joined = list(_XLM_7) + [code for code in _XNLI if code not in _XLM_7]
    by_size = sorted(
        LANGUAGES.values(),
        key=lambda language: (-language.wikipedia_gib, -language.cc100_gib, language.code),
    )
    joined += [language.code for language in by_size if language.code not in joined]
    return {f"xlm-{size}": tuple(joined[:size]) for size in (7, 15, 30, 60, 100)}


SETS: dict[str, tuple[str, ...]] = _language_sets()
"""Built-in language sets by name; each contains the one before it."""

_ALIASES = MappingProxyType(
    {
        "zh": ("zh", "zh-Hans", "zh_Hans", "zh_hans", "zh-CN", "zh_CN"),
        "zh-Hant": ("zh-Hant", "zh_Hant", "zh_hant", "zh-TW", "zh_TW"),
        "no": ("no", "nb"),
        "he": ("he", "iw"),
        "yi": ("yi", "ji"),
        "id": ("id", "in"),
        "jv": ("jv", "jw"),
        "tl": ("tl", "fil"),
    }
)


def file_codes(code: str) -> tuple[str, ...]:
    """Codes under which a language's files may be named, in the order in which to look for them.

    The code itself comes first; then other customary spellings (zh-Hans, zh_Hans for zh; nb for
    no). A code that is not known here, such as one of a user's own language set, is itself only,
    with `-` and `_` taken as equal.
    """
    if code in _ALIASES:
        return _ALIASES[code]
    return tuple(dict.fromkeys((code, code.replace("-", "_"), code.replace("_", "-"))))


def nearest(code: str) -> list[str]:
    """At most three codes or set names that `code` may have been meant to be, the closest first.

    Understands English names (`german` gives `de`) and other spellings (`zh-hans` gives `zh`).
    """
    wanted = code.strip().lower().replace("_", "-")
    spellings: dict[str, str] = {name: name for name in SETS}
    for language in LANGUAGES.values():
        for spelling in (language.code, language.name, *file_codes(language.code)):
            spellings.setdefault(spelling.lower().replace("_", "-"), language.code)
    close = difflib.get_close_matches(wanted, spellings, n=6, cutoff=0.6)
    if "-" in wanted and wanted.split("-")[0] in spellings:
        close.insert(0, wanted.split("-")[0])
    return list(dict.fromkeys(spellings[spelling] for spelling in close))[:3]
