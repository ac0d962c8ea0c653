"""The look that all figures share: colours, marks, type sizes, and how a figure is saved.

Colours are Okabe and Ito's (2008), told apart with every common colour blindness and, by lightness
and mark, in grey. DejaVu Sans comes with matplotlib, so a figure looks the same on every machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

INK, MUTED, FAINT, PAPER = "#1a1a1a", "#595959", "#d9d9d9", "#ffffff"
BLUE, SKY, GREEN, VERMILION, PURPLE, ORANGE = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#E69F00",
)
TITLE, HEADING, LABEL, SMALL, TINY = 11.0, 8.6, 7.6, 7.0, 6.4
"""Type sizes in points, for a panel that is 3.4 inches wide."""
FORMATS = ("png", "svg", "pdf")
DPI = 200


@dataclass(kw_only=True, frozen=True)
class Role:
    """How one meaning looks wherever it stands; `shift` keeps intervals from covering another."""

    colour: str
    marker: str
    shift: float = 0.0
    text: str = ""
    """Colour of words where the mark's own is too light to read."""
    tint: str = PAPER
    """Fill of bars that show something published."""
    bar: float = 0.84
    """Width of bars: narrower for those that stand in front of others."""


ROLES = {
    "low": Role(colour=VERMILION, marker="o", shift=-0.13),
    "high": Role(colour=BLUE, marker="s", shift=0.13),
    "all": Role(colour=INK, marker="D"),
    "sw": Role(colour=VERMILION, marker="^", shift=-0.08),
    "ur": Role(colour="#8A3B00", marker="v", shift=0.08),
    "fixed": Role(colour=INK, marker="D", shift=-0.08),
    "wider": Role(colour=GREEN, marker="o", shift=0.08, text="#00755A"),
    "exposure": Role(colour=BLUE, marker="s", shift=0.0),
    "tokenizer": Role(colour=PURPLE, marker="o", shift=0.13, text="#8F3F72"),
    "relief": Role(colour=GREEN, marker="o", shift=-0.08, text="#00755A"),
    "baseline": Role(colour=MUTED, marker=""),
    "wikipedia": Role(colour=BLUE, marker="s", shift=-0.1, tint="#C9E1F0", bar=0.5),
    "commoncrawl": Role(colour=ORANGE, marker="o", shift=0.1, text="#8F5F00", tint="#FBE9C4"),
}
SHADES = ("#E3B23C", "#94B447", "#3FA37C", "#22808D", "#33598C", "#3E2165")
"""From light to dark, an order of its own for lines that have one; told apart in grey too."""
ROLES |= {
    f"shade {number}": Role(colour=colour, marker="", text=INK)
    for number, colour in enumerate(SHADES, 1)
}

VERDICTS = {"holds": "#00755A", "fails": "#B04A00"}
"""Colours of a verdict's word; every other one is muted."""

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": LABEL,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#ececec",
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": LABEL,
    "ytick.labelsize": LABEL,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.dpi": DPI,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "multilingual-grid",
}


@contextmanager
def applied() -> Iterator[None]:
    """The style for what is drawn or saved inside; whatever the user has set comes back after."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def save(figure: Figure, stem: Path) -> list[Path]:
    """Writes `stem`.png, .svg and .pdf, equal byte for byte for an equal figure."""
    no_dates = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    paths = []
    with applied():
        for suffix in FORMATS:
            path = stem.with_name(f"{stem.name}.{suffix}")
            figure.savefig(path, format=suffix, dpi=DPI, metadata=no_dates[suffix])
            paths.append(path)
    return paths
