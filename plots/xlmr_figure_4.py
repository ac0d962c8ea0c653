"""Figure 4 of Conneau et al. 2020: a wider encoder against the fixed one as languages are added.

Panels: change in XNLI accuracy of all seven languages beside the published change; its levels with
the widths; held-out bits per byte; and what the extra width brings, paired by seed.
"""

from dataclasses import replace

import polars
from matplotlib.figure import Figure

from plots import measures
from plots.chart import LEVEL, MEASURED, PUBLISHED, UNIGRAM, Chart, Panel, Point, Series
from plots.common import (
    FIXED_WIDTH,
    NO_XNLI,
    SEVEN,
    WIDER,
    baseline_note,
    block_of,
    change_of,
    chart,
    has_xnli,
    mean_level,
    tick_notes,
    ticks_of,
    unigram_label,
    widths,
)
from plots.published import published_points
from plots.render import render

NAME = "xlmr_figure_4"
REFERENCE = "xlmr_fig4"
FIXED_PUBLISHED = "fixed capacity (H=768)"
WIDER_PUBLISHED = ("increased capacity (H=960)", "increased capacity (H=1152)")
PUBLISHED_WIDTHS = {7: "768", 30: "768 → 960", 100: "768 → 1152"}


def xlmr_figure_4(
    frame: polars.DataFrame, published: polars.DataFrame, plan: polars.DataFrame | None = None
) -> Figure:
    """Figure 4 from a results frame and `load_published("xlmr_fig4")`."""
    return render(figure_4_chart(frame, published, plan))


def figure_4_chart(
    frame: polars.DataFrame, published: polars.DataFrame, plan: polars.DataFrame | None = None
) -> Chart:
    """The numbers and words of Figure 4. Raises FigureError if a block is not in the frame."""
    results = measures.prepare(frame, plan)
    block_of(results.frame, FIXED_WIDTH, "Figure 4")
    block_of(results.frame, WIDER, "Figure 4")
    counts = [point.x for point in published_points(published, FIXED_PUBLISHED)]
    ticks = ticks_of(results, (WIDER,), counts)
    # The fixed block runs over more languages than the wider one: this figure is where both are.
    results = results.only(ticks)
    frame = results.frame
    metric = measures.ACCURACY if has_xnli(frame) else measures.GAIN
    first = _first(frame, metric)
    rows: list[tuple[Panel, ...]]
    if has_xnli(frame):
        rows = [(_change(results, published, ticks, first), _levels(results, published, ticks))]
    else:
        rows = [(_gain(results, ticks, first), _published_only(published, ticks))]
    rows.append((_bits(results, ticks), _relief(results, published, ticks, metric)))
    labels = _tick_labels(frame, ticks)
    rows = [tuple(_with_widths(panel, labels) for panel in row) for row in rows]
    return chart(
        results,
        published,
        figure=NAME,
        number="4",
        title="A wider encoder against the curse",
        blocks=(FIXED_WIDTH, WIDER),
        rows=rows,
        x_label="languages in pretraining; width, fixed → wider",
        notes=[
            "" if has_xnli(frame) else NO_XNLI + ".",
            baseline_note(frame, (FIXED_WIDTH, WIDER)),
            "Mean of the seven languages. Published: read off the paper's bars (±0.1), widths "
            "768, 960 and 1152. Other text, other budget: compare shapes, not levels.",
        ],
    )


def _first(frame: polars.DataFrame, metric: measures.Metric) -> int:
    rows = measures.rows_of(frame.filter(polars.col("block") == FIXED_WIDTH), metric)
    return min((int(count) for count in rows["n_languages"].to_list()), default=7)


def _name(frame: polars.DataFrame, block: str) -> str:
    """`fixed width` with its width, or `wider`: its widths stand beside its points."""
    found = set(widths(frame, block).values())
    text = "fixed width" if block == FIXED_WIDTH else "wider"
    return f"{text}\n(H = {found.pop()})" if block == FIXED_WIDTH and len(found) == 1 else text


def _tick_labels(frame: polars.DataFrame, ticks: list[int]) -> dict[int, str]:
    """The width at each number of languages: the fixed one and, where it differs, the wider."""
    fixed, wide = widths(frame, FIXED_WIDTH), widths(frame, WIDER)
    labels = {}
    for x in ticks:
        found = [found[x] for found in (fixed, wide) if x in found]
        if found:
            labels[x] = " → ".join(str(width) for width in dict.fromkeys(found))
    return labels


def _with_widths(panel: Panel, labels: dict[int, str]) -> Panel:
    """The panel with widths under its ticks, unless it has its own, as the published one has."""
    return panel if panel.tick_labels else replace(panel, tick_labels=labels)


def _languages(results: measures.Results, metric: measures.Metric) -> list[str]:
    return measures.languages_of(results.frame, metric, SEVEN)


def _means(results: measures.Results, metric: measures.Metric, kind: str) -> list[Series]:
    series = []
    for block, role in ((FIXED_WIDTH, "fixed"), (WIDER, "wider")):
        points = measures.level_points(results, block, metric, _languages(results, metric))
        name = _name(results.frame, block) if kind == MEASURED else unigram_label(block == WIDER)
        series.append(Series(label=name, role=role, kind=kind, points=points, block=block))
    return series


def _changes(results: measures.Results, metric: measures.Metric, first: int) -> list[Series]:
    """Both blocks from one base, the fixed width's first point, so that they can be compared."""
    languages = _languages(results, metric)
    return [
        Series(
            label=_name(results.frame, block),
            role=role,
            kind=MEASURED,
            points=measures.change_points(
                results, block, metric, languages, first, base_block=FIXED_WIDTH
            ),
            block=block,
        )
        for block, role in ((FIXED_WIDTH, "fixed"), (WIDER, "wider"))
    ]


