"""Configuration trees whose every value knows the file and line that it came from.

A study is laid together from several files, a scale and the command line. A mistake is found only
in the result, so each node carries its origin through every overlay.
"""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grid.errors import StudyError


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: a file and line, or the command line (`file` is None)."""

    file: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        if self.file is None:
            return "command line"
        name = shown(self.file)
        return name if self.line is None else f"{name}:{self.line}"

    @property
    def folder(self) -> Path:
        """The folder that relative paths written here start from."""
        return Path.cwd() if self.file is None else self.file.parent


COMMAND_LINE = Origin()
_LONGEST, _LONGEST_NAME = 4000, 255
"""Bytes of a path and of one name in it, as Linux has them."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Node:
    """One value: a scalar, a list of nodes, or a dict of nodes by key."""

    value: Any
    origin: Origin = COMMAND_LINE

    @classmethod
    def of(cls, value: object, origin: Origin = COMMAND_LINE) -> "Node":
        """A tree from plain lists, dicts and scalars, all of one origin."""
        if isinstance(value, dict):
            return cls({str(key): cls.of(item, origin) for key, item in value.items()}, origin)
        if isinstance(value, list | tuple):
            return cls([cls.of(item, origin) for item in value], origin)
        return cls(value, origin)

    @property
    def kind(self) -> str:
        """`mapping`, `list`, or the type of the scalar, in the words of an error message."""
        if isinstance(self.value, dict):
            return "mapping"
        if isinstance(self.value, list):
            return "list"
        return "null" if self.value is None else type(self.value).__name__

    def plain(self) -> Any:
        """The same tree without origins."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def find(self, path: Sequence[str]) -> "Node | None":
        """The node at a path of keys; None if there is none."""
        node = self
        for key in path:
            if not isinstance(node.value, dict) or key not in node.value:
                return None
            node = node.value[key]
        return node

    def nearest(self, path: Sequence[str]) -> "Node":
        """The node at a path, or at the longest beginning of it that was written."""
        node = self
        for key in path:
            if not isinstance(node.value, dict) or key not in node.value:
                break
            node = node.value[key]
        return node

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Node"]]:
        """Every path to a value that is not a mapping, in the order written."""
        if isinstance(self.value, dict):
            for key, item in self.value.items():
                yield from item.leaves((*path, key))
        else:
            yield path, self


def overlay(base: Node | None, top: Node) -> Node:
    """`top` laid over `base`: mappings are merged key by key, anything else replaces."""
    if base is None or not isinstance(base.value, dict) or not isinstance(top.value, dict):
        return top
    merged = dict(base.value)
    for key, item in top.value.items():
        merged[key] = overlay(merged.get(key), item)
    return Node(merged, top.origin)


def fail(node: Node | Origin, key: str, text: str) -> StudyError:
    """An error at the place where `node` was written; `key` is its path, or empty."""
    origin = node.origin if isinstance(node, Node) else node
    return StudyError(f"{origin}: {key}: {text}" if key else f"{origin}: {text}")


def near(name: str, legal: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing if no legal name resembles this one."""
    close = difflib.get_close_matches(name, list(legal), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def expect_mapping(node: Node, key: str) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise fail(node, key, f"expected a mapping, found {found(node)}")
    return node.value


def expect_list(node: Node, key: str) -> list[Node]:
    if not isinstance(node.value, list):
        raise fail(node, key, f"expected a list, found {found(node)}")
    return node.value


def expect_text(node: Node, key: str) -> str:
    if not isinstance(node.value, str):
        raise fail(node, key, f"expected text, found {found(node)}")
    return node.value


def expect_path(node: Node, key: str) -> Path:
    """A path as written, `~` spelt out. Raises StudyError for what no file system can hold."""
    text = expect_text(node, key)
    if "\0" in text or len(text.encode()) > _LONGEST or any(
        len(part.encode()) > _LONGEST_NAME for part in text.split("/")
    ):  # fmt: skip
        raise fail(node, key, f"expected a path, found {text[:_SHOWN]!r}, which no file can have")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise fail(node, key, f"expected a path, found {text!r}, whose ~ names no user") from None


def expect_keys(node: Node, key: str, legal: Sequence[str]) -> dict[str, Node]:
    """A mapping with none but the legal keys."""
    mapping = expect_mapping(node, key)
    for name, item in mapping.items():
        if name not in legal:
            path = f"{key}.{name}" if key else name
            raise fail(
                item, path, f"unknown key{near(name, legal)}; expected one of {', '.join(legal)}"
            )
    return mapping


def describe(point: Mapping[str, Node]) -> str:
    """A point in a message: `languages=xlm-7, encoder.width=768`."""
    return ", ".join(f"{path}={written(value)}" for path, value in point.items()) or "(no axis)"


def written(node: Node) -> str | int | float | bool | None:
    """An axis value as a coordinate: as written, a list as its items with commas between."""
    if isinstance(node.value, list):
        return ",".join(str(item.plain()) for item in node.value)
    return node.plain()


def found(node: Node) -> str:
    """What an error message says was found: the value and its type."""
    if isinstance(node.value, dict | list):
        return f"a {node.kind}"
    if isinstance(node.value, bool):
        return f"{str(node.value).lower()} ({node.kind})"
    return "null" if node.value is None else f"{node.value!r} ({node.kind})"


def shown(path: Path) -> str:
    """A path as a message shows it: relative if it lies in the working folder."""
    try:
        return os.fspath(path.relative_to(Path.cwd()))
    except ValueError:
        return os.fspath(path)
