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
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from json.encoder import encode_basestring
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
    return Encoder().whole(value).encode("utf-8")


def digest(value: object, encoder: "Encoder | None" = None) -> str:
    """16 hexadecimal digits (64 bits) of the SHA-256 of the canonical encoding."""
    return _digest((encoder or Encoder()).whole(value))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def stage_key(
    stage: str,
    version: int,
    config: object,
    inputs: "Mapping[str, str] | EncodedInputs",
    slug: str,
    encoder: "Encoder | None" = None,
) -> str:
    """`slug-digest` of a stage: its version, its configuration and the keys of its inputs."""
    if not _SLUG.fullmatch(slug):
        raise IdentityError(f"slug: expected letters, digits, '.', '_' and '-', found {slug!r}")
    encoder = encoder or Encoder()
    if not isinstance(inputs, EncodedInputs):
        inputs = EncodedInputs.of(inputs)
    return f"{slug}-" + _digest(
        f'{{"algorithm":{ALGORITHM},"config":{encoder.whole(config)},"inputs":{{{inputs.text}}},'
        f'"stage":{_quoted(stage)},"version":{version}}}'
    )


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedInputs:
    """Keys of a stage's inputs by role, encoded once for all stages that share them."""

    text: str
    """The canonical encoding, without its braces."""

    @classmethod
    def of(cls, keys: Mapping[str, str]) -> "EncodedInputs":
        return cls(Encoder().whole(dict(keys))[1:-1])

    def then(self, other: "EncodedInputs") -> "EncodedInputs":
        """These and the others, all of whose roles sort behind these."""
        return EncodedInputs(",".join([part.text for part in (self, other) if part.text]))


def plain(value: object) -> Any:
    """The same value as JSON types: what `canonical` encodes, with its fields left out as there."""
    return json.loads(canonical(value))


class Encoder:
    """Writes values in their canonical form, and remembers the parts of them that come again.

    Cells share most of their parts, so with one encoder for all of them a part is written once.
    What it has seen must not change while it is in use.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, str]] = {}

    def whole(self, value: object) -> str:
        """The encoding of a value of which only the parts come again. Raises IdentityError."""
        try:
            write = _SCALARS.get(type(value))
            return self._container(value) if write is None else write(value)
        except _FormError as fault:
            raise IdentityError(f"value{_path_to_fault(value)}: {fault}") from None

    def _text(self, value: object) -> str:
        write = _SCALARS.get(type(value))
        if write is not None:
            return write(value)
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        text = self._container(value)
        # The value is kept with its text, so that no other value can get its id.
        self._known[id(value)] = (value, text)
        return text

    def _container(self, value: Any) -> str:
        kind = type(value)
        if kind is list or kind is tuple:
            return f"[{','.join([self._text(item) for item in value])}]"
        if kind is dict:
            for key in value:
                if type(key) is not str:
                    raise _FormError(f"expected keys that are str, found {key!r}")
            return _object({key: self._text(item) for key, item in sorted(value.items())})
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._fields(value)
        raise _FormError(
            f"a {kind.__module__}.{kind.__qualname__} has no canonical form. Expected a "
            f"dataclass, dict, list, str, bool, int, float or None, found {value!r}"
        )

    def _fields(self, value: Any) -> str:
        parts = []
        for field in _encoded_fields(typing.cast(typing.Hashable, type(value))):
            item = getattr(value, field.name)
            if field.is_float and type(item) is int:
                item = float(item)
            text = self._text(item)
            # Compared as encoded: True == 1 in Python, but they are different values here.
            if text != field.absent:
                parts.append(f"{field.quoted}:{text}")
        return f"{{{','.join(parts)}}}"


class _FormError(ValueError):
    """A value without a canonical form; where it stands is found out afterwards."""


def _path_to_fault(value: Any) -> str:
    """Where in a value the first part without a canonical form stands: `.inputs[3]`."""
    children: list[tuple[str, Any]] = []
    if type(value) is list or type(value) is tuple:
        children = [(f"[{index}]", item) for index, item in enumerate(value)]
    elif type(value) is dict and all(type(key) is str for key in value):
        children = [(f".{key}", item) for key, item in value.items()]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        children = [
            (f".{field.name}", getattr(value, field.name)) for field in dataclasses.fields(value)
        ]
    for name, child in children:
        try:
            Encoder()._text(child)
        except _FormError:
            return f"{name}{_path_to_fault(child)}"
    return ""


@lru_cache(maxsize=100_000)
def _quoted(value: str) -> str:
    try:
        _ = value.isascii() or value.encode("utf-8")
    except UnicodeEncodeError:
        raise _FormError(f"text that is not Unicode: {value!r}") from None
    return encode_basestring(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise _FormError(f"expected a finite number, found {value!r}")
    return float.__repr__(value + 0.0)  # -0.0 equals 0.0, so both must have one form


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: int.__repr__,
    float: _number,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
}
"""How text, numbers, true, false and null are written; all else is a container or has no form."""


def _object(texts: Mapping[str, str]) -> str:
    """A JSON object of values that are encoded, its keys sorted."""
    return f"{{{','.join([f'{_quoted(key)}:{text}' for key, text in texts.items()])}}}"


@dataclasses.dataclass(frozen=True)
class _Field:
    """How one field of a dataclass is encoded."""

    name: str
    quoted: str
    is_float: bool
    absent: str | None
    """The encoding at which the field is left out."""


@cache
def _encoded_fields(kind: Any) -> tuple[_Field, ...]:
    """The fields of a dataclass in the order of their encoding."""
    hints = typing.get_type_hints(kind)
    result = []
    for field in sorted(dataclasses.fields(kind), key=lambda field: field.name):
        is_float = _is_float(hints[field.name])
        absent = None
        if "absent" in field.metadata:
            value = field.metadata["absent"]
            if is_float and type(value) is int:
                value = float(value)
            absent = canonical(value).decode("utf-8")
        result.append(_Field(field.name, encode_basestring(field.name), is_float, absent))
    return tuple(result)


def _is_float(hint: Any) -> bool:
    if typing.get_origin(hint) in (typing.Union, UnionType):
        options = typing.get_args(hint)
        return float in options and int not in options
    return hint is float
