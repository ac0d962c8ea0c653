"""Figure 3 of Conneau et al. 2020: the same 7-language model on Wikipedia and on CommonCrawl.

Panels: what CommonCrawl brings to each group of languages, beside the published gain; the levels;
held-out bits per byte of each source beside the own-language unigram; the gain by language.
"""

from dataclasses import replace
from typing import Any

from plots import measures
from plots.chart import MEASURED, PUBLISHED, STATED, Chart, Panel, Series, X
from plots.common import ALL, HIGH, LOW, PAPER, SEVEN, SHAPES, baseline_note, chart, varying
from plots.comparison import Comparison, Line
from plots.material import Material
from plots.measures import Axis, by_languages
from plots.published import points

BLOCK = "sources"
COLUMNS = ("corpus.source", "corpus.synthetic.profile")
WIKIPEDIA, COMMON_CRAWL = "wikipedia", "cc100"
GROUPS = {f"{group.role}_res": group for group in (LOW, HIGH)} | {"all": ALL}
"""By the names of the published categories."""


def xlmr_figure_3(material: Material) -> Chart:
    """The numbers and words of Figure 3. Raises FigureError if two sources are not there."""
    results = material.results()
    column = varying(results, BLOCK, COLUMNS, "Figure 3")
    lines = tuple(
        Line(
            role=role,
            block=BLOCK,
            label=label,
            where={column: source},
            published=f"XLM-7 {label}",
            stated=f"XLM-7 {label}",
        )
        for source, role, label in (
            (WIKIPEDIA, "wikipedia", "Wikipedia"),
            (COMMON_CRAWL, "commoncrawl", "CommonCrawl"),
        )
    )
    groups = {name: group.languages for name, group in GROUPS.items()}
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
    single: dict[Any, tuple[str, ...]] = {code: (code,) for code in SEVEN}
    by_language = replace(
        by_group,
        results=by_languages(results, "single", single),
        axis=Axis(column="single", label="language", order=SEVEN, scored=single),
    )
    held_out = "held-out text is each source's own"
    return chart(
        results,
        material.published,
        figure="xlmr_figure_3",
        after=f"After Figure 3 of {PAPER}",
        title="Wikipedia against CommonCrawl",
        blocks=(BLOCK,),
        rows=[
            (_gain(by_group), by_group.levels() if by_group.has_xnli else by_group.published_only()),
            (by_group.bits(), _gain(replace(by_language, published_x=str), published=False)),
        ],
        notes=[
            *(
                baseline_note(results.where(**line.where), (BLOCK,), Axis(column=column, label="text"))
                for line in lines
            ),
            "Published: read off the paper's bars (±0.3); ×: the means of its Table 5, whose "
            f"Wikipedia row differs from the bars. In c, {held_out}. {SHAPES}",
        ],
    )


def _named(group: X) -> str:
    name = GROUPS[str(group)].name.replace("all", "all seven")
    return name.replace("-", "-\n")


def _gain(of: Comparison, *, published: bool = True) -> Panel:
    """CommonCrawl minus Wikipedia, paired by seed."""
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
    beside = []
    if published and of.has_xnli:
        for drawn, kind in ((True, PUBLISHED), (False, STATED)):
            gained = points(of.of_paper(common_crawl, drawn=drawn), of.of_paper(wikipedia, drawn=drawn))
            name = "published" if drawn else ""
            beside.append(Series(label=name, role="commoncrawl", kind=kind, points=gained))
    unit = "points of XNLI accuracy" if of.has_xnli else "bits per byte of gain over the unigram"
    return of.panel(
        "What CommonCrawl brings" + ("" if published else ", by language"),
        f"{unit}, CommonCrawl minus Wikipedia,\npaired by seed"
        + ("; hollow: digitised ±0.3; ×: its Table 5" if beside else ""),
        [(common_crawl, series)],
        beside,
        zero_line=True,
    )
