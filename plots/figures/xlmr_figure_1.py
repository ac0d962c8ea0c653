"""Figure 1 of Conneau et al. 2020: how much text each language has in Wikipedia and CommonCrawl.

Panels: the published sizes, on a logarithmic axis; those of the corpora that the study has made, in
the same order of languages; and how many times more CommonCrawl has, of both.
"""

from dataclasses import replace
from typing import Any

import polars

from plots.chart import BAR, MEASURED, PUBLISHED, Chart, Panel, Point, Series
from plots.common import PAPER, chart, varying
from plots.errors import FigureError
from plots.material import Material
from plots.published import published

BLOCK = "corpora"
COLUMNS = ("corpus.source", "corpus.synthetic.profile")
WIKIPEDIA, COMMON_CRAWL = "wikipedia", "cc100"
SOURCES = {
    COMMON_CRAWL: ("commoncrawl", "CommonCrawl"),
    WIKIPEDIA: ("wikipedia", "Wikipedia"),
}
UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("bytes", 1))


def xlmr_figure_1(material: Material) -> Chart:
    """The numbers and words of Figure 1. Raises FigureError if the study has not both corpora."""
    results = material.results()
    column = varying(results, BLOCK, COLUMNS, "Figure 1")
    printed = {
        source: published(material.published, f"{name} GiB", str)
        for source, (_, name) in SOURCES.items()
    }
    own = {
        source: _sizes(results.where(block=BLOCK, **{column: source}).frame, material.corpora)
        for source in SOURCES
    }
    if not any(own.values()):
        raise FigureError(
            "no size of a corpus in the store: run the study again, which then finds them by cell "
            "(what has finished is not run again)"
        )
    order = list(printed[COMMON_CRAWL])
    rest = {code for sizes in own.values() for code in sizes} - set(order)
    order += sorted(rest, key=lambda code: -own[COMMON_CRAWL].get(code, Point(x=code, mean=0)).mean)
    return chart(
        results,
        material.published,
        figure="xlmr_figure_1",
        after=f"After Figure 1 of {PAPER}",
        title="Text of each language in Wikipedia and in CommonCrawl",
        blocks=(BLOCK,),
        rows=[
            (_published_sizes(printed, order),),
            (_own_sizes(own, order),),
            (_ratios(printed, own, order),),
        ],
        notes=[
            "Published: 88 languages, read off the bars of a logarithmic axis (±5 %); four bars at "
            "its foot (br, bs, as, su: 0.1 GiB or less) have no value. Measured: bytes of text "
            "without duplicates. Generated corpora are as large, and as skewed, as the study says."
        ],
    )


def _sizes(frame: polars.DataFrame, corpora: polars.DataFrame) -> dict[Any, Point]:
    """Bytes of each language in the cells of a source, which all have the same corpora."""
    cells = sorted(set(frame["cell"].to_list()))
    if not cells or corpora.is_empty():
        return {}
    rows = corpora.filter(polars.col("cell").is_in(cells)).unique(
        ["language"], keep="first", maintain_order=True
    )
    return {
        code: Point(x=code, mean=float(size), cells=tuple(cells))
        for code, size in rows.select("language", "bytes").iter_rows()
        if size
    }


def _panel(title: str, subtitle: str, order: list[Any], series: list[Series]) -> Panel:
    there = {point.x for entry in series for point in entry.points}
    return Panel(
        title=title,
        subtitle=subtitle,
        x_label="languages, by their published size in CommonCrawl",
        ticks=tuple(code for code in order if code in there),
        series=tuple(entry for entry in series if entry.points),
        joined=False,
        logarithmic=True,
    )


def _published_sizes(printed: dict[str, dict[Any, float]], order: list[Any]) -> Panel:
    series = [
        Series(
            label=name,
            role=role,
            kind=BAR,
            points=tuple(Point(x=code, mean=size) for code, size in printed[source].items()),
        )
        for source, (role, name) in SOURCES.items()
    ]
    return _panel("Published sizes", "GiB, logarithmic; digitised ±5 %", order, series)


def _own_sizes(own: dict[str, dict[Any, Point]], order: list[Any]) -> Panel:
    largest = max(point.mean for sizes in own.values() for point in sizes.values())
    unit, size = next(entry for entry in UNITS if largest >= entry[1])
    series = [
        Series(
            label=name,
            role=role,
            kind=BAR,
            points=tuple(replace(point, mean=point.mean / size) for point in own[source].values()),
            block=BLOCK,
        )
        for source, (role, name) in SOURCES.items()
    ]
    return _panel("Sizes of this study's corpora", f"{unit}, logarithmic", order, series)


def _ratios(
    printed: dict[str, dict[Any, float]], own: dict[str, dict[Any, Point]], order: list[Any]
) -> Panel:
    """CommonCrawl over Wikipedia, of the languages that both have."""
    of_paper = tuple(
        Point(x=code, mean=round(size / printed[WIKIPEDIA][code], 6))
        for code, size in printed[COMMON_CRAWL].items()
        if code in printed[WIKIPEDIA]
    )
    measured = tuple(
        Point(x=code, mean=point.mean / own[WIKIPEDIA][code].mean, cells=point.cells)
        for code, point in own[COMMON_CRAWL].items()
        if code in own[WIKIPEDIA]
    )
    there = {point.x for point in measured}
    return _panel(
        "How many times more CommonCrawl has",
        "ratio, logarithmic; filled: this study's corpora; hollow: published",
        [code for code in order if code in there] or order,
        [
            Series(
                label="measured", role="commoncrawl", kind=MEASURED, points=measured, block=BLOCK
            ),
            Series(label="published", role="baseline", kind=PUBLISHED, points=of_paper),
        ],
    )
