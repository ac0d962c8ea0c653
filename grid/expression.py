"""Conditions that a study writes, as in `where: count(languages) <= 30 and encoder.width < 1k`.

A small language of its own with a parser of its own: a stranger's file is read without Python's
`eval`. It has numbers (with suffixes), text in quotes, true, false, null, names of axes,
count(NAME), comparisons (also chained), `in [...]`, and/or/not, and + - * / // % **. The length
of a condition, its depth and the size of its numbers are bounded. An error has the column.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.numbers import suffixed
from grid.tree import near

MAX_LENGTH = 1000
MAX_DEPTH = 30
MAX_EXPONENT = 64
MAX_BITS = 256
"""Whole numbers beyond 2^256 are refused: no study means them."""

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?[kKMBT]?(?![A-Za-z0-9_.]))
  | (?P<text>'[^']*'|"[^"]*")
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
  | (?P<sign>\*\*|//|<=|>=|==|!=|[-+*/%<>()\[\],])
  | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_WORDS = ("and", "or", "not", "in", "true", "false", "null", "count")
_CONSTANTS = {"true": True, "false": False, "null": None}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_BINARY: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
    "//": (2, operator.floordiv),
    "%": (2, operator.mod),
}

Value = int | float | str | bool | None
Names = Mapping[str, Value]
"""The value of every name at a point; `count(NAME)` stands under that very text."""
Evaluate = Callable[[Names], Any]


class ExpressionError(ValueError):
    """What is wrong with a condition, and at which column (from 1) of its text."""

    def __init__(self, text: str, column: int) -> None:
        super().__init__(f"{text} (column {column})")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition that has been parsed: called with a point's values, it is true or false."""

    text: str
    evaluate: Evaluate

    def __call__(self, names: Names) -> bool:
        """Raises ExpressionError where an operation has no result, such as 1 / 0."""
        return _boolean(self.evaluate(names), 1, "the condition")


