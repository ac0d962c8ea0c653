"""The head of the page: what was asked, of what kind of text, and where it stands."""

import statistics

from grid.claims import FAILS, HOLDS, UNDECIDED
from grid.plan_text import hours
from plots.common import badge
from plots.report.facts import Facts
from plots.report.markup import Html, number, short, tag
from plots.report.verdicts import counted


def head(facts: Facts) -> Html:
    study, synthetic = facts.study, badge(facts.frame)
    return tag(
        "header",
        tag("p", f"{study.name} · scale {study.scale}", class_="kicker"),
        tag("h1", study.title),
        study.source and tag("p", study.source, class_="source"),
        synthetic
        and tag(
            "p",
            tag("b", synthetic, class_="badge"),
            " ",
            "Made-up languages: shapes may be compared with the paper's, levels may not.",
        ),
        facts.overview.note and tag("p", facts.overview.note, class_="note"),
        tag("ul", (_tile(*tile) for tile in _tiles(facts)), class_="tiles"),
        id="top",
    )


def _tile(figure: str, what: str, target: str, kind: str | None = None) -> Html:
    return tag("li", tag("a", tag("b", figure), tag("span", what), href=f"#{target}"), class_=kind)


def _tiles(facts: Facts) -> list[tuple[str, ...]]:
    plan = facts.plan
    done = plan["state"].is_in(["done", "cached"]).sum()
    tiles: list[tuple[str, ...]] = []
    if facts.verdicts is not None:
        words = dict(counted(facts.verdicts))
        decided = words.get(HOLDS, 0) + words.get(FAILS, 0)
        judged = decided + words.get(UNDECIDED, 0)
        told = ", ".join(f"{name} {count}" for name, count in words.items())
        tiles.append((f"{decided}/{judged}", f"claims decided: {told}", "verdicts"))
    failed = facts.look.counts["failed"]
    if failed:
        tiles.append((number(failed), "stages failed", "failures", "bad"))
    used = sum(facts.look.used.values())
    planned = sum(facts.overview.planned.values())
    seeds = plan["seed"].n_unique()
    tiles += [
        (f"{done:,}" if done == len(plan) else f"{done:,}/{len(plan):,}", "cells done", "cells"),
        (number(seeds), "seed" if seeds == 1 else "seeds", "grid"),
        (number(max(plan["n_languages"].to_list())), "languages at most", "languages"),
        (short(statistics.median(plan["tokens"].to_list())), "tokens a cell", "cells"),
        (hours(used), f"used of {hours(planned)} planned, {facts.overview.unit} time", "cost"),
    ]
    return tiles
