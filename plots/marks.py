"""Draws one series: lines with intervals and seeds, hollow published marks, bars, curves."""

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes

from plots import style
from plots.chart import (
    BAR,
    CURVE,
    LEVEL,
    MEASURED,
    PUBLISHED,
    STATED,
    THIN,
    UNIGRAM,
    Point,
    Series,
    X,
)

ORDER = (LEVEL, BAR, UNIGRAM, PUBLISHED, STATED, THIN, CURVE, MEASURED)
"""What is beside the point lies below what was measured."""
CROWDED = 16
"""Points of a series from which on marks are small, and not shifted."""

Placed = list[tuple[float, Point]]
"""Points with their places on the x axis, the role's shift included."""


def draw_series(axes: Axes, series: Series, places: dict[X, float], joined: bool) -> None:
    """Draws those points of a series that have a place."""
    shown = [point for point in series.points if point.x in places]
    aside = series.kind != BAR and len(places) < CROWDED
    shift = style.ROLES[series.role].shift if aside else 0.0
    if series.kind == LEVEL:
        _level(axes, series)
    elif shown:
        of = [(places[point.x] + shift, point) for point in shown]
        _DRAW[series.kind](axes, series, of, joined)


def _measured(axes: Axes, series: Series, of: Placed, joined: bool) -> None:
    """Line, interval, seeds as dots, and a half-filled mark where seeds are missing."""
    role = style.ROLES[series.role]
    thin, crowded = series.kind == THIN, len(of) > CROWDED
    if joined:
        axes.plot(*_coordinates(of), color=role.colour, linewidth=1.0 if thin else 1.5, zorder=4)
    for place, point in of:
        _interval(axes, place, point, role.colour)
        _seeds(axes, place, point, role.colour)
        axes.plot(
            place,
            point.mean,
            marker=role.marker,
            markersize=2.8 if crowded else 4.0 if thin else 5.0,
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


def _coordinates(of: Placed) -> tuple[list[float], list[float]]:
    return [place for place, _ in of], [point.mean for _, point in of]


def _seeds(axes: Axes, place: float, point: Point, colour: str) -> None:
    if len(point.seeds) < 2:
        return
    middle = (len(point.seeds) - 1) / 2
    axes.plot(
        [place + 0.05 * (offset - middle) for offset in range(len(point.seeds))],
        list(point.seeds.values()),
        linestyle="",
        marker="o",
        markersize=1.7,
        color=colour,
        alpha=0.55,
        markeredgewidth=0,
        zorder=3,
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


def _published(axes: Axes, series: Series, of: Placed, joined: bool) -> None:
    role = style.ROLES[series.role]
    axes.plot(
        *_coordinates(of),
        color=role.colour,
        linewidth=0.9,
        linestyle=(0, (1, 1.6)) if joined else "",
        marker=role.marker or "o",
        markersize=2.8 if len(of) > CROWDED else 4.6,
        markerfacecolor=style.PAPER,
        markeredgecolor=role.colour,
        markeredgewidth=0.9,
        zorder=2.5,
    )


def _stated(axes: Axes, series: Series, of: Placed, joined: bool) -> None:
    # Beside the bar's mark, which it would cover.
    beside = [place + 0.24 for place, _ in of]
    axes.plot(
        beside,
        [point.mean for _, point in of],
        color=style.ROLES[series.role].colour,
        linestyle="",
        marker="x",
        markersize=4.0,
        zorder=2.6,
    )


def _unigram(axes: Axes, series: Series, of: Placed, joined: bool) -> None:
    colour = style.ROLES[series.role].colour
    look: Any = {
        "color": colour,
        "linewidth": 1.0,
        "linestyle": (0, (4, 2)),
        "alpha": 0.75,
        "zorder": 2,
    }
    if joined and len(of) > 1:
        axes.plot(*_coordinates(of), **look)
    else:
        for place, point in of:
            axes.plot([place - 0.15, place + 0.15], [point.mean] * 2, **look)


def _bar(axes: Axes, series: Series, of: Placed, joined: bool) -> None:
    """Bars from the axis up: filled where measured, tinted outlines where published."""
    role = style.ROLES[series.role]
    bottom = axes.get_ylim()[0]
    hollow = not series.block
    axes.bar(
        [place for place, _ in of],
        [point.mean - bottom for _, point in of],
        width=role.bar,
        bottom=bottom,
        facecolor=role.tint if hollow else role.colour,
        edgecolor=role.colour,
        linewidth=0.5,
        zorder=2,
    )


def _curve(axes: Axes, series: Series, of: Placed, joined: bool) -> None:
    """A thick line, and a thin one for each seed where there are several."""
    colour = style.ROLES[series.role].colour
    seeds = sorted({seed for _, point in of for seed in point.seeds})
    for seed in seeds if len(seeds) > 1 else ():
        axes.plot(
            [place for place, point in of if seed in point.seeds],
            [point.seeds[seed] for _, point in of if seed in point.seeds],
            color=colour,
            linewidth=0.4,
            alpha=0.55,
            zorder=3,
        )
    axes.plot(*_coordinates(of), color=colour, linewidth=1.3, zorder=4)


def _level(axes: Axes, series: Series) -> None:
    colour = style.ROLES[series.role].colour
    axes.axhline(
        series.points[0].mean, color=colour, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1.5
    )


_DRAW: dict[str, Callable[[Axes, Series, Placed, bool], None]] = {
    MEASURED: _measured,
    THIN: _measured,
    PUBLISHED: _published,
    STATED: _stated,
    UNIGRAM: _unigram,
    BAR: _bar,
    CURVE: _curve,
}
