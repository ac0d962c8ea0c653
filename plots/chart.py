"""What a figure says, before it is drawn: numbers and words, and nothing of pixels."""

from dataclasses import dataclass, field
from typing import Any

MEASURED, THIN, UNIGRAM, PUBLISHED, STATED, LEVEL = (
    "measured",
    "thin",
    "unigram",
    "published",
    "stated",
    "level",
)

NOT_RUN, NOT_PLANNED = "not\nrun", "not in\nstudy"
"""Notes under a tick with nothing measured: of the study's plan, or not even in it."""


@dataclass(kw_only=True, frozen=True)
class Point:
    """One place on the x axis of a series: a mean over seeds, or one published value."""

    x: int
    mean: float
    low: float | None = None
    high: float | None = None
    seeds: dict[int, float] = field(default_factory=dict)
    """The value of each seed; empty for a published point."""
    expected_seeds: int = 0
    """Seeds that the block has; a point with fewer is marked."""
    cells: tuple[str, ...] = ()
    unseen: bool = False
    """True where a language of the mean is none that the cell was pretrained on."""

    @property
    def complete(self) -> bool:
        return len(self.seeds) >= self.expected_seeds


@dataclass(kw_only=True, frozen=True)
class Series:
    """Points of one meaning. `role` is a name of `style.ROLES`; `kind` is how it is drawn."""

    label: str
    role: str
    kind: str
    points: tuple[Point, ...]
    block: str = ""
    """The block of the study that was measured; empty for what was published."""


@dataclass(kw_only=True, frozen=True)
class Panel:
    """One pair of axes over the categories `ticks`."""

    title: str
    subtitle: str
    """Units and what the marks mean; lines are divided by a line feed."""
    ticks: tuple[int, ...]
    tick_labels: dict[int, str] = field(default_factory=dict)
    """A second line under a tick, such as the widths."""
    tick_notes: dict[int, str] = field(default_factory=dict)
    """What is missing at a tick."""
    series: tuple[Series, ...] = ()
    zero_line: bool = False
    message: str = ""
    """A sentence under the subtitle, where something could not be shown."""


@dataclass(kw_only=True, frozen=True)
class Chart:
    """A whole figure. A row of three panels shares its y axis and its labels."""

    figure: str
    title: str
    subtitle: str
    badge: str
    """`synthetic text`, `partly synthetic text`, or empty for real text."""
    rows: tuple[tuple[Panel, ...], ...]
    footer: tuple[str, ...]
    x_label: str
    absent_blocks: tuple[str, ...] = ()
    """Blocks that the figure can show and the results do not have."""
    facts: dict[str, Any] = field(default_factory=dict)
    """study, scale, sources, seeds, cells, and the reference rows that were used."""

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row]

    @property
    def missing(self) -> dict[int, list[str]]:
        """What is planned and not there, by number of languages, over all panels."""
        found: dict[int, list[str]] = {}
        for panel in self.panels:
            for x, note in panel.tick_notes.items():
                text = " ".join(note.split())
                if note != NOT_PLANNED and text not in found.setdefault(x, []):
                    found[x].append(text)
        return {x: notes for x, notes in sorted(found.items()) if notes}
