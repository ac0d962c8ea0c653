"""Reads YAML (and JSON, which it contains) into nodes that know their file and line.

Stricter than PyYAML where its YAML 1.1 surprises: `no` is a language and not False, `1e-3` is a
number, `1:30` is text, and a key that is written twice is an error. `${...}` is refused: values
must not depend on the environment of whoever runs a stranger's study.
"""

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from grid.errors import StudyError
from grid.tree import COMMAND_LINE, Node, Origin, fail, shown

_TAG = "tag:yaml.org,2002:"
_MAX_NODES = 2_000_000
"""Aliases can make a small file expand without end; no study comes near this."""

_MAX_DEPTH = 100
_LARGEST = 1 << 22
"""Bytes of a file; the largest study here has some thousands."""


# Escapes in quotes can spell what no file, terminal or page can hold.
_HALF = re.compile("[\ud800-\udfff]")
# `{seed: range(1, 2)}` is to YAML a value `range(1` and a key `2)`.
_CUT = re.compile(r"(range|geom)\([^)]*")
_CUT_SAYS = (
    "inside braces or brackets a comma ends a value; write {range: [1, 5]} or {geom: [1k, 8k, 4]}, "
    'or put it into quotes, as in "range(1, 5)"'
)


class _Loader(yaml.SafeLoader):
    """Knows null, true, false, integers and floats of YAML 1.2, with `_` between digits."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}  # type: ignore[misc]

    # PyYAML takes time quadratic in the depth of brackets, and Python's stack ends sooner still.
    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        self._refuse_depth(self.flow_level)
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        self._refuse_depth(len(self.indents))
        return bool(super().add_indent(column))

    def _refuse_depth(self, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=self.get_mark())


_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"(~|null|Null|NULL|)\Z"), None)
_Loader.add_implicit_resolver(
    f"{_TAG}bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"), None
)
_Loader.add_implicit_resolver(
    f"{_TAG}int", re.compile(r"[-+]?[0-9][0-9_]*(e[+]?[0-9]{1,2})?\Z", re.IGNORECASE), None
)
_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(
        r"([-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(e[-+]?[0-9]+)?"
        r"|[-+]?[0-9][0-9_]*e-[0-9]+|[-+]?\.inf|\.nan)\Z",
        re.IGNORECASE,
    ),
    None,
)


def read_yaml(file: Path, what: str = "study") -> Node:
    """The tree in a file. Raises StudyError, naming file and line, on anything that is not one."""
    try:
        size = file.stat().st_size
        if size > _LARGEST:
            told = f"expected a {what} of at most {_LARGEST:,} bytes, found {size:,}"
            raise StudyError(f"{shown(file)}: {told}")
        data = file.read_bytes()
    except FileNotFoundError:
        raise StudyError(f"{shown(file)}: no such file (expected a {what} in YAML)") from None
    except OSError as error:
        raise StudyError(f"{shown(file)}: cannot be read: {error.strerror or error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise fail(Origin(file, line), "", "expected UTF-8 text, found other bytes") from None
    if file.suffix == ".json":
        # YAML forbids tabs as indentation and JSON allows them, so they become spaces.
        text = text.replace("\t", " ")
    node = parse_yaml(text, file)
    if node.value is None:
        raise fail(Origin(file, 1), "", f"expected a {what}, found an empty file")
    return node


def parse_yaml(text: str, file: Path | None = None) -> Node:
    """The tree in a text. Without a file, its origin is the command line."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        origin = Origin(file, mark.line + 1 if mark else None) if file else COMMAND_LINE
        told = " ".join(part for part in (error.context, error.problem) if part)
        raise fail(origin, "", f"not valid YAML: {told}") from None
    except (yaml.YAMLError, RecursionError) as error:
        line = _line_of(text, error)
        origin = Origin(file, line) if file else COMMAND_LINE
        reason = getattr(error, "reason", None) or "nested too deeply"
        raise fail(origin, "", f"not valid YAML: {reason}") from None
    if root is None:
        return Node(None, Origin(file, 1) if file else COMMAND_LINE)
    return _Reader(file).node(root, "")


def _line_of(text: str, error: Exception) -> int | None:
    position = getattr(error, "position", None)
    return None if position is None else text.count("\n", 0, position) + 1


class _Reader:
    """Turns PyYAML's nodes into ours; one for each document."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.count = 0
        self.open: set[int] = set()

    def origin(self, node: yaml.Node) -> Origin:
        return Origin(self.file, node.start_mark.line + 1) if self.file else COMMAND_LINE

    def node(self, node: yaml.Node, path: str, origin: Origin | None = None) -> Node:
        """Values of a mapping get the line of their key, which is where a reader looks."""
        origin = origin or self.origin(node)
        self.count += 1
        if id(node) in self.open or self.count > _MAX_NODES:
            raise fail(origin, path, "an alias (*) expands without end")
        if isinstance(node, yaml.ScalarNode):
            return Node(self.scalar(node, path, origin), origin)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                self.check_tag(node, "seq", path, origin)
                items = [
                    self.node(item, f"{path}[{number}]") for number, item in enumerate(node.value)
                ]
                return Node(items, origin)
            if not isinstance(node, yaml.MappingNode):
                raise TypeError(f"a YAML node of an unknown kind: {type(node).__name__}")
            self.check_tag(node, "map", path, origin)
            return Node(self.mapping(node, path), origin)
        finally:
            self.open.discard(id(node))

    def mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        result: dict[str, Node] = {}
        for key, item in node.value:
            origin = self.origin(key)
            if not isinstance(key, yaml.ScalarNode):
                raise fail(origin, path, "expected a name as key, found a list or mapping")
            where = f"{path}.{key.value}" if path else key.value
            self.text(key.value, path, origin)
            if key.value in result:
                raise fail(origin, where, f"written twice, first at {result[key.value].origin}")
            result[key.value] = self.node(item, where, origin)
        return result

    def check_tag(self, node: yaml.Node, legal: str, path: str, origin: Origin) -> None:
        if node.tag != f"{_TAG}{legal}":
            raise fail(origin, path, f"the tag {node.tag} is not allowed in a study")

    def scalar(self, node: yaml.ScalarNode, path: str, origin: Origin) -> object:
        text, tag = node.value, node.tag.removeprefix(_TAG)
        try:
            if tag == "str":
                if node.style is None and _CUT.fullmatch(text):
                    raise fail(origin, path, f"found {text!r}: {_CUT_SAYS}")
                return self.text(text, path, origin)
            if tag == "null":
                return None
            if tag == "bool":
                return {"true": True, "false": False}[text.lower()]
            digits = text.replace("_", "").lower()
            if tag == "int":
                # 1e5 is a whole number to whoever writes it as a count of updates.
                return int(float(digits)) if "e" in digits else int(digits)
            if tag == "float":
                return float(digits.replace(".inf", "inf").replace(".nan", "nan"))
        except (ValueError, KeyError):
            raise fail(origin, path, f"expected {tag}, found {text!r}") from None
        raise fail(origin, path, f"the tag {node.tag} is not allowed in a study")

    def text(self, text: str, path: str, origin: Origin) -> str:
        if "${" in text:
            raise fail(
                origin,
                path,
                f"found {text!r}, but ${{...}} is not resolved in a study; write the value itself",
            )
        if _HALF.search(text):
            told = f"expected text, found half a surrogate pair, which is no character, in {text!r}"
            raise fail(origin, path, told)
        return text
