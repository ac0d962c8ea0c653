"""Language sets by name: the built-in ones, with a study's own laid over them."""

import difflib
import re

from grid.tree import (
    Node,
    expect_list,
    expect_mapping,
    expect_path,
    expect_text,
    fail,
    found,
    shown,
)
from grid.yaml_source import read_yaml
from model.languages import LANGUAGES, SETS, nearest

LANGUAGE_PATHS = (
    "languages",
    "tokenizer.languages",
    "evaluation.languages",
    "pretraining.counted_languages",
)
"""Where a cell takes the name of a set or a list of codes; so do its tasks (`takes_languages`)."""
_OF_TASK = re.compile(r"tasks\.[^.]+\.languages")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
"""Codes become the names of files and keys, so they must not say `..` or `/`."""


def takes_languages(path: str) -> bool:
    """Whether a path of a cell takes the name of a set or a list of codes."""
    return path in LANGUAGE_PATHS or _OF_TASK.fullmatch(path) is not None


class LanguageSets:
    """Resolves what a study writes for languages into codes, and codes back into a set's name."""

    def __init__(self, own: Node | None, key: str = "language_sets") -> None:
        self._sets: dict[str, list[str]] = {name: sorted(codes) for name, codes in SETS.items()}
        self._known: set[tuple[str, ...]] = set()
        if own is not None:
            if isinstance(own.value, str):
                file = own.origin.folder / expect_path(own, key)
                if not file.is_file():
                    told = "expected a file of language sets (name to list of codes)"
                    raise fail(own, key, f"{told}, found no such file: {shown(file)}")
                own = read_yaml(file, "file of language sets (name to list of codes)")
                key = ""
            for name, codes in expect_mapping(own, key).items():
                path = f"{key}.{name}" if key else name
                self._sets[name] = _codes(codes, path)
        self._names = {tuple(codes): name for name, codes in reversed(self._sets.items())}

    def resolve(self, node: Node, key: str) -> list[str]:
        """Sorted codes of a set's name or a list of codes. Raises StudyError."""
        if isinstance(node.value, list):
            return _codes(node, key)
        if not isinstance(node.value, str):
            raise fail(
                node,
                key,
                f"expected the name of a language set or a list of codes, found {found(node)}",
            )
        if node.value in self._sets:
            return self._sets[node.value]
        if node.value in LANGUAGES:
            hint = f" (for this one language write [{node.value}])"
        else:
            close = difflib.get_close_matches(node.value, list(self._sets), n=3, cutoff=0.5)
            hint = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise fail(
            node,
            key,
            f"unknown language set {node.value!r}{hint}; expected one of "
            f"{', '.join(self._sets)}, or a list of codes",
        )

    def name(self, codes: list[str]) -> str:
        """The set that holds exactly these codes, or the codes themselves."""
        return self._names.get(tuple(codes)) or ",".join(codes)

    def check_synthetic(self, codes: list[str], node: Node, key: str) -> None:
        """Raises StudyError for a language of which the synthetic source has no facts."""
        identity = tuple(codes)
        if identity in self._known:
            return
        for code in codes:
            if code not in LANGUAGES:
                raise fail(_item(node, code), key, unknown_language(code))
        self._known.add(identity)


def unknown_language(code: str) -> str:
    """The message for a code that the synthetic source does not know."""
    close = nearest(code)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    return (
        f"unknown language {code!r}{hint}; the synthetic source knows the {len(LANGUAGES)} "
        "languages of XLM-R (model/languages.csv)"
    )


def _codes(node: Node, key: str) -> list[str]:
    items = expect_list(node, key)
    if not items:
        raise fail(node, key, "expected at least one language, found an empty list")
    seen: set[str] = set()
    for number, item in enumerate(items):
        code = expect_text(item, f"{key}[{number}]")
        if not _CODE.fullmatch(code):
            raise fail(
                item,
                key,
                f"expected a language's code of letters, digits, '-' and '_', found {code!r}",
            )
        if code in seen:
            raise fail(item, key, f"expected each language once, found {code!r} twice")
        seen.add(code)
    return sorted(seen)


def _item(node: Node, code: str) -> Node:
    if isinstance(node.value, list):
        return next((item for item in node.value if item.value == code), node)
    return node
