"""Draws one panel: lines with intervals, hollow published marks, seeds, and direct labels."""

import math
from collections.abc import Iterable

from matplotlib.axes import Axes

from plots import style
from plots.chart import (
    LEVEL,
    MEASURED,
    NOT_PLANNED,
    NOT_RUN,
    PUBLISHED,
    STATED,
    THIN,
    UNIGRAM,
    Panel,
    Point,
    Series,
)

PAD = 0.07
"""Share of the range that stays free above and below."""
BEYOND = 0.3
"""How far, in shares of the range of means, an interval may stretch a panel before it is cut."""


def panel_range(panels: Iterable[Panel]) -> tuple[float, float]:
    """Limits that hold every mean, seed and baseline, and of the intervals what does no harm.

    Two seeds give an interval of 12.7 standard errors: shown whole, it would flatten everything
    else. It is cut at the panel's edge, with an arrow that says so.
    """
    panels = list(panels)
    points = [point for panel in panels for entry in panel.series for point in entry.points]
    if not points:
        return 0.0, 1.0
    core = [point.mean for point in points]
    core += [0.0 for panel in panels if panel.zero_line]
    core += [value for point in points for value in point.seeds.values()]
    low, high = min(core), max(core)
    span = (high - low) or max(abs(high), 1.0) * 0.1
    lows = [point.low for point in points if point.low is not None]
    highs = [point.high for point in points if point.high is not None]
    low = max(min([low, *lows]), low - BEYOND * span)
    high = min(max([high, *highs]), high + BEYOND * span)
    pad = PAD * (high - low) or 0.5
    return low - pad, high + pad


def draw_panel(
    axes: Axes,
    panel: Panel,
    *,
    limits: tuple[float, float] | None,
    labels: bool,
    inches: tuple[float, float],
) -> None:
    """Draws `panel` into empty axes of the given size; `limits` where a row shares them."""
    places = {x: index for index, x in enumerate(panel.ticks)}
    axes.set_xlim(-0.42, len(places) - 0.58)
    axes.set_xticks(range(len(places)), [tick_text(panel, x) for x in panel.ticks])
    axes.set_ylim(*(limits or panel_range([panel])))
    if not panel.series:
        axes.set_yticks([])
    for x, note in panel.tick_notes.items():
        _missing(axes, places[x], note, below=tick_text(panel, x).count("\n") + 1)
    if panel.zero_line:
        axes.axhline(0, color=style.MUTED, linewidth=0.6, zorder=1)
    # What is beside the point lies below what was measured.
    order = (LEVEL, UNIGRAM, PUBLISHED, STATED, THIN, MEASURED)
    for series in sorted(panel.series, key=lambda entry: order.index(entry.kind)):
        _DRAW[series.kind](axes, series, places)
    if labels:
        _labels(axes, panel, places, inches)


def tick_text(panel: Panel, x: int) -> str:
    """The number of languages and, under it, what belongs to it."""
    return f"{x}\n{panel.tick_labels[x]}" if x in panel.tick_labels else str(x)


def _missing(axes: Axes, place: int, note: str, below: int) -> None:
    """Says under the tick what is missing; hatches the axis there if nothing was measured."""
    axes.annotate(
        note,
        (place, 0),
        xycoords=("data", "axes fraction"),
        xytext=(0, -4.5 - 9.5 * below),
        textcoords="offset points",
        fontsize=style.TINY,
        fontstyle="italic",
        color=style.INK,
        ha="center",
        va="top",
        linespacing=1.05,
    )
    if note in (NOT_RUN, NOT_PLANNED):
        axes.axvspan(
            place - 0.34,
            place + 0.34,
            0,
            0.07,
            facecolor="none",
            edgecolor="#a0a0a0",
            hatch="//////",
            linewidth=0,
            zorder=0.5,
        )


def _at(series: Series, places: dict[int, int]) -> tuple[list[float], list[float]]:
    shift = style.ROLES[series.role].shift
    shown = [point for point in series.points if point.x in places]
    return [places[point.x] + shift for point in shown], [point.mean for point in shown]


