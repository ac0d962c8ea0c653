"""What stands on a drawn figure, and whether it can be read."""

import itertools
from collections.abc import Iterator

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from plots import style
from plots.chart import Chart
from plots.render import PAGE, Layout, render


def texts(chart: Chart, layout: Layout = PAGE) -> list[str]:
    """Every text of the drawn chart."""
    return [text.get_text() for text in visible(render(chart, layout))]


def visible(figure: Figure) -> Iterator[Text]:
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    # Matplotlib keeps labels of ticks that lie outside the axes' limits, and does not draw them.
    unseen = set()
    for axes in figure.axes:
        for axis, place in ((axes.xaxis, 0), (axes.yaxis, 1)):
            low, high = axis.get_view_interval()
            for label in axis.get_ticklabels():
                if not low <= label.get_position()[place] <= high:
                    unseen.add(label)
    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        if artist.get_visible() and artist.get_text().strip() and artist not in unseen:
            yield artist


def unreadable(chart: Chart, layout: Layout) -> list[str]:
    """What is wrong with the texts of a drawn chart: outside the page, or over another."""
    figure = render(chart, layout)
    figure.set_dpi(style.DPI)
    boxes = [(artist.get_text(), artist.get_window_extent()) for artist in visible(figure)]
    page = figure.bbox
    wrong = [
        f"{text!r} leaves the page"
        for text, box in boxes
        if box.x0 < 0 or box.y0 < 0 or box.x1 > page.width or box.y1 > page.height
    ]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        # Boxes hold the gap between lines too: a pixel of 200 in an inch is no overlap.
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 1 and high > 1:
            wrong.append(f"{one!r} covers {other!r}")
    return wrong
