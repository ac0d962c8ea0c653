"""What the figures share: groups of languages, what is missing, and what stands in the margins."""

from dataclasses import dataclass
from typing import Any

import polars

from plots.chart import NOT_PLANNED, NOT_RUN, Chart, Panel, Point, Series
from plots.errors import FigureError
from plots.measures import (
    ACCURACY,
    BITS_PER_BYTE,
    UNIGRAM,
    Metric,
    Results,
    languages_of,
    rows_of,
)

SEVEN = ("en", "fr", "de", "ru", "zh", "sw", "ur")
"""The languages that every set has (Conneau et al. 2020, Section 3)."""
FIXED_WIDTH, WIDER = "fixed width", "wider"
X_LABEL = "languages in pretraining"
NO_XNLI = "XNLI not measured on this source"
PAPER = "Conneau et al. 2020 (arXiv 1911.02116)"


@dataclass(kw_only=True, frozen=True)
class Group:
    """Languages whose scores are averaged (Conneau et al. 2020, Figure 2)."""

    role: str
    name: str
    languages: tuple[str, ...]
    published: str


GROUPS = (
    Group(role="high", name="high-resource", languages=("en", "fr"), published="high_res(en,fr)"),
    Group(role="all", name="all", languages=SEVEN, published="all(7 langs)"),
    Group(role="low", name="low-resource", languages=("sw", "ur"), published="low_res(sw,ur)"),
)


def label(group: Group, languages: list[str]) -> str:
    """The group's name with the languages that it really holds."""
    if group.role == "all":
        count = len(languages)
        return "all seven" if count == len(SEVEN) else f"all {count} of\nthe seven"
    return f"{group.name}\n({', '.join(languages)})"


def grouped(frame: polars.DataFrame, metric: Metric) -> list[tuple[Group, list[str]]]:
    """The groups of which at least one language was scored, with those languages."""
    found = [(group, languages_of(frame, metric, group.languages)) for group in GROUPS]
    return [(group, languages) for group, languages in found if languages]


def block_of(frame: polars.DataFrame, block: str, figure: str) -> polars.DataFrame:
    """The rows of one block. Raises FigureError if there are none."""
    rows = frame.filter(polars.col("block") == block)
    if rows.is_empty():
        blocks = sorted({str(name) for name in frame["block"].to_list()})
        raise FigureError(
            f"{figure} shows the block '{block}', but the results have only "
            f"{', '.join(repr(name) for name in blocks)}: name the block so in the study's axes, "
            "or add it to the run with blocks=all"
        )
    return rows


def ticks_of(results: Results, blocks: tuple[str, ...], published: list[int]) -> list[int]:
    """Numbers of languages on the x axis: what the blocks have or plan, and what was published."""
    rows = results.frame.filter(polars.col("block").is_in(blocks))
    measured = {int(count) for count in rows["n_languages"].to_list()}
    planned = {x for block in blocks for x in results.planned.get(block, {})}
    return sorted(measured | planned | set(published))


def tick_notes(
    results: Results, ticks: list[int], series: list[Series], main: tuple[str, ...]
) -> dict[int, str]:
    """What is missing at each tick: `main` blocks are wanted at all, others where planned."""
    notes = {}
    for x in ticks:
        wanted = [
            entry for entry in series
            if entry.block in main or x in results.planned.get(entry.block, {})
        ]  # fmt: skip
        points = [point for entry in wanted for point in entry.points if point.x == x]
        short = [point for point in points if not point.complete]
        if len(points) < len(wanted):
            planned = any(x in results.planned.get(entry.block, {}) for entry in wanted)
            nothing = NOT_RUN if planned or not results.has_plan else NOT_PLANNED
            notes[x] = "partly\nrun" if points else nothing
        elif short:
            worst = min(short, key=lambda point: (len(point.seeds), point.expected_seeds))
            notes[x] = f"{len(worst.seeds)} of {worst.expected_seeds}\nseeds"
    return notes


