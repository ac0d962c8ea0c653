"""Draws a `Chart`: pages and rows are laid out in inches, so that type never runs into a plot."""

from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots import style
from plots.chart import Chart, Panel
from plots.panel import draw_panel, panel_range, tick_text

PANEL, LEFT, RIGHT, GAP, MARGIN = 3.4, 0.46, 0.94, 0.2, 0.12
"""Inches: a panel, its tick labels, its direct labels, the gap between panels that share y, and
the page's margin."""
HEADER, PLOT, LINE = 0.62, 1.75, 0.13
FOOTER_CHARACTERS = 134


def render(chart: Chart) -> Figure:
    """The figure of a chart: two panels a row, or three that share their y axis."""
    with style.applied():
        width = 2 * PANEL + 2 * MARGIN
        footer = [line for text in chart.footer for line in wrap(text, FOOTER_CHARACTERS)]
        rows = [_above(row) + PLOT + _below(row) for row in chart.rows]
        foot = MARGIN + LINE * len(footer) + 0.08
        height = HEADER + sum(rows) + foot
        figure = Figure(figsize=(width, height))
        _header(figure, chart, width, height)
        for index, row in enumerate(chart.rows):
            top = height - HEADER - sum(rows[:index]) - _above(row)
            _row(figure, chart, row, top, sum(map(len, chart.rows[:index])))
        for index, line in enumerate(footer):
            figure.text(
                MARGIN / width,
                (foot - 0.08 - LINE * (index + 0.5)) / height,
                line,
                fontsize=style.TINY,
                color=style.MUTED,
                va="center",
            )
        return figure


def _above(row: tuple[Panel, ...]) -> float:
    """Inches for the title and the longest subtitle of a row."""
    return 0.44 + LINE * max(len(_subtitle(panel)) for panel in row)


def _below(row: tuple[Panel, ...]) -> float:
    """Inches for the tick labels, the notes under them, and the name of the x axis."""
    return max(_name_depth(panel) for panel in row) + 0.12


def _name_depth(panel: Panel) -> float:
    """Inches from the axes down to the middle of the x axis's name."""
    depths = [0.13]
    for x in panel.ticks:
        note = panel.tick_notes.get(x, "")
        lines = note.count("\n") + 1 if note else 0
        depths.append(0.13 * (tick_text(panel, x).count("\n") + 1) + 0.11 * lines)
    return 0.15 + max(depths)


def _subtitle(panel: Panel) -> list[str]:
    return [*panel.subtitle.split("\n"), *([panel.message] if panel.message else [])]


def _header(figure: Figure, chart: Chart, width: float, height: float) -> None:
    left = MARGIN / width
    figure.text(
        left,
        1 - 0.13 / height,
        chart.title,
        fontsize=style.TITLE,
        fontweight="bold",
        va="top",
    )
    figure.text(
        left, 1 - 0.37 / height, chart.subtitle, fontsize=style.LABEL, color=style.MUTED, va="top"
    )
    if chart.badge:
        figure.text(
            1 - (MARGIN + 0.06) / width,
            1 - 0.17 / height,
            chart.badge,
            fontsize=style.HEADING,
            fontweight="bold",
            color=style.INK,
            ha="right",
            va="top",
            bbox={"boxstyle": "round,pad=0.35", "facecolor": "#F5CE7A", "edgecolor": "none"},
        )


def _row(
    figure: Figure, chart: Chart, row: tuple[Panel, ...], top: float, first_letter: int
) -> None:
    """Draws the panels of a row whose axes end at `top` inches above the page's foot."""
    width, height = figure.get_size_inches()
    shared = len(row) > 2
    limits = panel_range(row) if shared else None
    inner = (2 * PANEL - LEFT - RIGHT - GAP * (len(row) - 1)) / len(row)
    for index, panel in enumerate(row):
        if shared:
            x, plot = MARGIN + LEFT + index * (inner + GAP), inner
        else:
            x, plot = MARGIN + index * PANEL + LEFT, PANEL - LEFT - RIGHT
        axes = figure.add_axes((x / width, (top - PLOT) / height, plot / width, PLOT / height))
        last = not shared or index == len(row) - 1
        draw_panel(axes, panel, limits=limits, labels=last, inches=(plot, PLOT))
        if shared and index:
            axes.tick_params(labelleft=False)
        letter = chr(ord("a") + first_letter + index)
        back = LEFT if not shared or index == 0 else 0.0
        _heading(axes, panel, letter, back, _above(row), plot)
        axes.text(
            0.5,
            -_name_depth(panel) / PLOT,
            chart.x_label,
            transform=axes.transAxes,
            fontsize=style.SMALL,
            color=style.MUTED,
            ha="center",
            va="center",
        )


def _heading(axes: Axes, panel: Panel, letter: str, back: float, above: float, plot: float) -> None:
    """Title and subtitle, from `above` inches over the axes and `back` inches left of them."""
    x = -back / plot
    axes.text(
        x,
        1 + (above - 0.14) / PLOT,
        f"{letter}  {panel.title}",
        transform=axes.transAxes,
        fontsize=style.HEADING,
        fontweight="bold",
        va="top",
    )
    for index, line in enumerate(_subtitle(panel)):
        axes.text(
            x,
            1 + (above - 0.33 - LINE * index) / PLOT,
            line,
            transform=axes.transAxes,
            fontsize=style.TINY,
            color=style.INK if line == panel.message else style.MUTED,
            fontweight="bold" if line == panel.message else "normal",
            va="top",
        )
