"""The figures and tables that can be made, by the name that a study declares."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

import polars

from grid.claims import read as read_verdicts
from plots.chart import Chart, Judged
from plots.errors import FigureError
from plots.figures.learning_curves import learning_curves
from plots.figures.stopping_criterion import stopping_criterion
from plots.figures.xlmr_figure_1 import xlmr_figure_1
from plots.figures.xlmr_figure_2 import xlmr_figure_2
from plots.figures.xlmr_figure_3 import xlmr_figure_3
from plots.figures.xlmr_figure_4 import xlmr_figure_4
from plots.figures.xlmr_figure_5 import xlmr_figure_5
from plots.figures.xlmr_figure_6 import xlmr_figure_6
from plots.figures.xlmr_figure_7 import xlmr_figure_7
from plots.material import Material
from plots.published import load_published
from plots.studies import StudyOutput
from plots.tables.registry import TABLES, write_tables


@dataclass(kw_only=True, frozen=True)
class Entry:
    """How a figure is made, and which of the shipped studies fills it."""

    chart: Callable[[Material], Chart]
    study: str
    """Name of a file in `studies/` that declares the figure."""
    reference: str = ""
    """Name of its file in `plots/reference`, if anything was published."""
    reads: Literal["", "corpora", "curves"] = ""
    """What it takes from the store's artifacts besides the results."""

    def draw_from(self, study: StudyOutput, name: str) -> Chart:
        """The chart of one study's results, with the verdicts on the claims that it shows.

        Raises FigureError if the results do not hold it.
        """
        chart = self.chart(
            Material(
                frame=study.results(),
                plan=study.plan(),
                published=load_published(self.reference) if self.reference else polars.DataFrame(),
                **({self.reads: getattr(study, self.reads)()} if self.reads else {}),
            )
        )
        return _with_verdicts(chart, study, name)


def _with_verdicts(chart: Chart, study: StudyOutput, name: str) -> Chart:
    """The chart with what was judged of its claims; a verdict on other results is told as such."""
    verdicts = read_verdicts(study.folder)
    judged = verdicts.of_figure(name) if verdicts else ()
    if verdicts is None or not judged:
        return chart
    claims = tuple(
        Judged(verdict=claim.verdict, says=claim.says, effect=claim.told_effect.replace("-", "−"))
        for claim in judged
    )
    if verdicts.results_sha256 in (None, study.results_sha256()):
        return replace(chart, claims=claims)
    stale = "The verdicts are on earlier results: run the study again, which judges these."
    return replace(chart, claims=claims, footer=(stale, *chart.footer))


FIGURES = {
    "xlmr_figure_1": Entry(
        chart=xlmr_figure_1, study="corpus_sizes", reference="xlmr_fig1_sizes", reads="corpora"
    ),
    "xlmr_figure_2": Entry(
        chart=xlmr_figure_2, study="curse_of_multilinguality", reference="xlmr_fig2"
    ),
    "xlmr_figure_3": Entry(chart=xlmr_figure_3, study="data_source", reference="xlmr_fig3"),
    "xlmr_figure_4": Entry(
        chart=xlmr_figure_4, study="curse_of_multilinguality", reference="xlmr_fig4"
    ),
    "xlmr_figure_5": Entry(chart=xlmr_figure_5, study="sampling_alpha", reference="xlmr_fig5"),
    "xlmr_figure_6": Entry(chart=xlmr_figure_6, study="vocabulary_size", reference="xlmr_fig6"),
    "xlmr_figure_7": Entry(
        chart=xlmr_figure_7, study="batch_size_and_tokenization", reference="xlmr_fig7"
    ),
    "stopping_criterion": Entry(chart=stopping_criterion, study="stopping_criterion"),
    "learning_curves": Entry(
        chart=learning_curves, study="curse_of_multilinguality", reads="curves"
    ),
}

__all__ = ["FIGURES", "TABLES", "Entry", "check_name", "find", "write_tables"]


def find(name: str) -> Entry:
    """The figure of that name. Raises FigureError with the nearest name."""
    check_name(name, tuple(FIGURES))
    return FIGURES[name]


def check_name(name: str, known: tuple[str, ...] | None = None) -> None:
    """Raises FigureError, with the nearest name, unless it is one of a figure or a table."""
    names = known or (*FIGURES, *TABLES)
    if name not in names:
        nearest = get_close_matches(name, names, n=1, cutoff=0.3)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise FigureError(f"unknown figure or table '{name}'.{hint} Known: {', '.join(names)}")
