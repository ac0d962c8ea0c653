"""Draws one panel: its axes, what is missing under them, its series, and their direct labels."""

import math
import re
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from plots import style
from plots.chart import BAR, LEVEL, NOT_PLANNED, NOT_RUN, Panel, X
from plots.labels import write_labels
from plots.marks import ORDER, draw_series

PAD = 0.07
"""Share of the range that stays free above and below."""
BEYOND = 0.3
"""How far, in shares of the range of means, an interval may stretch a panel before it is cut."""
MANY, ROWS = 8, 3
"""More ticks than these stand in rows, this many at most, where one row is too short for them."""
LETTER_INCHES, GAP_INCHES, LEAST = 0.0079, 0.035, 5.4
"""A letter's width at one point of size, the gap between texts of ticks, and their least size."""
NOTE_INCHES = 0.38
"""What a note under a tick takes; where ticks are closer, it is short."""
NOTHING = (NOT_RUN, NOT_PLANNED)
TEXT_INCHES, ROW_INCHES = 0.17, 0.115
"""What one short text of a tick takes of a row, and a row's height."""


def panel_range(panels: Iterable[Panel]) -> tuple[float, float]:
    """Limits that hold every mean, seed and baseline, and of the intervals what does no harm.

    Two seeds give an interval of 12.7 standard errors: shown whole, it would flatten everything
    else. It is cut at the panel's edge, with an arrow that says so.
    """
    panels = list(panels)
    points = [
        point
        for panel in panels
        for entry in panel.series
        for point in entry.points
        if entry.kind == LEVEL or not panel.ticks or point.x in panel.ticks
    ]
    if not points:
        return 0.0, 1.0
    core = [point.mean for point in points]
    if any(panel.logarithmic for panel in panels):
        step = (max(core) / min(core)) ** PAD or 1.1
        below = 2.0 if any(e.kind == BAR for panel in panels for e in panel.series) else 1.0
        return min(core) / step / below, max(core) * step
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
    if panel.logarithmic:
        axes.set_yscale("log")
        low, high = limits or panel_range([panel])
        few = high / low < 50
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=8))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(*(limits or panel_range([panel])))
    places = _category_axis(axes, panel, inches) if panel.ticks else _number_axis(axes, panel)
    if not panel.series:
        axes.set_yticks([])
    for x, note in panel.tick_notes.items():
        short = inches[0] / len(places) < NOTE_INCHES
        below = tick_lines(panel, inches[0]) if short else panel.tick_text(x).count("\n") + 1
        _missing(axes, places[x], note, below=below, short=short)
    if panel.zero_line:
        axes.axhline(0, color=style.MUTED, linewidth=0.6, zorder=1)
    for series in sorted(panel.series, key=lambda entry: ORDER.index(entry.kind)):
        draw_series(axes, series, places, panel.joined)
    if labels:
        write_labels(axes, panel, places, inches)


def tick_lines(panel: Panel, width: float) -> int:
    """How many lines of text stand under an axis that is so many inches wide."""
    lines = max((panel.tick_text(x).count("\n") + 1 for x in panel.ticks), default=1)
    if len(panel.ticks) > MANY:
        return max(lines, min(ROWS, math.ceil(len(panel.ticks) * TEXT_INCHES / width)))
    return lines


def _category_axis(axes: Axes, panel: Panel, inches: tuple[float, float]) -> dict[X, float]:
    """Places of the ticks, one beside the other; returns them by category."""
    places: dict[X, float] = {x: float(index) for index, x in enumerate(panel.ticks)}
    texts = [panel.tick_text(x) for x in panel.ticks]
    rows = tick_lines(panel, inches[0]) if len(texts) > MANY else 1
    step = math.ceil(len(texts) * TEXT_INCHES / (rows * inches[0])) if rows > 1 else 1
    texts = [text if index % step == 0 else "" for index, text in enumerate(texts)]
    axes.set_xlim(-(margin := 0.42 if len(texts) <= 2 * MANY else 0.8), len(texts) - 1 + margin)
    axes.set_xticks(range(len(places)), texts)
    longest = max(len(line) for text in texts for line in text.split("\n"))
    room = (inches[0] / len(texts) - GAP_INCHES) / max(longest, 1) / LETTER_INCHES
    fitting = style.TINY if rows > 1 else max(LEAST, min(style.LABEL, room))
    axes.tick_params(axis="x", labelsize=fitting)
    # Moved down in turn where one row is too short; left out where all rows are.
    for index, text in enumerate(axes.get_xticklabels()):
        text.set_y(-(index // step % rows) * ROW_INCHES / inches[1])
    return places


def _number_axis(axes: Axes, panel: Panel) -> dict[X, float]:
    """An axis over the numbers that the series have."""
    values = {point.x for entry in panel.series for point in entry.points}
    places = {value: float(value) for value in values}
    axes.set_xlim(0, max(places.values(), default=1.0))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    return places


def _missing(axes: Axes, place: float, note: str, below: int, *, short: bool) -> None:
    """Says under the tick what is missing; hatches the axis there if nothing was measured.

    short: where ticks are close, `2 of 3 seeds` is `2/3`, and the hatches speak for themselves.
    """
    if short:
        count = re.fullmatch(r"(\d+) of (\d+)\nseeds", note)
        words = f"{count[1]}/{count[2]}" if count else "" if note in NOTHING else "…"
    axes.annotate(
        words if short else note,
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
    if note in NOTHING:
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
