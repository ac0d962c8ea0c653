"""The values of one axis: a list, or a series such as {range: [1, 40]} or geom(32k, 512k, 5)."""

import math

from grid.numbers import Number, SeriesError, geometric, series_call, steps, suffixed
from grid.tree import Node, expect_keys, expect_list, fail, found

MAX_VALUES = 1_000_000
_FORMS = {
    "range": "{range: [first, last]} or {range: [first, last, step]}",
    "geom": "{geom: [first, last, count]}",
}
_EXPECTED = "a list of values, {range: [first, last]} or {geom: [first, last, count]}"


def axis_values(node: Node, key: str, kind: type | None = None) -> list[Node]:
    """The values of one axis, series written out with both ends included. Raises StudyError.

    kind: the type of the field that the axis sets: values of an int are rounded to integers, and
    numbers may have suffixes.
    """
    if isinstance(node.value, str) and (call := series_call(node.value)) is not None:
        name, arguments = call
        items = [Node(_unquoted(text), node.origin) for text in arguments]
        return _series(name, items, node, key, kind)
    if isinstance(node.value, dict):
        written = expect_keys(node, key, tuple(_FORMS))
        if len(written) != 1:
            raise fail(node, key, f"expected {_EXPECTED}, found {found(node)}")
        ((name, arguments_node),) = written.items()
        return _series(name, expect_list(arguments_node, f"{key}.{name}"), node, key, kind)
    if not isinstance(node.value, list):
        raise fail(node, key, f"expected {_EXPECTED}, found {found(node)}")
    if not node.value:
        raise fail(node, key, "expected at least one value: with none, the block would be empty")
    return [_plain_number(item, kind) for item in node.value]


def _plain_number(node: Node, kind: type | None) -> Node:
    """`150k` as the number that it is, where a number is expected."""
    if kind in (int, float) and isinstance(node.value, str):
        number = suffixed(node.value)
        return node if number is None else Node(number, node.origin)
    return node


def _unquoted(text: str) -> Number | str:
    number = suffixed(text)
    if number is not None:
        return number
    digits = text.replace("_", "")
    try:
        return int(digits) if digits.lstrip("+-").isdigit() else float(digits)
    except ValueError:
        return text


def _series(
    name: str, arguments: list[Node], node: Node, key: str, kind: type | None
) -> list[Node]:
    numbers = [_plain_number(item, float).value for item in arguments]
    lengths = (2, 3) if name == "range" else (3,)
    if len(numbers) not in lengths or not all(map(_is_finite, numbers)):
        raise fail(node, key, f"expected {_FORMS[name]} with numbers")
    try:
        first, last, third = numbers if len(numbers) == 3 else (*numbers, 1)
        if name == "range":
            values = steps(first, last, third, MAX_VALUES)
        else:
            values = geometric(first, last, third, kind is int, MAX_VALUES)
    except SeriesError as error:
        raise fail(node, key, str(error)) from None
    return [Node(value, node.origin) for value in values]


def _is_finite(value: object) -> bool:
    return type(value) is int or (isinstance(value, float) and math.isfinite(value))
