"""Draws a `Chart`: pages and rows are laid out in inches, so that type never runs into a plot."""

from dataclasses import dataclass
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots import style
from plots.chart import Chart, Judged, Panel
from plots.panel import draw_panel, panel_range, tick_lines

LEFT, RIGHT, GAP, MARGIN = 0.46, 0.94, 0.2, 0.12
"""Inches: a panel's tick labels, its direct labels, the gap between panels that share y, and the
page's margin."""
PLOT, LINE = 1.75, 0.13
"""Inches: a panel's height, and a line of small text."""
VERDICT = 0.86
"""Inches that the word of a verdict takes."""
CHARACTERS = 19.7
"""Of small text in an inch."""
HEADLINE_CHARACTERS = 11.4
"""Of a title in an inch."""


@dataclass(kw_only=True, frozen=True)
class Layout:
    """How wide a figure is, and how many panels of a row stand beside each other."""

    name: str
    panel: float
    """Inches of a panel with its labels."""
    columns: int

    @property
    def text_width(self) -> float:
        return self.panel * self.columns

    @property
    def width(self) -> float:
        return self.text_width + 2 * MARGIN


PAGE = Layout(name="page", panel=3.4, columns=2)
SINGLE = Layout(name="single", panel=3.06, columns=1)
"""3.3 inches: one column of a paper that has two, one panel under the other."""
LAYOUTS = {layout.name: layout for layout in (PAGE, SINGLE)}


def render(chart: Chart, layout: Layout = PAGE) -> Figure:
    """The figure of a chart: on a page, rows as the chart has them; else one panel a row."""
    with style.applied():
        rows = chart.rows if layout.columns > 1 else tuple((panel,) for panel in chart.panels)
        header = _header_lines(chart, layout)
        foot = _foot_lines(chart, layout)
        heights = [_above(row) + PLOT + _below(row) for row in rows]
        above = 0.3 + 0.2 * len(header.title) + 0.14 * len(header.subtitle)
        above += 0.26 if header.own_badge else 0.0
        below = MARGIN + LINE * (len(foot)) + 0.08
        figure = Figure(figsize=(layout.width, above + sum(heights) + below))
        _draw_header(figure, chart, header)
        top, letter = figure.get_size_inches()[1] - above, 0
        for row, height in zip(rows, heights, strict=True):
            _row(figure, row, layout, top - _above(row), letter)
            top, letter = top - height, letter + len(row)
        for index, line in enumerate(foot):
            _draw_foot_line(figure, line, below - 0.08 - LINE * (index + 0.5))
        return figure


@dataclass(frozen=True)
class _Header:
    title: list[str]
    subtitle: list[str]
    own_badge: bool
    """Whether the badge has a line of its own, as beside a title there is no room for it."""


def _header_lines(chart: Chart, layout: Layout) -> _Header:
    narrow = layout.columns == 1
    room = layout.text_width - (0.0 if narrow or not chart.badge else 1.7)
    return _Header(
        wrap(chart.title, int(room * HEADLINE_CHARACTERS)),
        wrap(chart.subtitle, int(layout.text_width * 16)),
        narrow and bool(chart.badge),
    )


def _draw_header(figure: Figure, chart: Chart, header: _Header) -> None:
    width, height = figure.get_size_inches()
    left, depth = MARGIN / width, 0.13
    for line in header.title:
        figure.text(
            left, 1 - depth / height, line, fontsize=style.TITLE, fontweight="bold", va="top"
        )
        depth += 0.2
    depth += 0.03
    for line in header.subtitle:
        figure.text(
            left,
            1 - depth / height,
            line,
            fontsize=style.LABEL,
            color=style.MUTED,
            va="top",
        )
        depth += 0.14
    if chart.badge:
        figure.text(
            left + 0.06 / width if header.own_badge else 1 - (MARGIN + 0.06) / width,
            1 - (depth + 0.08 if header.own_badge else 0.17) / height,
            chart.badge,
            fontsize=style.HEADING,
            fontweight="bold",
            color=style.INK,
            ha="left" if header.own_badge else "right",
            va="top",
            bbox={"boxstyle": "round,pad=0.35", "facecolor": "#F5CE7A", "edgecolor": "none"},
        )


