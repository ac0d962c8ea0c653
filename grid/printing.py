"""Text that may come from anyone, made safe to print: studies, logs and scores are not ours.

A terminal obeys control characters: with them a text could hide what it says, write into the
window's title, or answer for the user. Colours are let through.
"""

import re
from typing import Any, TextIO

_CONTROL = re.compile(
    "\x1b\\[[0-9;]{0,30}m|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]"
)
_COLOUR = "\x1b["


def safe(text: str) -> str:
    """The same with control characters, and those that turn the direction of text, spelt out."""
    return _CONTROL.sub(_spelt, text)


def _spelt(found: re.Match[str]) -> str:
    text = found[0]
    return text if text.startswith(_COLOUR) else ascii(text)[1:-1]


class SafeTerminal:
    """A terminal that is only written safe text. All else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(safe(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
