"""When to stop: held-out text against accuracy downstream, along one run.

Conneau et al. 2020 say in words only (Sections 3.2 and 5.2) that accuracy goes on rising after
validation perplexity has flattened, so no points are published. Panels: levels of both at each
milestone, and what each stretch of training between two milestones has brought.
"""

from dataclasses import replace

import polars

from plots import measures
from plots.chart import MEASURED, Chart, Panel, Series
from plots.common import GROUPS, SEVEN, baseline_note, chart, require
from plots.comparison import Comparison, Line
from plots.errors import FigureError
from plots.material import Material
from plots.measures import ACCURACY, AT, BITS_PER_BYTE, Axis, Metric, Results

BLOCK = "length"
UPDATES = Axis(column=AT, label="updates of pretraining", text="{:,}".format, phrase="{} updates")


def stopping_criterion(material: Material) -> Chart:
    """Both scores over the milestones. Raises FigureError where there are none."""
    results = material.results(milestones=True)
    require(results, BLOCK, "The stopping criterion")
    run = Comparison(
        results=results,
        reference=material.published,
        axis=UPDATES,
        lines=tuple(Line(role=group.role, block=BLOCK, group=group) for group in GROUPS),
        precision="",
    )
    if len(run.ticks) < 2:
        raise FigureError(
            "The stopping criterion compares milestones of a run, and the results have only its "
            "end: set cell.pretraining.milestones and cell.evaluation.milestones in the study"
        )
    return chart(
        results,
        material.published,
        figure="stopping_criterion",
        after="After Section 5.2 of Conneau et al. 2020 (arXiv 1911.02116)",
        title="When to stop: held-out text against accuracy downstream",
        blocks=(BLOCK,),
        rows=[
            (run.bits(), _levels(run)),
            (
                _stretches(run, BITS_PER_BYTE, "bits per byte, lower is better"),
                _stretches(run, ACCURACY, "points of XNLI accuracy, higher is better"),
            ),
        ],
        notes=[
            baseline_note(results, (BLOCK,), UPDATES),
            _selected(results),
            "The paper states its observation in words, without numbers. Before the end the "
            "learning rate has not come down, which costs a milestone some of both scores.",
        ],
    )


def _levels(run: Comparison) -> Panel:
    return run.panel(
        "XNLI accuracy",
        "% correct on the test sets, fine-tuned in English only",
        run.measured(ACCURACY),
        run.baselines(),
    )


def _stretches(run: Comparison, metric: Metric, unit: str) -> Panel:
    """What each stretch has brought: the difference from the milestone before, paired by seed."""
    shown = []
    for line in run.lines:
        values = run.found(line, metric)
        points = measures.difference_points(
            run.of(line), run.axis, values, measures.before_of(values)
        )
        series = Series(
            label=run.label(line, metric),
            role=line.role,
            kind=MEASURED,
            points=points,
            block=BLOCK,
        )
        shown.append((line, series))
    what = "held-out text" if metric is BITS_PER_BYTE else "accuracy"
    panel = run.panel(
        f"What each stretch brings: {what}",
        f"{unit};\nchange from the milestone before, paired by seed",
        shown,
        zero_line=True,
    )
    # The first milestone has none before it.
    notes = {x: note for x, note in panel.tick_notes.items() if x != panel.ticks[0]}
    return replace(panel, ticks=panel.ticks[1:], tick_notes=notes)


def _selected(results: Results) -> str:
    """Which milestone the validation sets choose, of each seed."""
    if "selected" not in results.frame.columns:
        return ""
    rows = results.frame.filter(polars.col("selected") & (polars.col("language").is_in(SEVEN)))
    chosen = sorted(rows.select("seed", AT).unique().iter_rows())
    if not chosen:
        return ""
    told = ", ".join(f"{update:,} (seed {seed})" for seed, update in chosen)
    return f"XNLI's validation sets choose the milestone at {told}."
