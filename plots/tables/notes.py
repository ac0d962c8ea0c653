"""Footnotes: letters in the order in which a reader meets them, each note once."""

import string

from plots.tables.table import Row, Table, Value


class Footnotes:
    """Letters of a table's footnotes, row by row."""

    def __init__(self, table: Table) -> None:
        self.letters: dict[str, str] = {}
        """Letter by note."""
        for row in table.rows:
            for note in (*row.notes, *(note for entry in row.entries
                                       for value in entry for note in value.notes)):  # fmt: skip
                if note not in self.letters:
                    self.letters[note] = _letter(len(self.letters))

    def of(self, item: Row | Value) -> list[str]:
        """The letters that stand at a row's label or at a value."""
        return [self.letters[note] for note in item.notes]


def _letter(number: int) -> str:
    """a to z, then aa, ab."""
    first, second = divmod(number, 26)
    return (string.ascii_lowercase[first - 1] if first else "") + string.ascii_lowercase[second]


def half_width(value: Value) -> float | None:
    """Half of a value's interval."""
    if value.low is None or value.high is None:
        return None
    return (value.high - value.low) / 2


def decimals(value: Value) -> int:
    """Digits behind the point, as shown."""
    return len(value.text.partition(".")[2])