def _published(published: polars.DataFrame, change_from: int | None) -> list[Series]:
    """The published bars; the wider ones start from the same 7-language model."""
    fixed = published_points(published, FIXED_PUBLISHED)
    base = {point.x: point.mean for point in fixed}
    if change_from is not None and change_from not in base:
        return []
    shift = 0.0 if change_from is None else base[change_from]
    wider = [point for name in WIDER_PUBLISHED for point in published_points(published, name)]
    start = min(base)
    wider = [Point(x=start, mean=base[start]), *wider]
    return [
        Series(
            label="",
            role=role,
            kind=PUBLISHED,
            points=tuple(Point(x=point.x, mean=round(point.mean - shift, 6)) for point in points),
        )
        for role, points in (("fixed", fixed), ("wider", wider))
    ]


def _panel(
    results: measures.Results,
    title: str,
    subtitle: str,
    ticks: list[int],
    series: list[Series],
    zero_line: bool = False,
) -> Panel:
    measured = [entry for entry in series if entry.kind == MEASURED]
    return Panel(
        title=title,
        subtitle=subtitle,
        ticks=tuple(ticks),
        tick_notes=tick_notes(results, ticks, measured, (FIXED_WIDTH, WIDER)),
        series=tuple(series),
        zero_line=zero_line,
    )


def _change(
    results: measures.Results, published: polars.DataFrame, ticks: list[int], first: int
) -> Panel:
    return _panel(
        results,
        "Change in XNLI accuracy",
        f"points, {change_of(first)}; filled: measured, paired by seed\n"
        "hollow: Conneau et al. 2020, digitised ±0.1",
        ticks,
        _changes(results, measures.ACCURACY, first) + _published(published, first),
        zero_line=True,
    )


def _levels(results: measures.Results, published: polars.DataFrame, ticks: list[int]) -> Panel:
    series = _means(results, measures.ACCURACY, MEASURED) + _published(published, None)
    majority = mean_level(
        results.frame.filter(polars.col("block") == FIXED_WIDTH),
        measures.MAJORITY,
        _languages(results, measures.ACCURACY),
    )
    if majority is not None:
        series.append(
            Series(label="majority class", role="baseline", kind=LEVEL, points=(majority,))
        )
    return _panel(
        results,
        "XNLI accuracy",
        "% correct, fine-tuned in English only; marks as in a",
        ticks,
        series,
    )


def _gain(results: measures.Results, ticks: list[int], first: int) -> Panel:
    return _panel(
        results,
        "Change in gain over the unigram",
        f"bits per byte, {change_of(first)}, paired by seed; higher is better",
        ticks,
        _changes(results, measures.GAIN, first),
        zero_line=True,
    )


def _published_only(published: polars.DataFrame, ticks: list[int]) -> Panel:
    names = {"fixed": "fixed width\n(H = 768)", "wider": "wider"}
    series = [
        Series(label=names[entry.role], role=entry.role, kind=PUBLISHED, points=entry.points)
        for entry in _published(published, 7)
    ]
    return Panel(
        title="Published change in XNLI accuracy",
        subtitle=f"points, {change_of(7)}\nConneau et al. 2020, digitised ±0.1",
        ticks=tuple(ticks),
        tick_labels={x: name for x, name in PUBLISHED_WIDTHS.items() if x in ticks},
        series=tuple(series),
        zero_line=True,
        message=NO_XNLI,
    )


def _bits(results: measures.Results, ticks: list[int]) -> Panel:
    return _panel(
        results,
        "Held-out text",
        "bits per byte, lower is better",
        ticks,
        _means(results, measures.BITS_PER_BYTE, MEASURED)
        + _means(results, measures.UNIGRAM, UNIGRAM),
    )


def _relief(
    results: measures.Results,
    published: polars.DataFrame,
    ticks: list[int],
    metric: measures.Metric,
) -> Panel:
    """Wider minus fixed at each number of languages where the width differs."""
    languages = _languages(results, metric)
    fixed = measures.values(results.frame, FIXED_WIDTH, metric, languages)
    wider = measures.values(results.frame, WIDER, metric, languages)
    same = {x for x in wider if _cells(wider[x]) == _cells(fixed.get(x, {}))}
    apart = {x: values for x, values in wider.items() if x not in same}
    series = [
        Series(
            label="measured",
            role="wider",
            kind=MEASURED,
            points=measures.difference_points(results, WIDER, apart, fixed),
            block=WIDER,
        ),
    ]
    xnli = metric is measures.ACCURACY
    if xnli:
        series.append(_published_relief(published))
    return _panel(
        results,
        "What the extra width brings",
        f"{'points of XNLI accuracy' if xnli else 'bits per byte of gain'}, wider minus fixed "
        "width, by seed",
        [x for x in ticks if x not in same] or ticks,
        series,
        zero_line=True,
    )


def _cells(values: dict[int, measures.Value]) -> set[str]:
    return {value.cell for value in values.values()}


def _published_relief(published: polars.DataFrame) -> Series:
    base = {point.x: point.mean for point in published_points(published, FIXED_PUBLISHED)}
    wider = [point for name in WIDER_PUBLISHED for point in published_points(published, name)]
    return Series(
        label="published",
        role="relief",
        kind=PUBLISHED,
        points=tuple(
            Point(x=point.x, mean=round(point.mean - base[point.x], 6)) for point in wider
        ),
    )
