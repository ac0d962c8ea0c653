"""Direct labels: each series' name right of the axes, at its last point, moved apart at need."""

import math

from matplotlib.axes import Axes

from plots import style
from plots.chart import LEVEL, Panel, Series, X

LOWEST, HIGHEST = -0.13, 1.05
"""Where a label's centre may stand, in shares of the axes' height."""


def write_labels(
    axes: Axes, panel: Panel, places: dict[X, float], inches: tuple[float, float]
) -> None:
    """Writes the labels of a panel whose axes have this size and their final limits."""
    edge = _edge(axes, panel, places)
    labelled = []
    for series in panel.series:
        shown = [point for point in series.points if point.x in places or series.kind == LEVEL]
        if series.label and shown:
            labelled.append((series, _height(axes, shown[-1].mean)))
    lines = [_text(series, len(labelled)) for series, _ in labelled]
    heights = [
        (text.count("\n") + 1) * style.SMALL * 1.2 / 72 / inches[1] + 0.012 for text in lines
    ]
    # Inside the axes a name must not reach down to the texts of the ticks.
    lowest = LOWEST if edge == 1 else 0.0
    centres = spread([place for _, place in labelled], heights, lowest, HIGHEST)
    for (series, wanted), text, centre in zip(labelled, lines, centres, strict=True):
        role = style.ROLES[series.role]
        axes.annotate(
            text,
            (edge + 0.11 / inches[0], centre),
            xycoords="axes fraction",
            fontsize=style.SMALL,
            color=role.text or role.colour,
            va="center",
            ha="left",
            linespacing=1.05,
            annotation_clip=False,
        )
        axes.plot(
            [edge + 0.005 / inches[0], edge + 0.09 / inches[0]],
            [wanted, centre],
            transform=axes.transAxes,
            color=role.colour,
            linewidth=0.6,
            clip_on=False,
        )


def _edge(axes: Axes, panel: Panel, places: dict[X, float]) -> float:
    """Where names begin, in shares of the axes' width: inside where nothing reaches the end."""
    left, right = axes.get_xlim()
    there = [places[p.x] for entry in panel.series for p in entry.points if p.x in places]
    reach, last = max(there, default=right), max(places.values(), default=right)
    return 1.0 if reach == last else (reach + 0.42 - left) / (right - left)


def _height(axes: Axes, value: float) -> float:
    """A value's height in shares of the axes' height, whatever their scale."""
    x = axes.get_xlim()[0]
    return float(axes.transAxes.inverted().transform(axes.transData.transform((x, value)))[1])


def _text(series: Series, count: int) -> str:
    """The label; on one line where so many stand beside each other that two would not fit."""
    return series.label if count <= 6 else series.label.replace("\n", " ")


def spread(
    wanted: list[float], heights: list[float], low: float = -math.inf, high: float = math.inf
) -> list[float]:
    """Centres for labels of these heights, as near to `wanted` as not overlapping allows.

    All stay between `low` and `high` where they fit there.

    Labels that collide are merged into a run around their mean, and runs that collide likewise.
    """
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    runs: list[tuple[list[int], float]] = []
    for index in order:
        members, centre = [index], _middle([index], wanted, heights, low, high)
        while runs:
            below, below_centre = runs[-1]
            needed = (sum(heights[i] for i in below) + sum(heights[i] for i in members)) / 2
            if centre - below_centre >= needed:
                break
            runs.pop()
            members = below + members
            centre = _middle(members, wanted, heights, low, high)
        runs.append((members, centre))
    placed = [0.0] * len(wanted)
    for members, centre in runs:
        edge = centre - sum(heights[i] for i in members) / 2
        for index in members:
            placed[index] = edge + heights[index] / 2
            edge += heights[index]
    return placed


def _middle(
    members: list[int], wanted: list[float], heights: list[float], low: float, high: float
) -> float:
    """The centre of a stacked run that is nearest, in the mean, to what its members wanted."""
    total = sum(heights[i] for i in members)
    edge, shift = 0.0, 0.0
    for index in members:
        shift += wanted[index] - (edge + heights[index] / 2 - total / 2)
        edge += heights[index]
    return max(low + total / 2, min(high - total / 2, shift / len(members)))
