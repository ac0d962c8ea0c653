"""A SentencePiece model file: pieces, scores and the flags that decide how text is cut.

The file is a protocol buffer (sentencepiece_model.proto in SentencePiece's repository). The library
tells the pieces but neither the normaliser's table nor the flags, so the few fields that are needed
are read here.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from model.errors import InputError

NORMAL, UNKNOWN, CONTROL = 1, 2, 3
"""Types of pieces: ordinary ones, <unk>, and those that no text becomes (<s>, </s>)."""
_KINDS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

STEP = 2.0**-9
"""Scores are rounded to multiples of this (nats)."""

Field = tuple[int, "int | bytes", int]
"""A field's number, its value, and where its content begins."""


@dataclass(kw_only=True)
class SentencePieceModel:
    """What a model file says. Defaults are the protocol buffer's."""

    pieces: list[tuple[str, float, int]] = field(default_factory=list)
    """Text, score and type of each piece."""
    kind: str = "unigram"
    byte_fallback: bool = False
    normalizer: str = ""
    """Name of the rule that text is normalised with."""
    charsmap: bytes = b""
    """The normaliser's precompiled table; empty if nothing is normalised."""
    add_dummy_prefix: bool = True
    remove_extra_whitespaces: bool = True
    escape_whitespaces: bool = True
    whitespace_as_suffix: bool = False


def read(content: bytes) -> SentencePieceModel:
    """Raises InputError for content that is no SentencePiece model."""
    model = SentencePieceModel()
    try:
        for number, value, _ in _fields(content):
            if number == 1:
                model.pieces.append(_piece(_content(value)))
            elif number == 2:
                _read_trainer(model, _content(value))
            elif number == 3:
                _read_normalizer(model, _content(value))
    except (ValueError, IndexError, struct.error) as error:
        raise InputError(f"expected a SentencePiece model, found other content ({error})") from None
    if not model.pieces:
        raise InputError("expected a SentencePiece model, found one without pieces")
    return model


def with_rounded_scores(content: bytes) -> bytes:
    """The same model with scores that are multiples of `STEP`.

    SentencePiece adds the scores of a line's pieces in 32 bits. As they come, their sum is rounded
    more and more along the line, so that which of two nearly equal cuts of a word is taken depends
    on where in the line it stands, and differs from what other programs take. Sums of multiples of
    2^-9 are exact up to 2^15 nats, some 3,000 pieces.
    """
    changed = bytearray(content)
    for number, value, begin in _fields(content):
        if number != 1:
            continue
        for inner, score, offset in _fields(_content(value)):
            if inner == 2:
                (exact,) = struct.unpack("<f", _content(score))
                struct.pack_into("<f", changed, begin + offset, round(exact / STEP) * STEP)
    return bytes(changed)


def _piece(content: bytes) -> tuple[str, float, int]:
    text, score, kind = "", 0.0, NORMAL
    for number, value, _ in _fields(content):
        if number == 1:
            text = _content(value).decode("utf-8")
        elif number == 2:
            (score,) = struct.unpack("<f", _content(value))
        elif number == 3 and isinstance(value, int):
            kind = value
    return text, score, kind


def _read_trainer(model: SentencePieceModel, content: bytes) -> None:
    for number, value, _ in _fields(content):
        if number == 3 and isinstance(value, int):
            model.kind = _KINDS.get(value, str(value))
        elif number == 24:
            model.whitespace_as_suffix = bool(value)
        elif number == 35:
            model.byte_fallback = bool(value)


def _read_normalizer(model: SentencePieceModel, content: bytes) -> None:
    for number, value, _ in _fields(content):
        if number == 1:
            model.normalizer = _content(value).decode("utf-8")
        elif number == 2:
            model.charsmap = _content(value)
        elif number == 3:
            model.add_dummy_prefix = bool(value)
        elif number == 4:
            model.remove_extra_whitespaces = bool(value)
        elif number == 5:
            model.escape_whitespaces = bool(value)


def _content(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where there should be content")
    return value


def _fields(content: bytes) -> Iterator[Field]:
    """The fields of a message."""
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(content, position)
            yield number, value, position
            continue
        if wire == _BYTES:
            length, position = _varint(content, position)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"a field of type {wire}")
        if position + length > len(content):
            raise ValueError("a field goes beyond the end")
        yield number, content[position : position + length], position
        position += length


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number that is too long")
