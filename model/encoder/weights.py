"""Safetensors files as bytes: tensors are copied, cut and joined, without torch.

A matrix lies in its file row after row, so a part of its rows is a stretch of bytes: renaming a
model's parameters, cutting fused matrices and joining them again is copying, exact to the bit, and
takes a few megabytes for any model. Only another precision needs arithmetic.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from model.errors import InputError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
BYTES = {"F32": 4, "F16": 2, "BF16": 2}
"""Bytes a value of each precision that a model's weights may have."""
_CHUNK = 1 << 23
_LONGEST_HEADER = 1 << 27
_LONGEST_NAME = 255
"""Bytes of a file's name, as Linux has them."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor, or a part of its rows, in a file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    """Where its bytes begin in the file."""

    @property
    def size(self) -> int:
        """Its bytes."""
        return prod(self.shape) * BYTES[self.dtype]

    def thirds(self) -> list["Stored"]:
        """The first, second and last third of its rows."""
        rows = self.shape[0] // 3
        step = self.size // 3
        shape = (rows, *self.shape[1:])
        return [
            Stored(file=self.file, dtype=self.dtype, shape=shape, offset=self.offset + part * step)
            for part in range(3)
        ]


def read_header(file: Path) -> dict[str, Stored]:
    """The tensors of a file by name. Raises InputError for a file that is cut short or damaged."""
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
                raise ValueError(f"its header would be {length} of {size} bytes")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        found = {name: _stored(file, 8 + length, entry) for name, entry in header.items()}
        end = max((8 + length + entry["data_offsets"][1] for entry in header.values()), default=0)
        if end != size:
            raise ValueError(f"its header describes {end} bytes, the file has {size}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{file}: expected a whole safetensors file, found that {error}. Copy or convert the "
            "file again"
        ) from None
    return found


def _stored(file: Path, data: int, entry: Mapping[str, Sequence[int]]) -> Stored:
    begin, end = entry["data_offsets"]
    dtype = str(entry["dtype"])
    shape = tuple(int(length) for length in entry["shape"])
    if dtype in BYTES and prod(shape) * BYTES[dtype] != end - begin:
        raise ValueError(f"a tensor {list(shape)} of {dtype} has {end - begin} bytes")
    return Stored(file=file, dtype=dtype, shape=shape, offset=data + begin)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model's folder. Raises InputError where there are none."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            names = sorted(set(index["weight_map"].values()), key=str)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{folder / INDEX}: expected `weight_map`, found that {error}"
            ) from None
        if outside := [name for name in names if not _is_name(name)]:
            raise InputError(
                f"{folder / INDEX}: expected names of files beside it, found "
                f"{str(outside[0])[:80]!r}"
            )
        if not names:
            raise InputError(f"{folder / INDEX}: expected names of files, found none")
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            told = ", ".join(missing)
            raise InputError(f"{folder}: expected the files that {INDEX} names, missing: {told}")
        return [folder / name for name in names]
    pickled = sorted(path.name for path in folder.glob("pytorch_model*.bin"))
    if pickled:
        raise InputError(
            f"{folder}: expected {WEIGHTS}, found {', '.join(pickled)}, which are pickles and can "
            "run any program when they are read. If you trust where they come from, convert them "
            "with transformers: AutoModelForMaskedLM.from_pretrained(FOLDER)"
            ".save_pretrained(NEW_FOLDER), and copy the tokenizer's files to NEW_FOLDER"
        )
    raise InputError(f"{folder}: expected {WEIGHTS} or {INDEX}, found neither")


def _is_name(name: object) -> bool:
    """Whether it names a file of the same folder."""
    return (
        isinstance(name, str)
        and name.isprintable()
        and name not in ("", ".", "..")
        and "/" not in name
        and len(name.encode()) <= _LONGEST_NAME
    )


def read_headers(files: Sequence[Path]) -> dict[str, Stored]:
    """The tensors of all the files of one model."""
    found: dict[str, Stored] = {}
    for file in files:
        found |= read_header(file)
    return found


def write(
    file: Path,
    tensors: Mapping[str, Sequence[Stored]],
    *,
    dtype: str = "F32",
    check_finite: bool = False,
) -> None:
    """Writes tensors, each the rows of its parts one after another, in one precision.

    Raises InputError for a value that is not finite, if that is to be checked.
    """
    shapes = {
        name: (sum(part.shape[0] for part in parts), *parts[0].shape[1:])
        for name, parts in tensors.items()
    }
    beginning, _ = _header(shapes, dtype, {"__metadata__": {"format": "pt"}})
    with file.open("wb") as stream:
        stream.write(beginning)
        for name, parts in tensors.items():
            for part in parts:
                for chunk in _converted(part, dtype):
                    if check_finite:
                        _require_finite(chunk, dtype, part.file, name)
                    stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())


def write_arrays(
    file: Path, shapes: Mapping[str, Sequence[int]], arrays: Iterable[tuple[str, np.ndarray]]
) -> None:
    """Writes fp32 tensors in any order, each as it comes: no more than one need be in memory.

    The file is, to the byte, the one of safetensors' `save_file`. Raises ValueError for a tensor
    that `shapes` does not describe, and where one of them has not come.
    """
    beginning, places = _header(dict(sorted(shapes.items())), "F32", {})
    with file.open("wb") as stream:
        stream.write(beginning)
        for name, values in arrays:
            if name not in places or values.shape != tuple(shapes[name]) or values.dtype != "<f4":
                raise ValueError(f"{name}: unexpected, or of another shape: {values.shape}")
            stream.seek(places.pop(name))
            stream.write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        if places:
            raise ValueError(f"{', '.join(sorted(places))}: not among the weights")


def _header(
    shapes: Mapping[str, Sequence[int]], dtype: str, more: Mapping[str, object]
) -> tuple[bytes, dict[str, int]]:
    """A file's beginning, and where the bytes of each tensor begin."""
    header, places = dict(more), {}
    position = 0
    for name, shape in shapes.items():
        end = position + prod(shape) * BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, end]}
        places[name] = position
        position = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of 8 bytes
    beginning = len(text).to_bytes(8, "little") + text
    return beginning, {name: len(beginning) + place for name, place in places.items()}


