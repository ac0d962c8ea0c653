"""Lines of a published file, numbered, with memory bounded, and how a faulty one is told.

A line ends with LF or CRLF and with nothing else: fields may hold every other separator that
Unicode has. A byte-order mark is left out. Quotes are characters like any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from model.errors import InputError

LONGEST_LINE = 1 << 20
"""Bytes. The longest of the published files, MultiNLI's with their parses, have some 20,000."""
_BOM = b"\xef\xbb\xbf"


@dataclass(kw_only=True)
class Reading:
    """What a reader is asked for, and what it counts."""

    labels: tuple[str, ...] = ()
    languages: tuple[str, ...]
    """One, but for a file that holds several."""
    training: bool
    aligned: Path | None = None
    left_out: int = 0
    """Examples that the publishers themselves tell everyone to leave out."""
    misplaced: int = 0
    """Answers of a test file that do not stand at their offset."""

    @property
    def language(self) -> str:
        """Of a file that holds one."""
        return self.languages[0]


def fail(path: Path, number: int, expected: str, found: str) -> NoReturn:
    """Raises InputError about a line."""
    raise InputError(f"{path}, line {number}: expected {expected}, found {found}")


def numbered(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The lines from 1 on, without their ends. Raises InputError for what is no text."""
    try:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE + 2):
                number += 1
                if number == 1:
                    line = line.removeprefix(_BOM)
                if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                    fail(
                        path,
                        number,
                        f"lines of at most {LONGEST_LINE} bytes",
                        f"a longer one that begins {text_of(path, number, line[:60], 'latin-1')!r}",
                    )
                yield number, text_of(path, number, line, encoding)
    except OSError as error:
        raise InputError(
            f"{path}: expected a file that can be read, found: {error.strerror}"
        ) from error
    if number == 0:
        raise InputError(f"{path}: expected examples, found an empty file. Fetch it again")


def text_of(path: Path, number: int, line: bytes, encoding: str) -> str:
    """A line as text, without its end."""
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    if b"\0" in line:
        fail(path, number, "text", f"a NUL byte at {line.index(0)}: UTF-16, or no text at all")
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        fail(
            path,
            number,
            "UTF-8",
            f"byte {line[error.start]:#04x} at {error.start}. Convert the file with iconv",
        )


def is_utf8(path: Path) -> bool:
    """Whether all lines are UTF-8. Raises InputError for a line that is too long to be text."""
    return all(_decodes(line) for _, line in numbered(path, "latin-1"))


def _decodes(line: str) -> bool:
    try:
        line.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
