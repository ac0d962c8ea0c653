"""A typed value from plain JSON, strictly: the inverse of `grid.identity.plain`.

A stage's configuration crosses a process boundary as JSON. Reading it back must give the same
typed value or fail: no key is ignored and no type is guessed.
"""

import dataclasses
import importlib
import types
import typing
from functools import cache
from typing import Any

from grid.errors import StoreError
from model.errors import InputError


def rebuild(kind: Any, value: Any, path: str = "config") -> Any:
    """`value` as `kind`: a dataclass, list[T], dict[str, T], T | None, a scalar type, or Any.

    Raises StoreError with the path of the first value that does not fit.
    """
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(kind, value, path)
    if dataclasses.is_dataclass(kind):
        return _dataclass(typing.cast(type, kind), value, path)
    if origin is list:
        _require(isinstance(value, list), path, "a list", value)
        (item,) = typing.get_args(kind)
        return [rebuild(item, each, f"{path}[{index}]") for index, each in enumerate(value)]
    if origin is dict:
        _require(isinstance(value, dict), path, "an object", value)
        _, item = typing.get_args(kind)
        return {key: rebuild(item, each, f"{path}.{key}") for key, each in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if kind in (str, bool, int, float):
        _require(type(value) is kind, path, kind.__name__, value)
        return value
    if kind is Any:
        return value
    raise TypeError(f"{path}: {kind!r} cannot be read from JSON")


def name_of(kind: type) -> str:
    """`module:Class`, by which `named` finds a configuration type in another process."""
    return f"{kind.__module__}:{kind.__qualname__}"


def named(name: str) -> type:
    """The dataclass that `name_of` named."""
    module, _, attribute = name.partition(":")
    kind = getattr(importlib.import_module(module), attribute, None)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise StoreError(f"config_type: expected the module:Class of a dataclass, found {name!r}")
    return kind


def recorded(config: typing.Mapping[str, Any]) -> Any | None:
    """The configuration in an artifact's config.json; None if other code than this made it."""
    if not config["config_type"].startswith("model."):
        return None  # nothing else is imported on the word of a file
    try:
        return rebuild(named(config["config_type"]), config["config"])
    except (InputError, ImportError, TypeError):
        return None  # its fields are not ours, or their values are not legal any more


def _union(kind: Any, value: Any, path: str) -> Any:
    options = typing.get_args(kind)
    if value is None and type(None) in options:
        return None
    rest = [option for option in options if option is not type(None)]
    if len(rest) != 1:
        raise TypeError(f"{path}: {kind!r} has more than one reading")
    return rebuild(rest[0], value, path)


def _dataclass(kind: type, value: Any, path: str) -> Any:
    _require(isinstance(value, dict), path, f"the fields of {kind.__name__}", value)
    hints = _hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    unknown = sorted(set(value) - set(fields))
    _require(not unknown, path, f"the fields of {kind.__name__}", unknown)
    given = {}
    for name, field in fields.items():
        if name in value:
            given[name] = rebuild(hints[name], value[name], f"{path}.{name}")
        elif "absent" in field.metadata:
            given[name] = field.metadata["absent"]
        else:
            raise StoreError(f"{path}.{name}: missing, {kind.__name__} needs it")
    return kind(**given)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _require(condition: bool, path: str, expected: str, found: Any) -> None:
    if not condition:
        raise StoreError(f"{path}: expected {expected}, found {found!r}")