def require_finite(name: str, tensor: Stored) -> None:
    """Reads a tensor. Raises InputError if it holds NaN or an infinite value."""
    for chunk in _chunks(tensor):
        _require_finite(chunk, tensor.dtype, tensor.file, name)


def equal(first: Stored, second: Stored) -> bool:
    """Whether two tensors hold the same bytes."""
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        return False
    return all(a == b for a, b in zip(_chunks(first), _chunks(second), strict=True))


def _chunks(tensor: Stored) -> Iterator[bytes]:
    left = tensor.size
    with tensor.file.open("rb") as stream:
        stream.seek(tensor.offset)
        while left:
            chunk = _read(stream, min(left, _CHUNK), tensor.file)
            left -= len(chunk)
            yield chunk


def _read(stream: BinaryIO, size: int, file: Path) -> bytes:
    chunk = stream.read(size)
    if len(chunk) != size:
        raise InputError(f"{file}: the file has become shorter while it was read")
    return chunk


def _converted(tensor: Stored, dtype: str) -> Iterator[bytes]:
    """The tensor's bytes in another precision; the same bytes where it has it already."""
    for chunk in _chunks(tensor):
        yield chunk if tensor.dtype == dtype else _as_bytes(_as_floats(chunk, tensor.dtype), dtype)


def _as_floats(chunk: bytes, dtype: str) -> np.ndarray:
    if dtype == "BF16":  # the upper half of a 32-bit number
        return (np.frombuffer(chunk, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(chunk, "<f4" if dtype == "F32" else "<f2").astype("<f4")


def _as_bytes(values: np.ndarray, dtype: str) -> bytes:
    if dtype == "F32":
        return values.tobytes()
    bits = values.view("<u4")
    # To the nearest; halfway to the even one. NaN stays NaN.
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.where(np.isnan(values), 0x7FC0, rounded).astype("<u2").tobytes()


def _require_finite(chunk: bytes, dtype: str, file: Path, name: str) -> None:
    if not np.isfinite(_as_floats(chunk, dtype)).all():
        raise InputError(
            f"{file}: {name}: expected finite numbers, found NaN or infinity: the weights are "
            "damaged, or their training had diverged"
        )
