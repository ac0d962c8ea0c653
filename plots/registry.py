"""The figures that can be drawn, by the name that a study declares."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import polars

from plots import xlmr_figure_2, xlmr_figure_4
from plots.chart import Chart
from plots.errors import FigureError

Maker = Callable[[polars.DataFrame, polars.DataFrame, polars.DataFrame | None], Chart]


@dataclass(kw_only=True, frozen=True)
class Entry:
    """How a figure is made: its chart from results, published points and the study's plan."""

    reference: str
    """Name of the file in `plots/reference`."""
    chart: Maker


FIGURES = {
    xlmr_figure_2.NAME: Entry(
        reference=xlmr_figure_2.REFERENCE, chart=xlmr_figure_2.figure_2_chart
    ),
    xlmr_figure_4.NAME: Entry(
        reference=xlmr_figure_4.REFERENCE, chart=xlmr_figure_4.figure_4_chart
    ),
}


def find(name: str) -> Entry:
    """The figure of that name. Raises FigureError with the nearest name."""
    if name in FIGURES:
        return FIGURES[name]
    nearest = get_close_matches(name, FIGURES, n=1, cutoff=0.3)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    raise FigureError(f"unknown figure '{name}'.{hint} Known: {', '.join(FIGURES)}")
