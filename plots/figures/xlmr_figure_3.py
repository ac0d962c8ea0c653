"""Figure 3 of Conneau et al. 2020: the same 7-language model on Wikipedia and on CommonCrawl.

Panels: what CommonCrawl brings to each group of languages, beside the published gain; the levels;
held-out bits per byte, of models of both sources on each source's text where the study has them,
beside the own-language unigram; the gain by language.
"""

from dataclasses import replace

from plots import measures
from plots.chart import MEASURED, PUBLISHED, STATED, Chart, Panel, Series, X
from plots.common import (
    ALL,
    HIGH,
    LOW,
    NO_XNLI,
    PAPER,
    SEVEN,
    SHAPES,
    baseline_note,
    chart,
    varying,
)
from plots.comparison import Comparison, Line
from plots.material import Material
from plots.measures import Axis, by_languages
from plots.published import points

BLOCK = "sources"
COMMON = "common text"
"""The block whose cells score models of each source on the text of both."""
TEXT = "evaluation.text"
COLUMNS = ("corpus.source", "corpus.synthetic.profile")
NAMES = {"wikipedia": "Wikipedia", "cc100": "CommonCrawl"}
GROUPS = {f"{group.role}_res": group for group in (LOW, HIGH)} | {"all": ALL}
"""By the names of the published categories."""


def xlmr_figure_3(material: Material) -> Chart:
    """The numbers and words of Figure 3. Raises FigureError if two sources are not there."""
    results = material.results()
    column = varying(results, BLOCK, COLUMNS, "Figure 3")
    lines = tuple(
        Line(
            role=label.lower(),
            block=BLOCK,
            label=label,
            where={column: source},
            published=f"XLM-7 {label}",
            stated=f"XLM-7 {label}",
        )
        for source, label in NAMES.items()
    )
    groups: dict[X, tuple[str, ...]] = {name: group.languages for name, group in GROUPS.items()}
    by_group = Comparison(
        results=by_languages(results, "group", groups),
        reference=material.published,
        axis=Axis(
            column="group",
            label="languages of the mean",
            order=tuple(GROUPS),
            text=_named,
            scored=groups,
        ),
        lines=lines,
        precision="digitised ±0.3",
        published_x=str,
    )
    single: dict[X, tuple[str, ...]] = {code: (code,) for code in SEVEN}
    by_language = replace(
        by_group,
        results=by_languages(results, "single", single),
        axis=Axis(column="single", label="language", order=SEVEN, scored=single),
        lines=tuple(replace(line, published="", stated="") for line in lines),
    )
    by_source = Axis(
        column=column,
        label="text",
        order=tuple(NAMES),
        text=lambda source: NAMES.get(str(source), str(source)),
    )
    common = results.where(block=COMMON).plan.height > 0
    bits = replace(
        by_group,
        results=results,
        axis=replace(by_source, column=TEXT, label="held-out text of"),
        lines=tuple(replace(line, block=COMMON, published="", stated="") for line in lines),
    )
    return chart(
        results,
        material.published,
        figure="xlmr_figure_3",
        after=f"After Figure 3 of {PAPER}",
        title="Wikipedia against CommonCrawl",
        blocks=(BLOCK, COMMON) if common else (BLOCK,),
        rows=[
            (_gain(by_group, "What CommonCrawl brings"), _levels(by_group)),
            (
                (bits if common else by_group).bits(),
                _gain(by_language, "What CommonCrawl brings, by language"),
            ),
        ],
        notes=[
            baseline_note(results, (BLOCK,), by_source),
            "Published: read off the paper's bars (±0.3); ×: the means of its Table 5, whose "
            f"Wikipedia row differs from the bars. {SHAPES} Bits per byte of two sources compare "
            "only where both are scored on the same text."
            + (" On its own source's text a model has an advantage." if common else ""),
        ],
    )


def _named(group: X) -> str:
    name = GROUPS[str(group)].name.replace("all", "all seven")
    return name.replace("-", "-\n")


def _gain(of: Comparison, title: str) -> Panel:
    """CommonCrawl minus Wikipedia, paired by seed, beside the same of the paper."""
    wikipedia, common_crawl = of.lines
    metric = of.main_metric
    values, base = of.found(common_crawl, metric), of.found(wikipedia, metric)
    results = of.of(common_crawl)
    series = Series(
        label="measured",
        role="commoncrawl",
        kind=MEASURED,
        points=measures.difference_points(results, of.axis, values, base),
        block=BLOCK,
    )
    beside = _published_gain(of) if of.has_xnli else []
    unit = "points of XNLI accuracy" if of.has_xnli else "bits per byte of gain over the unigram"
    return of.panel(
        title,
        f"{unit}, CommonCrawl minus Wikipedia,\npaired by seed"
        + ("; hollow: digitised ±0.3; ×: its Table 5" if beside else ""),
        [(common_crawl, series)],
        beside,
        zero_line=True,
    )


def _published_gain(of: Comparison) -> list[Series]:
    wikipedia, common_crawl = of.lines
    made = []
    for drawn, kind in ((True, PUBLISHED), (False, STATED)):
        gained = points(of.of_paper(common_crawl, drawn=drawn), of.of_paper(wikipedia, drawn=drawn))
        name = "published" if drawn else ""
        made.append(Series(label=name, role="commoncrawl", kind=kind, points=gained))
    return [series for series in made if series.points]


def _levels(of: Comparison) -> Panel:
    """Accuracies of both; where there are none, what the paper has of them."""
    if of.has_xnli:
        return of.levels()
    return of.panel(
        "What CommonCrawl brings to XNLI accuracy",
        "points, CommonCrawl minus Wikipedia; Conneau et al. 2020,\ndigitised ±0.3; ×: its Table 5",
        [],
        _published_gain(of),
        zero_line=True,
        message=NO_XNLI,
    )
