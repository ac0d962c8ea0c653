"""Checks a tree against the configuration dataclasses, and says which key or type was meant.

Errors carry file, line, the whole path of the key, what was expected and the nearest legal name.
OmegaConf then lays the checked tree over the dataclasses' defaults (`complete`).
"""

import functools
import math
import re
import types
import typing
from dataclasses import fields, is_dataclass
from typing import Any

from grid.named_sizes import SIZE_PATH
from grid.numbers import suffixed
from grid.tree import Node, fail, found, near
from model.config import CellConfig
from model.task_config import TaskConfig
from model.tasks.catalogue import TASKS

_WORDS = {int: "int", float: "float", str: "text", bool: "true or false"}


_OF_COMMAND = re.compile(r"commands\.[^.]+\.(settings\.[^.]+|replaces_pretraining)")
"""What an axis may vary of a command; its names are the site file's and the program's."""


@functools.cache
def hints(cls: type) -> dict[str, Any]:
    """Type of each field of a configuration dataclass, in its order."""
    return {
        field.name: typing.get_type_hints(cls)[field.name]
        for field in fields(typing.cast(Any, cls))
    }


def check(node: Node, hint: Any, key: str) -> Any:
    """The plain value of a tree that is of type `hint`; raises StudyError where it is not.

    hint: a scalar type, `list[...]`, `dict[str, ...]`, a dataclass, Any, or one of these or None.
    Integers become floats where floats are expected, so that 1 and 1.0 are one value.
    """
    inner, optional = without_none(hint)
    if node.value is None and optional:
        return None
    if inner is Any:
        return _check_any(node, key)
    origin = typing.get_origin(inner)
    if is_dataclass(inner) or origin is dict:
        return _check_mapping(node, inner, key)
    if origin is list:
        if not isinstance(node.value, list):
            raise _wrong_type(node, hint, key)
        (item_hint,) = typing.get_args(inner)
        return [
            check(item, item_hint, f"{key}[{number}]") for number, item in enumerate(node.value)
        ]
    return _check_scalar(node, inner, hint, key)


def _check_mapping(node: Node, hint: Any, key: str) -> dict[str, Any]:
    if not isinstance(node.value, dict):
        raise fail(node, key, f"expected a mapping, found {found(node)}")
    result = {}
    for name, item in node.value.items():
        item_hint = _item_hint(hint, name)
        if item_hint is None:
            raise fail(item, f"{key}.{name}", _unknown(hint, key, name))
        result[name] = check(item, item_hint, f"{key}.{name}")
    return result


def _check_any(node: Node, key: str) -> Any:
    """A program's or library's own value, which it checks itself: of any shape, but finite."""
    if isinstance(node.value, dict):
        return {name: _check_any(item, f"{key}.{name}") for name, item in node.value.items()}
    if isinstance(node.value, list):
        return [_check_any(item, f"{key}[{number}]") for number, item in enumerate(node.value)]
    return None if node.value is None else _check_scalar(node, type(node.value), Any, key)


def _check_scalar(node: Node, inner: Any, hint: Any, key: str) -> Any:
    value = node.value
    if inner in (int, float) and type(value) is str and (number := suffixed(value)) is not None:
        value = number
    if inner is float and type(value) is int:
        value = float(value)
    if type(value) is not inner:
        raise _wrong_type(node, hint, key)
    if inner is float and not math.isfinite(value):
        raise fail(node, key, f"expected a finite number, found {value}")
    if inner is str and (value == "???" or "${" in value):
        raise fail(node, key, f"expected a plain value, found {value!r}")
    return value


def without_none(hint: Any) -> tuple[Any, bool]:
    """A type without its `| None`, and whether it had one."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (inner,) = (item for item in typing.get_args(hint) if item is not types.NoneType)
        return inner, True
    return hint, False


def _item_hint(hint: Any, name: str) -> Any:
    """Type of one key of a dataclass or dict; None if the key is not legal."""
    if is_dataclass(hint):
        return hints(typing.cast(type, hint)).get(name)
    item = typing.get_args(hint)[1]
    return item if name in _legal_names(hint) or not _legal_names(hint) else None


def _legal_names(hint: Any) -> tuple[str, ...]:
    """Keys that a mapping may have; none where any may be."""
    if is_dataclass(hint):
        return tuple(hints(typing.cast(type, hint)))
    return tuple(TASKS) if without_none(typing.get_args(hint)[1])[0] is TaskConfig else ()


def _unknown(hint: Any, key: str, name: str) -> str:
    legal = _legal_names(hint)
    elsewhere: list[str] = []
    if key.split(".")[0] == "cell":
        elsewhere = [path for path in leaf_paths() if path.split(".")[-1] == name.split(".")[-1]]
    meant = f" (did you mean cell.{' or cell.'.join(elsewhere[:3])}?)" if elsewhere else ""
    meant = meant or near(name, legal)
    return f"unknown key{meant}; expected one of {', '.join(legal)}"


def _wrong_type(node: Node, hint: Any, key: str) -> Exception:
    return fail(node, key, f"expected {_words(hint)}, found {found(node)}")


def _words(hint: Any) -> str:
    inner, optional = without_none(hint)
    if typing.get_origin(inner) is list:
        word = f"a list of {_words(typing.get_args(inner)[0])}"
    else:
        word = _WORDS.get(inner, "a mapping")
    return f"{word} or null" if optional else word


@functools.cache
def leaf_paths() -> tuple[str, ...]:
    """Every path below `cell` that holds a value: what an axis may vary."""

    def walk(hint: Any, path: str) -> list[str]:
        inner, _ = without_none(hint)
        names = _legal_names(inner) if is_dataclass(inner) or _is_dict(inner) else ()
        if not names:
            return [] if _is_dict(inner) else [path]
        dotted = f"{path}." if path else ""
        return [leaf for name in names for leaf in walk(_item_hint(inner, name), f"{dotted}{name}")]

    return tuple(walk(CellConfig, ""))


def _is_dict(hint: Any) -> bool:
    return typing.get_origin(hint) is dict


@functools.cache
def leaf_hint(path: str) -> Any:
    """The type of one leaf path of a cell."""
    hint: Any = CellConfig
    for name in path.split("."):
        hint = _item_hint(without_none(hint)[0], name)
    return hint


@functools.cache
def scalar_type(path: str) -> type | None:
    """int, float, bool or str where a path of a cell holds one; None for lists and named sizes."""
    if path == SIZE_PATH:
        return None
    inner, _ = without_none(leaf_hint(path))
    return inner if inner in _WORDS else None


def check_path(path: str, node: Node, key: str) -> None:
    """Raises StudyError if an axis names no value of a cell."""
    if path in leaf_paths() or path == SIZE_PATH or _OF_COMMAND.fullmatch(path):
        return
    below = [leaf for leaf in leaf_paths() if leaf.startswith(f"{path}.")]
    if below:
        raise fail(node, key, f"{path} is a group; expected one of {', '.join(below)}")
    last = path.split(".")[-1]
    same = [leaf for leaf in leaf_paths() if leaf.split(".")[-1] == last]
    meant = f" (did you mean {' or '.join(same[:3])}?)" if same else near(path, leaf_paths())
    raise fail(
        node,
        key,
        f"unknown axis{meant}; expected the path of a value of `cell`, such as encoder.width",
    )


def complete(tree: dict[str, Any]) -> dict[str, Any]:
    """A cell's checked tree with every default filled in."""
    from omegaconf import OmegaConf

    merged = OmegaConf.merge(OmegaConf.structured(CellConfig), tree)
    return typing.cast(dict[str, Any], OmegaConf.to_container(merged))