def parse(text: str, names: Sequence[str], countable: Sequence[str] = ()) -> Condition:
    """The condition in a text that may use these names, and count() of those.

    Raises ExpressionError.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"expected at most {MAX_LENGTH} characters, found {len(text)}", MAX_LENGTH
        )
    parser = _Parser(_tokens(text), names, countable)
    evaluate = parser.either()
    parser.expect("", "the end, or an operator")
    return Condition(text=text, evaluate=evaluate)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionError(_unreadable(text[start:]), start + 1)
        kind = match.lastgroup
        tokens.append(_Token(kind, match[kind], match.start(kind) + 1))
        position = match.end()
    return tokens


def _unreadable(rest: str) -> str:
    meant = {"=": "==", "&": "and", "|": "or", "!": "not"}.get(rest[0])
    if rest[0] in "'\"":
        return f"the text {rest[:20]} has no closing quote"
    if rest[0].isdigit():
        written = re.split(r"[\s()\[\],*/%<>=+-]", rest, maxsplit=1)[0]
        return f"expected a number, found {written!r} (the suffixes are k, M, B and T)"
    return f"unexpected {rest[0]!r}" + (f" (did you mean {meant}?)" if meant else "")


class _Parser:
    """Recursive descent; each method reads one level of precedence, the weakest first."""

    def __init__(
        self, tokens: Sequence[_Token], names: Sequence[str], countable: Sequence[str]
    ) -> None:
        self.tokens, self.names, self.countable = tokens, names, countable
        self.position = 0
        self.depth = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.position]

    def take(self) -> _Token:
        token = self.next
        self.position += 1
        return token

    def is_next(self, *texts: str) -> bool:
        return self.next.kind in ("sign", "name") and self.next.text in texts

    def expect(self, text: str, what: str) -> _Token:
        token = self.next
        if token.text != text or token.kind == "text":
            shown = "the end" if token.kind == "end" else token.text
            raise ExpressionError(f"expected {what}, found {shown}", token.column)
        return self.take() if text else token

    def deeper(self, read: Callable[[], Evaluate]) -> Evaluate:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError("nested too deeply", self.next.column)
        result = read()
        self.depth -= 1
        return result

    def either(self) -> Evaluate:
        """a or b, a and b, as in Python; both sides are true or false."""
        return self._joined("or", lambda: self._joined("and", self.negation))

    def _joined(self, word: str, read: Callable[[], Evaluate]) -> Evaluate:
        parts = [(read(), self.next.column)]
        while self.is_next(word):
            column = self.take().column
            parts.append((read(), column))
        if len(parts) == 1:
            return parts[0][0]
        all_or_any = all if word == "and" else any
        return lambda names: all_or_any(
            _boolean(part(names), column, f"a side of `{word}`") for part, column in parts
        )

    def negation(self) -> Evaluate:
        if not self.is_next("not"):
            return self.comparison()
        column = self.take().column
        inner = self.deeper(self.negation)
        return lambda names: not _boolean(inner(names), column, "what `not` turns round")

    def comparison(self) -> Evaluate:
        """a < b <= c, a in [b, c], a not in [b, c]; chained as in Python."""
        first = self.arithmetic(1)
        links: list[tuple[Callable[[Any, Any], bool], Evaluate]] = []
        while True:
            token = self.next
            if token.kind == "sign" and token.text in _COMPARE:
                self.take()
                links.append((_comparing(token), self.arithmetic(1)))
            elif self.is_next("in") or (self.is_next("not") and self._follows("in")):
                negated = self.take().text == "not"
                if negated:
                    self.take()
                links.append((_containing(token, negated), self.list()))
            else:
                break
        if not links:
            return first

        def chain(names: Names) -> bool:
            left = first(names)
            for compare, read in links:
                right = read(names)
                if not compare(left, right):
                    return False
                left = right
            return True

        return chain

    def _follows(self, text: str) -> bool:
        return self.tokens[min(self.position + 1, len(self.tokens) - 1)].text == text

    def list(self) -> Evaluate:
        self.expect("[", "a list such as [1, 2] after `in`")
        items = []
        while not self.is_next("]"):
            items.append(self.deeper(lambda: self.arithmetic(1)))
            if not self.is_next("]"):
                self.expect(",", "`,` or `]`")
        self.take()
        return lambda names: [item(names) for item in items]

    def arithmetic(self, level: int) -> Evaluate:
        """+ and - at level 1; * / // and % at level 2."""
        if level > 2:
            return self.signed()
        result = self.arithmetic(level + 1)
        while self.next.kind == "sign" and _BINARY.get(self.next.text, (0,))[0] == level:
            token = self.take()
            result = _operation(token, result, self.arithmetic(level + 1))
        return result

    def signed(self) -> Evaluate:
        if not self.is_next("-", "+"):
            return self.power()
        token = self.take()
        inner = self.deeper(self.signed)
        sign = -1 if token.text == "-" else 1
        return lambda names: sign * _number(inner(names), token)

    def power(self) -> Evaluate:
        base = self.atom()
        if not self.is_next("**"):
            return base
        token = self.take()
        exponent = self.deeper(self.signed)
        return lambda names: _power(
            _number(base(names), token), _number(exponent(names), token), token
        )

    def atom(self) -> Evaluate:
        token = self.take()
        if token.kind == "number":
            value = _literal(token)
            return lambda names: value
        if token.kind == "text":
            text = token.text[1:-1]
            return lambda names: text
        if token.kind == "name" and token.text in _CONSTANTS:
            constant = _CONSTANTS[token.text]
            return lambda names: constant
        if token.text == "(" and token.kind == "sign":
            inner = self.deeper(self.either)
            self.expect(")", "`)`")
            return inner
        if token.kind == "name" and token.text not in ("and", "or", "not", "in"):
            return self.count(token) if token.text == "count" else self.name(token)
        shown = "the end" if token.kind == "end" else token.text
        raise ExpressionError(f"expected a value, found {shown}", token.column)

    def name(self, token: _Token) -> Evaluate:
        name = token.text
        if self.is_next("("):
            raise ExpressionError(
                f"{name} is no function; the only one is count(NAME)", token.column
            )
        if name in self.names:
            return lambda names: names[name]
        last = name.split(".")[-1]
        same = [legal for legal in self.names if legal.split(".")[-1] == last]
        meant = f" (did you mean {same[0]}?)" if same else near(name, (*self.names, *_WORDS))
        raise ExpressionError(
            f"unknown name {name}{meant}; the axes here are {', '.join(self.names)}; text stands "
            "in quotes",
            token.column,
        )

    def count(self, token: _Token) -> Evaluate:
        self.expect("(", "`(` after count")
        inner = self.take()
        if inner.kind != "name" or inner.text not in self.countable:
            legal = ", ".join(self.countable) or "none of the axes here"
            raise ExpressionError(
                f"count() takes an axis of languages ({legal}), found {inner.text!r}", inner.column
            )
        self.expect(")", "`)`")
        key = f"count({inner.text})"
        return lambda names: names[key]


