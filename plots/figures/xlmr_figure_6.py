"""Figure 6 of Conneau et al. 2020: the size of the vocabulary, at constant and at growing capacity.

Panels: change in XNLI accuracy from the smallest vocabulary beside the published change; its
levels; held-out bits per byte beside the own-language unigram, which a vocabulary changes too; what
the capacity brings that is not held, paired by seed.
"""

from plots.chart import Chart, X
from plots.common import PAPER, SHAPES, baseline_note, chart, require
from plots.comparison import Comparison, Line
from plots.material import Material
from plots.measures import Axis, Results

FIXED, GROWING = "fixed capacity", "increased capacity"


def xlmr_figure_6(material: Material) -> Chart:
    """The numbers and words of Figure 6. Raises FigureError if the block is not in the frame."""
    results = material.results()
    require(results, FIXED, "Figure 6")
    axis = Axis(
        column="tokenizer.vocab_size",
        label="pieces in the vocabulary",
        text=_thousands,
        phrase="{} pieces",
    )
    fixed = Line(
        role="fixed", block=FIXED, label="constant\nparameters", published="fixed capacity"
    )
    growing = Line(
        role="wider",
        block=GROWING,
        label="growing\nparameters",
        published="increased capacity (BERT-Base)",
    )
    both = Comparison(
        results=results,
        reference=material.published,
        axis=axis,
        lines=(fixed, growing),
        precision="digitised ±0.1",
        start=fixed,
    )
    return chart(
        results,
        material.published,
        figure="xlmr_figure_6",
        after=f"After Figure 6 of {PAPER}",
        title="The size of the vocabulary",
        blocks=(FIXED, GROWING),
        rows=[
            both.main_row(),
            (both.bits(), both.difference(growing, fixed, "What growing parameters bring")),
        ],
        notes=[
            baseline_note(results, (FIXED, GROWING), axis),
            "Constant parameters: the encoder is narrower where the vocabulary is larger"
            f"{_told_widths(results)}. Published: read off the paper's bars (±0.1); its text says "
            f"+2.8 from 32k to 256k at constant parameters. {SHAPES}",
        ],
    )


def _thousands(size: X) -> str:
    """As the paper writes it: 32k. Of a few thousand two digits are enough under a tick."""
    thousands = float(size) / 1000
    if thousands < 1:
        return str(size)
    return f"{thousands:.2g}k" if thousands < 10 else f"{thousands:g}k"


def _told_widths(results: Results) -> str:
    """The widths in the order of the vocabularies, where the results tell them."""
    frame = results.where(block=FIXED).plan
    if "encoder.width" not in frame.columns:
        return ""
    rows = frame.select("tokenizer.vocab_size", "encoder.width").drop_nulls().unique().sort(
        "tokenizer.vocab_size"
    )  # fmt: skip
    found = [f"{size:,}: {width:g}" for size, width in rows.iter_rows()]
    return f" (pieces and width: {', '.join(found)})" if found else ""
