"""Figures in the page: drawn for a wide and a narrow one, with every number as a table."""

from plots.chart import Chart, Panel, Point, Series
from plots.errors import FigureError
from plots.registry import find
from plots.render import PAGE, SINGLE
from plots.report.drawing import draw
from plots.report.facts import Facts
from plots.report.markup import Html, number, plural, tag
from plots.report.tables import cell_link

_CURVES = "learning_curves"
"""Has a section of its own, in which each line tells itself."""


def figures_section(facts: Facts) -> Html | None:
    """The figures that the study declares, or why one cannot be drawn."""
    names = [name for name in facts.study.figures if name != _CURVES]
    if not names or facts.frame.is_empty():
        return None
    shown = []
    for place, name in enumerate(names):
        try:
            shown.append(_figure(find(name).draw_from(facts.output, name), place))
        except FigureError as error:
            shown.append(tag("p", f"{name} is not drawn: {error}", class_="note"))
    return tag("div", shown)


def _figure(chart: Chart, place: int) -> Html:
    told = (
        f"{chart.title}. {plural(len(chart.panels), 'panel')}: "
        f"{'; '.join(panel.title for panel in chart.panels)}. The numbers follow as tables."
    )
    return tag(
        "figure",
        tag("h3", chart.title, class_="heard"),
        tag("div", draw(chart, PAGE, f"w{place}", told), class_="wide"),
        tag("div", draw(chart, SINGLE, f"n{place}", told), class_="narrow"),
        tag("figcaption", chart.figure, class_="fine"),
        tag("details", tag("summary", "The numbers in this figure"), map(_panel, chart.panels)),
        class_="figure",
        id=chart.figure,
    )


def _panel(panel: Panel) -> Html:
    """The points of a panel as a table."""
    headings = ("series", panel.x_label, "mean", "95 % interval", "seeds", "cells")
    rows = [_row(panel, series, point) for series in panel.series for point in series.points]
    caption = f"{panel.title}: {panel.subtitle}".replace("\n", " ")
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", (tag("th", each, scope="col") for each in headings))),
            tag("tbody", rows),
        ),
        class_="scroll",
        role="group",
        tabindex=0,
        aria_label=panel.title,
    )


def _row(panel: Panel, series: Series, point: Point) -> Html:
    words = (series.label.replace("\n", " ") or series.role, series.kind)
    between = "–"
    if point.low is not None and point.high is not None:
        between = f"{number(point.low)} to {number(point.high)}"
    return tag(
        "tr",
        tag("th", ", ".join(dict.fromkeys(words)), scope="row"),
        tag("td", panel.tick_text(point.x).replace("\n", " ")),
        tag("td", number(point.mean), class_="n"),
        tag("td", between, class_="n"),
        tag("td", len(point.seeds) or "–", class_="n"),
        tag("td", [[cell_link(cell), " "] for cell in point.cells]),
    )
