"""What the figures share: groups of languages, and what stands in the margins."""

from dataclasses import dataclass
from typing import Any

import polars

from plots.chart import NOT_PLANNED, NOT_RUN, Chart, Panel, Point, X
from plots.errors import FigureError
from plots.measures import BITS_PER_BYTE, UNIGRAM, Axis, Metric, Results, rows_of

SEVEN = ("en", "fr", "de", "ru", "zh", "sw", "ur")
"""The languages that every set has (Conneau et al. 2020, Section 3)."""
NO_XNLI = "XNLI not measured on this source"
PAPER = "Conneau et al. 2020 (arXiv 1911.02116)"
SHAPES = "Other text, other budget: compare shapes, not levels."
LANGUAGES = Axis(column="n_languages", label="languages in pretraining", phrase="{} languages")


@dataclass(kw_only=True, frozen=True)
class Group:
    """Languages whose scores are averaged (Conneau et al. 2020, Figure 2)."""

    role: str
    name: str
    languages: tuple[str, ...]


HIGH = Group(role="high", name="high-resource", languages=("en", "fr"))
ALL = Group(role="all", name="all", languages=SEVEN)
LOW = Group(role="low", name="low-resource", languages=("sw", "ur"))
GROUPS = (HIGH, ALL, LOW)
LOW_APART = {"sw": "sw", "ur": "ur"}
"""The low-resource languages by the role that each is drawn in."""


def label(group: Group, languages: list[str]) -> str:
    """The group's name with the languages that it really holds."""
    if group.role == "all":
        count = len(languages)
        return "all seven" if count == len(SEVEN) else f"all {count} of\nthe seven"
    return f"{group.name}\n({', '.join(languages)})"


def require(results: Results, block: str, figure: str) -> None:
    """Raises FigureError if the results have no row of the block."""
    if block not in results.blocks:
        raise FigureError(
            f"{figure} shows the block '{block}', but the results have only "
            f"{', '.join(repr(name) for name in sorted(results.blocks))}: name the block so in "
            "the study's axes, or add it to the run with blocks=all"
        )


def varying(results: Results, block: str, columns: tuple[str, ...], figure: str) -> str:
    """The first of the columns in which the block has several values, in the plan or the results.

    Which one it is depends on the scale: a source of text, or a profile of the synthetic one.
    Raises FigureError if none of them varies.
    """
    require(results, block, figure)
    own = results.where(block=block)
    for column in columns:
        for frame in (own.plan, own.frame):
            if column in frame.columns and frame[column].drop_nulls().n_unique() > 1:
                return column
    raise FigureError(
        f"{figure} needs cells in the block '{block}' that differ in {' or '.join(columns)}: "
        "only one value has results, and no other is planned"
    )


def baseline_note(results: Results, blocks: tuple[str, ...], axis: Axis) -> str:
    """Which cells do not beat the own-language unigram: in the mean of the seven, or in some."""
    rows = results.frame.filter(
        polars.col("block").is_in(blocks) & polars.col("language").is_in(SEVEN)
    )
    mean = _behind(rows, ["block", axis.column])
    single = _behind(rows, ["block", axis.column, "language"])
    of_all = set(mean[axis.column].to_list())
    of_some: dict[X, list[str]] = {}
    for x, language in single.select(axis.column, "language").unique().sort("language").iter_rows():
        if x not in of_all:
            of_some.setdefault(x, []).append(language)
    found = []
    if of_all:
        places = ", ".join(axis.phrase.format(axis.text(x)) for x in axis.sorted(of_all))
        found.append(f"on the seven: {places}")
    if of_some:
        places = ", ".join(
            f"{axis.phrase.format(axis.text(x))} ({', '.join(of_some[x])})"
            for x in axis.sorted(set(of_some))
        )
        found.append(f"in single languages: {places}")
    if not found:
        return ""
    return (
        f"Not better than the own-language unigram {'; '.join(found)}. What is seen there is "
        "vocabulary, not language."
    )


def _behind(rows: polars.DataFrame, each: list[str]) -> polars.DataFrame:
    """Groups whose mean bits per byte are no fewer than their unigram's."""
    scores = rows_of(rows, BITS_PER_BYTE).group_by(each).agg(model=polars.mean("value"))
    unigram = rows_of(rows, UNIGRAM).group_by(each).agg(unigram=polars.mean("value"))
    return scores.join(unigram, on=each).filter(polars.col("model") >= polars.col("unigram"))


