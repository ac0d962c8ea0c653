"""Figure 5 of Conneau et al. 2020: the sampling exponent α, low- against high-resource languages.

Panels: change in XNLI accuracy from the smallest α beside the published change; its levels;
held-out bits per byte beside the own-language unigram; the two low-resource languages apart.
"""

from plots.chart import Chart
from plots.common import GROUPS, LOW_APART, PAPER, SHAPES, baseline_note, chart, require
from plots.comparison import Comparison, Line
from plots.material import Material
from plots.measures import Axis

BLOCK = "alpha"
AXIS = Axis(column="sampling.alpha", label="α of language sampling", phrase="α = {}")
PUBLISHED = {"high": "high_res(en,fr)", "all": "all", "low": "low_res(sw,ur)"}


def xlmr_figure_5(material: Material) -> Chart:
    """The numbers and words of Figure 5. Raises FigureError if the block is not in the frame."""
    results = material.results()
    require(results, BLOCK, "Figure 5")
    comparison = Comparison(
        results=results,
        reference=material.published,
        axis=AXIS,
        lines=tuple(
            Line(role=group.role, block=BLOCK, group=group, published=PUBLISHED[group.role])
            for group in GROUPS
        ),
        precision="digitised ±0.3",
        published_x=float,
    )
    return chart(
        results,
        material.published,
        figure="xlmr_figure_5",
        after=f"After Figure 5 of {PAPER}",
        title="Sampling high- against low-resource languages",
        blocks=(BLOCK,),
        rows=[comparison.main_row(), (comparison.bits(), comparison.apart(LOW_APART))],
        notes=[
            baseline_note(results, (BLOCK,), AXIS),
            "A language with a share p of the sentences is sampled in proportion to the power α of "
            f"p: 1 keeps the corpus' shares. Published: read off the paper's bars (±0.3). {SHAPES}",
        ],
    )