def has_xnli(frame: polars.DataFrame) -> bool:
    return bool(languages_of(frame, ACCURACY, SEVEN))


def change_of(x: int) -> str:
    return f"change from {x} languages"


def unigram_label(first: bool) -> str:
    """The name of the dashed lines, which one of them carries."""
    return "own-language\nunigram" if first else ""


def baseline_note(frame: polars.DataFrame, blocks: tuple[str, ...]) -> str:
    """Which cells do not beat the own-language unigram on the mean of the seven languages."""
    rows = frame.filter(polars.col("block").is_in(blocks) & polars.col("language").is_in(SEVEN))
    each = ["block", "n_languages"]
    scores = rows_of(rows, BITS_PER_BYTE).group_by(each).agg(model=polars.mean("value"))
    unigram = rows_of(rows, UNIGRAM).group_by(each).agg(unigram=polars.mean("value"))
    both = scores.join(unigram, on=each).filter(polars.col("model") >= polars.col("unigram"))
    if both.is_empty():
        return ""
    counts = ", ".join(str(x) for x in sorted(set(both["n_languages"].to_list())))
    return (
        f"Not better than the own-language unigram on the seven at {counts} languages: what is "
        "seen there is vocabulary, not language."
    )


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


def widths(frame: polars.DataFrame, block: str) -> dict[int, int]:
    """Encoder width by number of languages in a block, where the study varies it."""
    if "encoder.width" not in frame.columns:
        return {}
    rows = frame.filter((polars.col("block") == block) & polars.col("encoder.width").is_not_null())
    found: dict[int, set[int]] = {}
    for row in rows.select("n_languages", "encoder.width").unique().iter_rows(named=True):
        found.setdefault(row["n_languages"], set()).add(int(row["encoder.width"]))
    return {x: next(iter(values)) for x, values in sorted(found.items()) if len(values) == 1}


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
    number: str,
    title: str,
    blocks: tuple[str, ...],
    rows: list[tuple[Panel, ...]],
    notes: list[str],
    x_label: str = X_LABEL,
) -> Chart:
    """Puts a figure's panels between its header and its footer, with the facts for its sidecar."""
    used = results.frame.filter(polars.col("block").is_in(blocks))
    study, scale = used["study"][0], used["scale"][0]
    seeds = sorted({int(seed) for seed in used["seed"].to_list()})
    counts = seeds_text(used, blocks)
    points = [
        point for row in rows for panel in row for entry in panel.series for point in entry.points
    ]
    numbers = ", ".join(map(str, seeds))
    measured = f"Measured: study {study}, scale {scale}, source {sources(used)}; "
    if len(seeds) == 1:
        measured += f"seed {numbers}. One seed gives no interval."
    else:
        measured += (
            f"seeds {numbers}. Large marks are means, bars 95\u00a0%\u00a0t\u00a0intervals over "
            "seeds, small dots the seeds; an arrow says that an interval runs on beyond the panel."
        )
    if any(not point.complete for point in points):
        notes = [*notes, "Half-filled marks have fewer seeds than others of their block."]
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
        subtitle=f"After Figure {number} of {PAPER}  ·  scale {scale}  ·  {counts}",
        badge=badge(used),
        rows=tuple(rows),
        footer=tuple(text for text in (measured, *notes) if text),
        x_label=x_label,
        absent_blocks=tuple(block for block in blocks if block not in results.blocks),
        facts=facts,
    )


def mean_level(frame: polars.DataFrame, metric: Metric, languages: list[str]) -> Point | None:
    """One value for a horizontal line: the mean over cells of the mean over languages."""
    rows = rows_of(frame, metric).filter(polars.col("language").is_in(languages))
    if rows.is_empty():
        return None
    cells = rows.unique(["cell", "language"]).group_by("cell").agg(polars.mean("value"))
    value = sum(sorted(cells["value"].to_list())) / len(cells)
    return Point(x=0, mean=metric.factor * value, cells=tuple(sorted(cells["cell"].to_list())))
