"""HTML that escapes by default, and numbers as a page shows them."""

import html
import json
import math
from typing import Any

_EMPTY = {"br", "circle", "col", "hr", "input", "line", "meta", "path", "rect"}
"""Elements without content, and SVG's shapes, which have none here."""


class Html(str):
    """Text that is HTML already; every other text is escaped where it enters an element."""

    __slots__ = ()


def tag(name: str, *children: Any, **attributes: Any) -> Html:
    """One element. A child may be text, a number, Html, or any nesting of these in lists.

    Attributes: `class_` and `for_` lose their underscore, others become hyphens; None and False
    leave one out, as they do a child, True writes it without a value.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY:
        return Html(f"<{name}{written}/>")  # SVG wants the slash, HTML lets it stand
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Any) -> Html:
    """Children one after the other, escaped unless they are Html."""
    if children is None or children is False:
        return Html("")
    if isinstance(children, Html):
        return children
    if isinstance(children, str | int | float):
        return Html(html.escape(str(children)))
    return Html("".join(map(join, children)))


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    key = key.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{html.escape(str(value))}"'


def data(id: str, value: Any) -> Html:
    """A value for the script, as JSON that cannot end its element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return tag("script", Html(safe), id=id, type="application/json")


def compact(value: float | None) -> float | None:
    """A number for `data`, in five digits; None for what JSON has no word for."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def number(value: float | int | None, digits: int = 3) -> str:
    """`1,234`, `0.451`, `−4.2e-05`; an en dash for none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if value < 0:
        return "−" + number(-value, digits)
    if isinstance(value, int) or (value >= 1000 and value.is_integer()):
        return f"{int(value):,}"
    if 0 < value < 0.5 * 10**-digits:
        return f"{value:.1e}"
    return f"{value:,.{digits}f}" if value < 1000 else f"{value:,.0f}"


def signed(value: float, digits: int = 3) -> str:
    """With its sign, the minus being one: `+0.012`, `−0.300`."""
    return ("+" if value >= 0 else "−") + number(abs(value), digits)


def short(value: float | None) -> str:
    """`6.2M`, `810k`: counts that are read, not computed with."""
    if value is None:
        return "–"
    for power, unit in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if abs(value) >= 10**power:
            return f"{value / 10**power:.3g}{unit}"
    return f"{value:,.3g}"


def plural(count: int, noun: str) -> str:
    """`3 seeds`, which no line ends within."""
    return f"{count:,}\u00a0{noun}" if count == 1 else f"{count:,}\u00a0{noun}s"