def _draw_measured(axes: Axes, series: Series, places: dict[int, int]) -> None:
    """Line, interval, seeds as dots, and a half-filled mark where seeds are missing."""
    role = style.ROLES[series.role]
    thin = series.kind == THIN
    x, y = _at(series, places)
    axes.plot(x, y, color=role.colour, linewidth=1.0 if thin else 1.5, zorder=4)
    for place, point in zip(x, series.points, strict=True):
        _interval(axes, place, point, role.colour)
        for offset, value in enumerate(point.seeds.values()):
            if len(point.seeds) > 1:
                axes.plot(
                    place + 0.05 * (offset - (len(point.seeds) - 1) / 2),
                    value,
                    marker="o",
                    markersize=1.7,
                    color=role.colour,
                    alpha=0.55,
                    markeredgewidth=0,
                    zorder=3,
                )
        axes.plot(
            place,
            point.mean,
            marker=role.marker,
            markersize=4.0 if thin else 5.0,
            color=role.colour,
            fillstyle="full" if point.complete else "left",
            markerfacecoloralt=style.PAPER,
            markeredgecolor=role.colour if not point.complete else style.PAPER,
            markeredgewidth=0.8 if not point.complete else 0.5,
            zorder=5,
        )
        if point.unseen:
            axes.annotate(
                "†",
                (place, point.mean),
                xytext=(0, 6),
                textcoords="offset points",
                fontsize=style.SMALL,
                color=role.colour,
                ha="center",
                va="bottom",
                zorder=6,
            )


def _interval(axes: Axes, place: float, point: Point, colour: str) -> None:
    """The interval as a bar; an end that lies outside the panel becomes an arrow."""
    if point.low is None or point.high is None:
        return
    bottom, top = axes.get_ylim()
    inset = 0.012 * (top - bottom)
    low, high = max(point.low, bottom + inset), min(point.high, top - inset)
    axes.plot([place, place], [low, high], color=colour, linewidth=1.1, alpha=0.45, zorder=3)
    for cut, value, marker in ((point.low < low, low, "v"), (point.high > high, high, "^")):
        if cut:
            axes.plot(place, value, marker=marker, markersize=3, color=colour, alpha=0.7, zorder=3)


def _draw_published(axes: Axes, series: Series, places: dict[int, int]) -> None:
    role = style.ROLES[series.role]
    x, y = _at(series, places)
    axes.plot(
        x,
        y,
        color=role.colour,
        linewidth=0.9,
        linestyle=(0, (1, 1.6)),
        marker=role.marker,
        markersize=4.6,
        markerfacecolor=style.PAPER,
        markeredgecolor=role.colour,
        markeredgewidth=0.9,
        zorder=2.5,
    )


def _draw_stated(axes: Axes, series: Series, places: dict[int, int]) -> None:
    role = style.ROLES[series.role]
    x, y = _at(series, places)
    # Beside the bar's mark, which it would cover.
    beside = [place + 0.24 for place in x]
    axes.plot(beside, y, color=role.colour, linestyle="", marker="x", markersize=4.0, zorder=2.6)


def _draw_unigram(axes: Axes, series: Series, places: dict[int, int]) -> None:
    role = style.ROLES[series.role]
    x, y = _at(series, places)
    axes.plot(x, y, color=role.colour, linewidth=1.0, linestyle=(0, (4, 2)), alpha=0.75, zorder=2)


def _draw_level(axes: Axes, series: Series, places: dict[int, int]) -> None:
    colour = style.ROLES[series.role].colour
    axes.axhline(
        series.points[0].mean, color=colour, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1.5
    )


_DRAW = {
    MEASURED: _draw_measured,
    THIN: _draw_measured,
    PUBLISHED: _draw_published,
    STATED: _draw_stated,
    UNIGRAM: _draw_unigram,
    LEVEL: _draw_level,
}


def _labels(axes: Axes, panel: Panel, places: dict[int, int], inches: tuple[float, float]) -> None:
    """Writes each series' name right of the axes at its last point, moved apart where they meet."""
    bottom, top = axes.get_ylim()
    left, right = axes.get_xlim()
    # Where nothing reaches the last ticks the names stand inside, next to what they name.
    reach = max(
        (places[p.x] for entry in panel.series for p in entry.points if p.x in places),
        default=len(places) - 1,
    )
    edge = 1.0 if reach == len(places) - 1 else (reach + 0.42 - left) / (right - left)
    labelled = []
    for series in panel.series:
        shown = [point for point in series.points if point.x in places or series.kind == LEVEL]
        if series.label and shown:
            labelled.append((series, (shown[-1].mean - bottom) / (top - bottom)))
    heights = [
        (series.label.count("\n") + 1) * style.SMALL * 1.2 / 72 / inches[1] + 0.012
        for series, _ in labelled
    ]
    centres = spread([place for _, place in labelled], heights, -0.13, 1.05)
    for (series, wanted), centre in zip(labelled, centres, strict=True):
        role = style.ROLES[series.role]
        colour = role.colour
        axes.annotate(
            series.label,
            (edge + 0.11 / inches[0], centre),
            xycoords="axes fraction",
            fontsize=style.SMALL,
            color=role.text or colour,
            va="center",
            ha="left",
            linespacing=1.05,
            annotation_clip=False,
        )
        axes.plot(
            [edge + 0.005 / inches[0], edge + 0.09 / inches[0]],
            [wanted, centre],
            transform=axes.transAxes,
            color=colour,
            linewidth=0.6,
            clip_on=False,
        )


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