def badge(frame: polars.DataFrame) -> str:
    """What must stand on a figure that is not, or not only, about real text."""
    kinds = set(frame["synthetic"].drop_nulls().to_list())
    if kinds == {True}:
        return "synthetic text"
    return "partly synthetic text" if True in kinds else ""


def sources(frame: polars.DataFrame) -> str:
    names = set()
    columns = ["source", "profile"] if "profile" in frame.columns else ["source"]
    for row in frame.select(columns).unique().iter_rows(named=True):
        profile = row.get("profile")
        names.add(f"{row['source']} ({profile})" if profile else str(row["source"]))
    return ", ".join(sorted(names))


def widths(results: Results, block: str) -> dict[X, int]:
    """Encoder width by number of languages in a block, where the study varies it."""
    frame = results.where(block=block).frame
    if "encoder.width" not in frame.columns:
        return {}
    found: dict[X, set[int]] = {}
    for count, width in frame.select("n_languages", "encoder.width").drop_nulls().iter_rows():
        found.setdefault(count, set()).add(int(width))
    return {count: next(iter(of)) for count, of in found.items() if len(of) == 1}


def seeds_text(frame: polars.DataFrame, blocks: tuple[str, ...]) -> str:
    """`3 seeds`, and what the other blocks have if it is not the same."""
    counts = {}
    for block in blocks:
        rows = frame.filter(polars.col("block") == block)
        if not rows.is_empty():
            counts[block] = rows["seed"].n_unique()
    first, *others = counts.items()
    text = plural(first[1], "seed")
    for block, count in others:
        if count != first[1]:
            text += f" ({block}: {count})"
    return text


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def chart(
    results: Results,
    reference: polars.DataFrame,
    *,
    figure: str,
    after: str,
    title: str,
    blocks: tuple[str, ...],
    rows: list[tuple[Panel, ...]],
    notes: list[str],
) -> Chart:
    """Puts a figure's panels between its header and its footer, with the facts for its sidecar.

    after: what the figure follows, such as `Figure 2 of Conneau et al. 2020`.
    """
    used = results.frame.filter(polars.col("block").is_in(blocks))
    study, scale = used["study"][0], used["scale"][0]
    seeds = sorted({int(seed) for seed in used["seed"].to_list()})
    points = [
        point for row in rows for panel in row for entry in panel.series for point in entry.points
    ]
    measured = f"Measured: study {study}, scale {scale}, source {sources(used)}; "
    measured += _told_seeds(seeds, points)
    if any(not point.complete for point in points):
        notes = [
            *notes,
            "Half-filled marks have fewer seeds than the study plans; how many stands below.",
        ]
    hatched = {NOT_RUN, NOT_PLANNED}
    if any(hatched & set(panel.tick_notes.values()) for row in rows for panel in row):
        notes = [*notes, "Hatched: not run, or not in the study; nothing was measured there."]
    if any(point.unseen for point in points):
        notes = [*notes, "† holds a language that the model was not pretrained on."]
    facts: dict[str, Any] = {
        "study": study,
        "scale": scale,
        "sources": sources(used),
        "seeds": seeds,
        "cells": sorted({str(cell) for cell in used["cell"].to_list()}),
        "reference": reference.to_dicts(),
    }
    return Chart(
        figure=figure,
        title=title,
        subtitle=f"{after}  ·  scale {scale}  ·  {seeds_text(used, blocks)}",
        badge=badge(used),
        rows=tuple(rows),
        footer=tuple(text for text in (measured, *notes) if text),
        absent_blocks=tuple(block for block in blocks if block not in results.blocks),
        facts=facts,
    )


def _told_seeds(seeds: list[int], points: list[Point]) -> str:
    numbers = ", ".join(map(str, seeds))
    if len(seeds) == 1:
        return f"seed {numbers}. One seed gives no interval."
    if all(point.low is None for point in points):
        return f"seeds {numbers}."
    return (
        f"seeds {numbers}. Large marks are means, bars 95\u00a0%\u00a0t\u00a0intervals over seeds, "
        "small dots the seeds; an arrow says that an interval runs on beyond the panel."
    )


def mean_level(frame: polars.DataFrame, metric: Metric, languages: list[str]) -> Point | None:
    """One value for a horizontal line: the mean over cells of the mean over languages."""
    rows = rows_of(frame, metric).filter(polars.col("language").is_in(languages))
    if rows.is_empty():
        return None
    cells = rows.unique(["cell", "language"]).group_by("cell").agg(polars.mean("value"))
    value = sum(sorted(cells["value"].to_list())) / len(cells)
    return Point(x=0, mean=metric.factor * value, cells=tuple(sorted(cells["cell"].to_list())))