def _foot_lines(chart: Chart, layout: Layout) -> list[tuple[Judged | None, str]]:
    """Verdicts and notes as lines of small text; a verdict's word stands before its first line."""
    lines: list[tuple[Judged | None, str]] = []
    for claim in chart.claims:
        told = f"{claim.says}: {claim.effect}" if claim.effect else claim.says
        first, *rest = wrap(told, int((layout.text_width - VERDICT) * CHARACTERS))
        lines.append((claim, first))
        lines += [(Judged(verdict="", says="", effect=""), line) for line in rest]
    if chart.claims:
        lines.append((None, ""))
    return lines + [
        (None, line)
        for text in chart.footer
        for line in wrap(text, int(layout.text_width * CHARACTERS))
    ]


def _draw_foot_line(figure: Figure, line: tuple[Judged | None, str], at: float) -> None:
    """One line of the footer, `at` inches above the page's foot."""
    claim, text = line
    width, height = figure.get_size_inches()
    if claim is not None and claim.verdict:
        figure.text(
            MARGIN / width,
            at / height,
            claim.verdict,
            fontsize=style.TINY,
            fontweight="bold",
            color=style.VERDICTS.get(claim.verdict, style.MUTED),
            va="center",
        )
    figure.text(
        (MARGIN + (VERDICT if claim is not None else 0)) / width,
        at / height,
        text,
        fontsize=style.TINY,
        color=style.INK if claim is not None else style.MUTED,
        va="center",
    )


def _above(row: tuple[Panel, ...]) -> float:
    """Inches for the title and the longest subtitle of a row."""
    return 0.44 + LINE * max(len(_subtitle(panel)) for panel in row)


def _below(row: tuple[Panel, ...]) -> float:
    """Inches for the tick labels, the notes under them, and the name of the x axis."""
    return max(_name_depth(panel) for panel in row) + 0.12


def _name_depth(panel: Panel) -> float:
    """Inches from the axes down to the middle of the x axis's name."""
    depths = [0.13 * (tick_lines(panel) + 1)]
    for x, note in panel.tick_notes.items():
        depths.append(
            0.13 * (panel.tick_text(x).count("\n") + 1) + 0.11 * (note.count("\n") + 1)
        )
    return 0.15 + max(depths)


def _subtitle(panel: Panel) -> list[str]:
    return [*panel.subtitle.split("\n"), *([panel.message] if panel.message else [])]


def _row(
    figure: Figure, row: tuple[Panel, ...], layout: Layout, top: float, first_letter: int
) -> None:
    """Draws the panels of a row whose axes end at `top` inches above the page's foot."""
    width, height = figure.get_size_inches()
    shared = len(row) > 2
    limits = panel_range(row) if shared else None
    for index, panel in enumerate(row):
        if shared:
            plot = (layout.text_width - LEFT - RIGHT - GAP * (len(row) - 1)) / len(row)
            x = MARGIN + LEFT + index * (plot + GAP)
        else:
            plot = layout.text_width / len(row) - LEFT - RIGHT
            x = MARGIN + index * layout.panel + LEFT
        axes = figure.add_axes((x / width, (top - PLOT) / height, plot / width, PLOT / height))
        last = not shared or index == len(row) - 1
        draw_panel(axes, panel, limits=limits, labels=last, inches=(plot, PLOT))
        if shared and index:
            axes.tick_params(labelleft=False)
        back = LEFT if not shared or index == 0 else 0.0
        _heading(axes, panel, chr(ord("a") + first_letter + index), back, _above(row), plot)
        axes.text(
            0.5,
            -_name_depth(panel) / PLOT,
            panel.x_label,
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
