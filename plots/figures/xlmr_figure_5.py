"""Figure 5 of Conneau et al. 2020: the sampling exponent α, low- against high-resource languages.

Panels: change in XNLI accuracy from the smallest α beside the published change; its levels;
held-out bits per byte beside the own-language unigram; the two low-resource languages apart. A
third row shows the exponent of the tokenizer's sample alone, where the study has run that control.
"""

from dataclasses import replace

from plots.chart import Chart, Panel
from plots.common import GROUPS, LOW_APART, PAPER, SHAPES, baseline_note, chart, require
from plots.comparison import Comparison, Line
from plots.material import Material
from plots.measures import BITS_PER_BYTE, Axis

BLOCK = "alpha"
AXIS = Axis(column="sampling.alpha", label="α of language sampling", phrase="α = {}")
CONTROL = "tokenizer alpha"
CONTROL_AXIS = Axis(column="tokenizer.alpha", label="α of the tokenizer's sample", phrase="α = {}")
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
    rows: list[tuple[Panel, ...]] = [
        comparison.main_row(),
        (comparison.bits(), comparison.apart(LOW_APART)),
    ]
    if CONTROL in results.blocks:
        rows.append(_controls(comparison))
    return chart(
        results,
        material.published,
        figure="xlmr_figure_5",
        after=f"After Figure 5 of {PAPER}",
        title="Sampling high- against low-resource languages",
        blocks=(BLOCK, CONTROL),
        rows=rows,
        notes=[
            baseline_note(results, (BLOCK,), AXIS),
            "A language with a share p of the sentences is sampled in proportion to the power α of "
            f"p: 1 keeps the corpus' shares. Published: read off the paper's bars (±0.3). {SHAPES}",
        ],
    )


def _controls(comparison: Comparison) -> tuple[Panel, Panel]:
    """Held-out text and accuracy as only the tokenizer's sample changes."""
    control = replace(
        comparison,
        axis=CONTROL_AXIS,
        lines=tuple(replace(line, block=CONTROL, published="") for line in comparison.lines),
    )
    main = control.main_metric
    unit = "points of XNLI accuracy" if control.has_xnli else "bits per byte of gain"
    of_main, of_bits = control.change_from(main), control.change_from(BITS_PER_BYTE)
    return (
        control.panel(
            "Control: the tokenizer's α alone",
            f"{unit}, {of_main}, paired by seed",
            control.measured(main, change=True),
            zero_line=True,
        ),
        control.panel(
            "Control: the tokenizer's α alone",
            f"bits per byte, lower is better; {of_bits}",
            control.measured(BITS_PER_BYTE, change=True),
            zero_line=True,
        ),
    )
