"""`encoder.size: base|large|xl|xxl`: the published sizes as a shorthand of the study language.

A size is written out before anything is typed or hashed, so a cell that names one and a cell that
spells it out are one cell. What stands beside it in the same mapping, or is laid over it later,
wins; what an earlier layer said about these fields is replaced.
"""

from collections.abc import Mapping
from typing import Any

from grid.tree import Node, fail, found, near
from model.config import EncoderConfig

SIZE_PATH = "encoder.size"
_SHAPE = ("layers", "width", "heads", "feed_forward", "norm", "pad_vocab_to")
SIZES: dict[str, dict[str, Any]] = {
    # Conneau et al. 2020, Table 7; Goyal et al. 2021, Section 2; the released configurations.
    # No `feed_forward` is 4 x width, which all four have. 250,880 rows are a multiple of 1,024.
    name: dict(zip(_SHAPE, shape, strict=True))
    for name, shape in {
        "base": (12, 768, 12, None, "post", 1),
        "large": (24, 1024, 16, None, "post", 1),
        "xl": (36, 2560, 32, None, "pre", 1024),
        "xxl": (48, 4096, 32, None, "pre", 1024),
    }.items()
}
SIZE_FIELDS = tuple(f"encoder.{name}" for name in _SHAPE)
"""Paths that a size sets."""


def written_out(size: Node, key: str) -> dict[str, Node]:
    """The fields of a named size by name, all at the place where the size stands."""
    if not isinstance(size.value, str):
        raise fail(size, key, f"expected one of {', '.join(SIZES)}, found {found(size)}")
    if size.value not in SIZES:
        meant = near(size.value, SIZES)
        raise fail(
            size, key, f"unknown size {size.value!r}{meant}; expected one of {', '.join(SIZES)}"
        )
    return {name: Node(value, size.origin) for name, value in SIZES[size.value].items()}


def resolve(cell: Node, key: str) -> Node:
    """A `cell` mapping with its `encoder.size` written out; others are returned as they are."""
    encoder = cell.value.get("encoder") if isinstance(cell.value, dict) else None
    if encoder is None or not isinstance(encoder.value, dict) or "size" not in encoder.value:
        return cell
    fields = dict(encoder.value)
    fields = {**written_out(fields.pop("size"), f"{key}.{SIZE_PATH}"), **fields}
    return Node({**cell.value, "encoder": Node(fields, encoder.origin)}, cell.origin)


def spread(point: Mapping[str, Node], key: str) -> dict[str, Node]:
    """The paths that a point sets, its named size written out."""
    size = point.get(SIZE_PATH)
    if size is None:
        return dict(point)
    fields = {f"encoder.{name}": node for name, node in written_out(size, key).items()}
    return {**fields, **{path: node for path, node in point.items() if path != SIZE_PATH}}


def size_of(encoder: EncoderConfig) -> str | None:
    """The name of the published size that an encoder has, if it has one."""
    inner = None if encoder.feed_forward_size == 4 * encoder.width else encoder.feed_forward
    own = {field: getattr(encoder, field) for field in _SHAPE} | {"feed_forward": inner}
    return next((name for name, shape in SIZES.items() if shape == own), None)
