"""Content identity: one canonical encoding of a value, and the keys that are made from it.

Two equal configurations must have one encoding, today and in a year. So the encoder takes only
types that have a single obvious form and raises on everything else: a guess that turned a set, a
path or a NumPy number into text would make keys that depend on the machine. A new field of a
dataclass keeps old keys when it declares `field(metadata={"absent": value})`: it is left out while
it equals that value, which is what the older code meant. The algorithm has a version, so that a
change to this file can never pass for the same key.
"""

import dataclasses
import hashlib
import json
import math
import re
import typing
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any

from model.errors import InputError

ALGORITHM = 1
"""Version of the encoding. A change to it changes every key."""

_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.IGNORECASE)


class IdentityError(InputError):
    """A value without one canonical form: says which value, and at which path."""


def canonical(value: object) -> bytes:
    """The one encoding of `value`: JSON with sorted keys, without white space, in UTF-8.

    Takes dataclasses (as objects of their fields), dicts with str keys, lists and tuples (alike),
    str, bool, int, finite float (shortest form that reads back; -0.0 as 0.0) and None. An int in
    a field that is declared float is that float.
    """
    text = json.dumps(
        _plain(value, "value"),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text.encode("utf-8")


def digest(value: object) -> str:
    """16 hexadecimal digits (64 bits) of the SHA-256 of the canonical encoding."""
    return hashlib.sha256(canonical(value)).hexdigest()[:16]


def stage_key(
    stage: str, version: int, config: object, inputs: Mapping[str, str], slug: str
) -> str:
    """`slug-digest` of a stage: its version, its configuration and the keys of its inputs."""
    if not _SLUG.fullmatch(slug):
        raise IdentityError(f"slug: expected letters, digits, '.', '_' and '-', found {slug!r}")
    content = {
        "algorithm": ALGORITHM,
        "stage": stage,
        "version": version,
        "config": config,
        "inputs": dict(inputs),
    }
    return f"{slug}-{digest(content)}"


def plain(value: object) -> Any:
    """The same value as JSON types: what `canonical` encodes, with its fields left out as there."""
    return _plain(value, "value")


def _plain(value: object, path: str) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if kind is str:
        return _text(typing.cast(str, value), path)
    if kind is float:
        return _number(typing.cast(float, value), path)
    if kind is list or kind is tuple:
        items = typing.cast("list[object]", value)
        return [_plain(item, f"{path}[{index}]") for index, item in enumerate(items)]
    if kind is dict:
        return _mapping(typing.cast("dict[object, object]", value), path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value, path)
    raise IdentityError(
        f"{path}: a {kind.__module__}.{kind.__qualname__} has no canonical form. Expected a "
        f"dataclass, dict, list, str, bool, int, float or None, found {value!r}"
    )


def _text(value: str, path: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise IdentityError(f"{path}: text that is not Unicode: {value!r}") from None
    return value


def _number(value: float, path: str) -> float:
    if not math.isfinite(value):
        raise IdentityError(f"{path}: expected a finite number, found {value!r}")
    return value + 0.0  # -0.0 equals 0.0, so both must have one form


def _mapping(value: dict[object, object], path: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in value.items():
        if type(key) is not str:
            raise IdentityError(f"{path}: expected keys that are str, found {key!r}")
        result[_text(key, path)] = _plain(item, f"{path}.{key}")
    return result


def _fields(value: Any, path: str) -> dict[str, Any]:
    result = {}
    hints = _hints(typing.cast(typing.Hashable, type(value)))
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if type(item) is int and _is_float(hints[field.name]):
            item = float(item)
        encoded = _plain(item, f"{path}.{field.name}")
        if "absent" in field.metadata:
            absent = field.metadata["absent"]
            if type(absent) is int and _is_float(hints[field.name]):
                absent = float(absent)
            # Compared as encoded: True == 1 in Python, but they are different values here.
            if canonical(absent) == canonical(encoded):
                continue
        result[field.name] = encoded
    return result


@cache
def _hints(kind: typing.Hashable) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _is_float(hint: Any) -> bool:
    if typing.get_origin(hint) in (typing.Union, UnionType):
        options = typing.get_args(hint)
        return float in options and int not in options
    return hint is float
