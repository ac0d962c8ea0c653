"""What a figure says, before it is drawn: numbers and words, and nothing of pixels."""

from dataclasses import dataclass, field
from typing import Any

X = int | float | str
"""A place on an x axis: a number, or the name of a category."""

MEASURED, THIN, UNIGRAM, PUBLISHED, STATED, LEVEL, BAR, CURVE = (
    "measured",
    "thin",
    "unigram",
    "published",
    "stated",
    "level",
    "bar",
    "curve",
)

NOT_RUN, NOT_PLANNED = "not\nrun", "not in\nstudy"
"""Notes under a tick with nothing measured: of the study's plan, or not even in it."""


@dataclass(kw_only=True, frozen=True)
class Point:
    """One place on the x axis of a series: a mean over seeds, or one published value."""

    x: X
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
    """One pair of axes over the categories `ticks`, or over numbers where there are none."""

    title: str
    subtitle: str
    """Units and what the marks mean; lines are divided by a line feed."""
    x_label: str
    ticks: tuple[X, ...] = ()
    tick_texts: dict[X, str] = field(default_factory=dict)
    """What stands under a tick, where that is not the category itself."""
    phrase: str = "{}"
    """How the first line of it is written in a sentence."""
    tick_notes: dict[X, str] = field(default_factory=dict)
    """What is missing at a tick."""
    series: tuple[Series, ...] = ()
    joined: bool = True
    """False where the categories have no order: no line joins their points."""
    zero_line: bool = False
    logarithmic: bool = False
    """The y axis."""
    message: str = ""
    """A sentence under the subtitle, where something could not be shown."""

    def tick_text(self, x: X) -> str:
        return self.tick_texts.get(x, str(x))


@dataclass(kw_only=True, frozen=True)
class Judged:
    """A claim of the paper as it stands on a figure."""

    verdict: str
    says: str
    effect: str


@dataclass(kw_only=True, frozen=True)
class Chart:
    """A whole figure: rows of one panel, of two, or of three that share their y axis."""

    figure: str
    title: str
    subtitle: str
    badge: str
    """`synthetic text`, `partly synthetic text`, or empty for real text."""
    rows: tuple[tuple[Panel, ...], ...]
    footer: tuple[str, ...]
    claims: tuple[Judged, ...] = ()
    absent_blocks: tuple[str, ...] = ()
    """Blocks that the figure can show and the results do not have."""
    facts: dict[str, Any] = field(default_factory=dict)
    """study, scale, sources, seeds, cells, and the reference rows that were used."""

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row]

    @property
    def missing(self) -> dict[str, list[str]]:
        """What is planned and not there, by its place on the x axis, over all panels."""
        found: dict[str, list[str]] = {}
        for panel in self.panels:
            for x, note in panel.tick_notes.items():
                text = " ".join(note.split())
                place = panel.phrase.format(panel.tick_text(x).strip().partition("\n")[0])
                if note != NOT_PLANNED and text not in found.setdefault(place, []):
                    found[place].append(text)
        return {place: notes for place, notes in found.items() if notes}
