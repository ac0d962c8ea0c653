"""A table as data: printed and measured rows, their intervals, footnotes, and what is missing."""

from dataclasses import dataclass

PRINTED, MEASURED, BASELINE = "printed", "measured", "baseline"
"""Kinds of rows. A baseline is what needs no text, such as the commonest label."""


@dataclass(kw_only=True, frozen=True)
class Value:
    """One number, or one word, as it is shown."""

    text: str
    """As printed, or rounded; without its interval."""
    number: float | None = None
    """Unrounded, in the table's unit; None for a word."""
    low: float | None = None
    """Lower end of the 95 % t interval over seeds; None where one seed gives none."""
    high: float | None = None
    seeds: tuple[int, ...] = ()
    """Seeds of pretraining that a measured number is a mean over."""
    notes: tuple[str, ...] = ()
    """Footnotes."""


Entry = tuple[Value, ...]
"""What stands in one place of a table: a value for each metric; nothing where there is none."""


@dataclass(kw_only=True, frozen=True)
class Row:
    """One row of a table."""

    kind: str
    """PRINTED, MEASURED or BASELINE."""
    label: str
    settings: tuple[str, ...]
    """One for each of the table's leading columns."""
    entries: tuple[Entry, ...]
    """One for each of its columns of numbers."""
    source: str
    """Paper and table; or study and scale."""
    synthetic: bool = False
    """Whether it was measured on generated text, or on a generated task."""
    stands_for: str = ""
    """The printed model in whose place a measured one was trained; empty where there is none."""
    cells: tuple[str, ...] = ()
    """Ids of the cells that a measured row is made from."""
    notes: tuple[str, ...] = ()
    """Footnotes on the whole row."""


@dataclass(kw_only=True, frozen=True)
class Section:
    """Rows under one heading, as the paper groups them by how a model was fine-tuned."""

    title: str
    rows: tuple[Row, ...]


@dataclass(kw_only=True, frozen=True)
class Gap:
    """Something that the table lacks, and the command that fills it."""

    what: str
    command: str


@dataclass(kw_only=True, frozen=True)
class Table:
    """A published table with the measured rows of one study, and of its sister studies, in it."""

    name: str
    """As a study declares it, such as xlmr_table_5."""
    title: str
    after: str
    """`Table 5 of Conneau et al. 2020 (arXiv 1911.02116)`."""
    settings: tuple[str, ...]
    """Headings of the leading columns, which say how a model was made."""
    columns: tuple[str, ...]
    """Headings of the columns of numbers: languages, tasks, or quantities."""
    metrics: tuple[str, ...]
    """What each entry holds, in order, such as F1 and EM."""
    unit: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    """Remarks on the whole table."""
    claims: tuple[str, ...] = ()
    """Verdicts of the study on what the table is said to show, a line each."""
    badge: str = ""
    """`synthetic text` where measured rows are made from it; else empty."""
    gaps: tuple[Gap, ...] = ()
    study: str
    scale: str
    results_sha256: str | None
    """Checksum of the declaring study's results file; None before its first run."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all sections, in order."""
        return tuple(row for section in self.sections for row in section.rows)
