"""Figure 4 of Conneau et al. 2020: a wider encoder against the fixed one as languages are added.

Panels: change in XNLI accuracy of all seven languages beside the published change; its levels with
the widths; held-out bits per byte; and what the extra width brings, paired by seed.
"""

from dataclasses import replace

import polars

from plots.chart import Chart, X
from plots.common import (
    LANGUAGES,
    PAPER,
    SHAPES,
    baseline_note,
    chart,
    require,
    widths,
)
from plots.comparison import Comparison, Line
from plots.material import Material
from plots.measures import Results

FIXED, WIDER = "fixed width", "wider"
FIXED_PUBLISHED = "fixed capacity (H=768)"
WIDER_PUBLISHED = ("increased capacity (H=960)", "increased capacity (H=1152)")


def xlmr_figure_4(material: Material) -> Chart:
    """The numbers and words of Figure 4. Raises FigureError if a block is not in the frame."""
    results = material.results()
    require(results, FIXED, "Figure 4")
    require(results, WIDER, "Figure 4")
    reference = _one_wider(material.published)
    fixed_widths, wider_widths = widths(results, FIXED), widths(results, WIDER)
    own = set(fixed_widths.values())
    fixed = Line(
        role="fixed",
        block=FIXED,
        label=f"fixed width\n(H = {own.pop()})" if len(own) == 1 else "fixed width",
        published=FIXED_PUBLISHED,
    )
    wider = Line(role="wider", block=WIDER, label="wider", published=WIDER)
    both = Comparison(
        results=results,
        reference=reference,
        axis=replace(LANGUAGES, label="languages in pretraining; width, fixed → wider"),
        lines=(fixed, wider),
        precision="digitised ±0.1",
        start=fixed,
    )
    # The fixed block runs over more languages than the wider one: this figure is where both are.
    shown = set(both.of(wider).planned(both.axis)) | set(both.of_paper(wider))
    both = replace(
        both,
        results=_only(results, shown),
        under={x: _widths(x, fixed_widths, wider_widths) for x in shown},
    )
    return chart(
        both.results,
        material.published,
        figure="xlmr_figure_4",
        after=f"After Figure 4 of {PAPER}",
        title="A wider encoder against the curse",
        blocks=(FIXED, WIDER),
        rows=[
            both.main_row(),
            (both.bits(), both.difference(wider, fixed, "What the extra width brings")),
        ],
        notes=[
            baseline_note(both.results, (FIXED, WIDER), LANGUAGES),
            "Mean of the seven languages. Published: read off the paper's bars (±0.1), widths "
            f"768, 960 and 1152. {SHAPES}",
        ],
    )


def _one_wider(reference: polars.DataFrame) -> polars.DataFrame:
    """The published wider models as one series, which starts at the fixed one's first point."""
    renamed = reference.with_columns(
        series=polars.when(polars.col("series").is_in(WIDER_PUBLISHED))
        .then(polars.lit(WIDER))
        .otherwise(polars.col("series"))
    )
    first = reference.filter(polars.col("series") == FIXED_PUBLISHED).head(1)
    return polars.concat([first.with_columns(series=polars.lit(WIDER)), renamed])


def _only(results: Results, shown: set[X]) -> Results:
    there = polars.col("n_languages").is_in(list(shown))
    return replace(results, frame=results.frame.filter(there), plan=results.plan.filter(there))


def _widths(x: X, fixed: dict[X, int], wider: dict[X, int]) -> str:
    """The width at a number of languages: the fixed one and, where it differs, the wider."""
    found = dict.fromkeys(widths[x] for widths in (fixed, wider) if x in widths)
    return " → ".join(str(width) for width in found) or "–"
