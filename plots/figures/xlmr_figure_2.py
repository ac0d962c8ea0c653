"""Figure 2 of Conneau et al. 2020: more languages at a fixed width, low- and high-resource apart.

Panels: change in XNLI accuracy beside the published change; its levels; held-out bits per byte
beside the own-language unigram; the two low-resource languages apart. A third row shows the control
blocks, where the study has run them. Without XNLI the first panel shows the gain over the unigram.
"""

from dataclasses import replace

from plots.chart import Chart, Panel
from plots.common import (
    ALL,
    GROUPS,
    HIGH,
    LANGUAGES,
    LOW,
    LOW_APART,
    PAPER,
    SHAPES,
    baseline_note,
    chart,
    require,
)
from plots.comparison import Comparison, Line
from plots.material import Material
from plots.measures import BITS_PER_BYTE, languages_of

BLOCK = "fixed width"
CONTROLS = {"equal exposure": "exposure", "one tokenizer": "tokenizer"}
"""Control blocks: tokens of the seven languages held constant; one tokenizer held fixed."""
PUBLISHED = {"high": "high_res(en,fr)", "all": "all(7 langs)", "low": "low_res(sw,ur)"}


def xlmr_figure_2(material: Material) -> Chart:
    """The numbers and words of Figure 2. Raises FigureError if the block is not in the frame."""
    results = material.results()
    require(results, BLOCK, "Figure 2")
    comparison = Comparison(
        results=results,
        reference=material.published,
        axis=LANGUAGES,
        lines=tuple(
            Line(
                role=group.role,
                block=BLOCK,
                group=group,
                published=PUBLISHED[group.role],
                stated="all (text)" if group is ALL else "",
            )
            for group in GROUPS
        ),
        precision="digitised ±0.3",
    )
    rows: list[tuple[Panel, ...]] = [
        comparison.main_row(),
        (comparison.bits(), comparison.apart(LOW_APART)),
    ]
    if set(CONTROLS) & results.blocks:
        rows.append(_controls(comparison))
    return chart(
        results,
        material.published,
        figure="xlmr_figure_2",
        after=f"After Figure 2 of {PAPER}",
        title="More languages in an encoder of fixed width",
        blocks=(BLOCK, *CONTROLS),
        rows=rows,
        notes=[
            baseline_note(results, (BLOCK,), LANGUAGES),
            "Published: read off the paper's bars (±0.3); its text says 71.8 and 67.7 where the "
            f"bars read 72.5 and 67.4. {SHAPES}",
        ],
    )


def _controls(comparison: Comparison) -> tuple[Panel, ...]:
    """Low, high and all: the change of each block from its own first point."""
    blocks = {BLOCK: "fixed"} | {
        block: role for block, role in CONTROLS.items() if block in comparison.results.blocks
    }
    panels = []
    for group in (LOW, HIGH, ALL):
        if not languages_of(comparison.frame, BITS_PER_BYTE, group.languages):
            continue
        lines = tuple(
            Line(role=role, block=block, group=group, label=block.replace(" ", "\n", 1))
            for block, role in blocks.items()
        )
        controls = replace(comparison, lines=lines)
        panels.append(
            controls.panel(
                f"Controls, {group.name.replace('all', 'all seven')}",
                f"bits per byte, lower is better;\n{controls.change_from(BITS_PER_BYTE)}",
                controls.measured(BITS_PER_BYTE, change=True),
                zero_line=True,
            )
        )
    return tuple(panels)