def _literal(token: _Token) -> int | float:
    text = token.text.replace("_", "")
    value = suffixed(text)
    if value is None:
        try:
            value = int(text) if text.isdigit() else float(text)
        except ValueError:
            raise ExpressionError(
                f"expected a number, found {token.text!r}", token.column
            ) from None
    return _bounded(value, token)


def _boolean(value: Any, column: int, what: str) -> bool:
    if type(value) is not bool:
        raise ExpressionError(f"expected {what} to be true or false, found {value!r}", column)
    return value


def _number(value: Any, token: _Token) -> int | float:
    if type(value) not in (int, float):
        raise ExpressionError(
            f"expected a number beside {token.text}, found {value!r}", token.column
        )
    return value


def _bounded(value: Any, token: _Token) -> int | float:
    if type(value) is int and value.bit_length() > MAX_BITS:
        raise ExpressionError(f"a whole number beyond 2**{MAX_BITS}", token.column)
    if type(value) is float and not math.isfinite(value):
        raise ExpressionError("a number too large", token.column)
    if type(value) not in (int, float):
        raise ExpressionError("a power without a real result", token.column)
    return value


def _operation(token: _Token, left: Evaluate, right: Evaluate) -> Evaluate:
    apply = _BINARY[token.text][1]

    def run(names: Names) -> int | float:
        first, second = _number(left(names), token), _number(right(names), token)
        try:
            return _bounded(apply(first, second), token)
        except ZeroDivisionError:
            raise ExpressionError("division by zero", token.column) from None
        except OverflowError:
            raise ExpressionError("a number too large", token.column) from None

    return run


def _power(base: int | float, exponent: int | float, token: _Token) -> int | float:
    if abs(exponent) > MAX_EXPONENT:
        raise ExpressionError(
            f"expected an exponent of at most {MAX_EXPONENT}, found {exponent}", token.column
        )
    try:
        return _bounded(base**exponent, token)
    except ZeroDivisionError:
        raise ExpressionError("division by zero", token.column) from None
    except OverflowError:
        raise ExpressionError("a number too large", token.column) from None


def _alike(left: Any, right: Any) -> bool:
    """Whether two values can be compared: both numbers, both text, or both true or false."""
    numbers = type(left) in (int, float) and type(right) in (int, float)
    return numbers or type(left) is type(right)


def _comparing(token: _Token) -> Callable[[Any, Any], bool]:
    compare = _COMPARE[token.text]
    equality = token.text in ("==", "!=")

    def run(left: Any, right: Any) -> bool:
        if equality and (left is None or right is None):
            return compare(left, right)
        ordered = type(left) in (int, float, str)
        if not _alike(left, right) or not (equality or ordered):
            raise ExpressionError(f"cannot compare {left!r} with {right!r}", token.column)
        return compare(left, right)

    return run


def _containing(token: _Token, negated: bool) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: list[Any]) -> bool:
        for item in right:
            if left is not None and item is not None and not _alike(left, item):
                raise ExpressionError(f"cannot compare {left!r} with {item!r}", token.column)
        return (left in right) is not negated

    return run
