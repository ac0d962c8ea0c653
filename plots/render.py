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
VERDICT_LETTER = 0.058
"""Inches that a letter of a verdict's word takes."""
CHARACTERS = 19.7
"""Of small text in an inch."""
HEADLINE_CHARACTERS, HEADING_CHARACTERS, SUBTITLE_CHARACTERS = 11.4, 13.9, 21.6
"""Of a figure's title, of a panel's and of its subtitle in an inch."""


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
        heights = [_above(row, layout) + PLOT + _below(row, layout) for row in rows]
        above = 0.3 + 0.2 * len(header.title) + 0.14 * len(header.subtitle)
        above += 0.26 if header.own_badge else 0.0
        below = MARGIN + LINE * (len(foot)) + 0.08
        figure = Figure(figsize=(layout.width, above + sum(heights) + below))
        _draw_header(figure, chart, header)
        top, letter = figure.get_size_inches()[1] - above, 0
        for row, height in zip(rows, heights, strict=True):
            _row(figure, row, layout, top, letter)
            top, letter = top - height, letter + len(row)
        for index, line in enumerate(foot):
            at = below - 0.08 - LINE * (index + 0.5)
            _draw_foot_line(figure, line, at, _verdict_inches(chart))
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
    room = layout.text_width - _verdict_inches(chart)
    for claim in chart.claims:
        told = f"{claim.says}: {claim.effect}" if claim.effect else claim.says
        first, *rest = wrap(told, int(room * CHARACTERS))
        lines.append((claim, first))
        lines += [(Judged(verdict="", says="", effect=""), line) for line in rest]
    if chart.claims:
        lines.append((None, ""))
    return lines + [
        (None, line)
        for text in chart.footer
        for line in wrap(text, int(layout.text_width * CHARACTERS))
    ]


def _verdict_inches(chart: Chart) -> float:
    """What the longest word of a verdict takes."""
    longest = max((len(claim.verdict) for claim in chart.claims), default=0)
    return VERDICT_LETTER * longest + 0.08


def _draw_foot_line(
    figure: Figure, line: tuple[Judged | None, str], at: float, beside: float
) -> None:
    """One line of the footer, `at` inches above the page's foot, or `beside` a verdict's word."""
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
        (MARGIN + (beside if claim is not None else 0)) / width,
        at / height,
        text,
        fontsize=style.TINY,
        color=style.INK if claim is not None else style.MUTED,
        va="center",
    )


def _room(row: tuple[Panel, ...], layout: Layout) -> float:
    """Inches that each panel of a row has with its tick labels and direct labels."""
    return layout.text_width / len(row)


def _plot(row: tuple[Panel, ...], layout: Layout) -> float:
    """Inches of each plot of a row: three share their tick labels and their direct labels."""
    if len(row) > 2:
        return (layout.text_width - LEFT - RIGHT - GAP * (len(row) - 1)) / len(row)
    return _room(row, layout) - LEFT - RIGHT


def _above(row: tuple[Panel, ...], layout: Layout) -> float:
    """Inches for the longest title and the longest subtitle of a row."""
    room = _room(row, layout)
    titles = max(len(_title(panel, "a", room)) for panel in row)
    return 0.28 + 0.16 * titles + LINE * max(len(_subtitle(panel, room)) for panel in row)


def _below(row: tuple[Panel, ...], layout: Layout) -> float:
    """Inches for the tick labels, the notes under them, and the name of the x axis."""
    return max(_name_depth(panel, _plot(row, layout)) for panel in row) + 0.12


def _name_depth(panel: Panel, plot: float) -> float:
    """Inches from the axes down to the middle of the x axis's name."""
    depths = [0.13 * tick_lines(panel, plot)]
    for x, note in panel.tick_notes.items():
        depths.append(0.13 * (panel.tick_text(x).count("\n") + 1) + 0.11 * (note.count("\n") + 1))
    return 0.15 + max(depths)


def _title(panel: Panel, letter: str, room: float) -> list[str]:
    return wrap(f"{letter}  {panel.title}", int(room * HEADING_CHARACTERS))


def _subtitle(panel: Panel, room: float) -> list[str]:
    lines = [*panel.subtitle.split("\n"), *([panel.message] if panel.message else [])]
    return [part for line in lines for part in wrap(line, int(room * SUBTITLE_CHARACTERS))]


def _row(
    figure: Figure, row: tuple[Panel, ...], layout: Layout, top: float, first_letter: int
) -> None:
    """Draws the panels of a row that begins `top` inches above the page's foot."""
    width, height = figure.get_size_inches()
    plot, above = _plot(row, layout), _above(row, layout)
    top -= above
    shared = len(row) > 2
    limits = panel_range(row) if shared else None
    for index, panel in enumerate(row):
        x = MARGIN + LEFT + index * (plot + GAP if shared else layout.panel)
        axes = figure.add_axes((x / width, (top - PLOT) / height, plot / width, PLOT / height))
        last = not shared or index == len(row) - 1
        draw_panel(axes, panel, limits=limits, labels=last, inches=(plot, PLOT))
        if shared and index:
            axes.tick_params(labelleft=False)
        back = LEFT if not shared or index == 0 else 0.0
        title = _title(panel, chr(ord("a") + first_letter + index), _room(row, layout))
        _heading(axes, panel, title, _subtitle(panel, _room(row, layout)), (back, above, plot))
        axes.text(
            0.5,
            -_name_depth(panel, plot) / PLOT,
            panel.x_label,
            transform=axes.transAxes,
            fontsize=style.SMALL,
            color=style.MUTED,
            ha="center",
            va="center",
        )


def _heading(
    axes: Axes,
    panel: Panel,
    title: list[str],
    subtitle: list[str],
    inches: tuple[float, float, float],
) -> None:
    """Title and subtitle; `inches`: how far left of the axes and above them, and their width."""
    back, above, plot = inches
    depth = 0.14
    for line in title:
        _text(axes, -back / plot, 1 + (above - depth) / PLOT, line, style.HEADING, bold=True)
        depth += 0.16
    depth += 0.03
    for line in subtitle:
        told = bool(panel.message) and line in panel.message
        colour = style.INK if told else style.MUTED
        _text(axes, -back / plot, 1 + (above - depth) / PLOT, line, style.TINY, colour, bold=told)
        depth += LINE


def _text(
    axes: Axes,
    x: float,
    y: float,
    words: str,
    size: float,
    colour: str = style.INK,
    *,
    bold: bool = False,
) -> None:
    axes.text(
        x,
        y,
        words,
        transform=axes.transAxes,
        fontsize=size,
        fontweight="bold" if bold else "normal",
        color=colour,
        va="top",
    )
