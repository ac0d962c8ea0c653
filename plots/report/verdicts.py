"""What the results say of the study's claims: a verdict, its effect, and how it was judged."""

from grid.claims import (
    FAILS,
    HOLDS,
    NOT_APPLICABLE,
    UNDECIDED,
    Comparison,
    Verdict,
    Verdicts,
)
from plots.report.facts import Facts
from plots.report.markup import Html, number, plural, signed, tag
from plots.report.tables import cell_link, facts_list

SIGNS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "?", NOT_APPLICABLE: "–"}


def verdicts_section(facts: Facts) -> Html | None:
    """A card for each claim; None if the study makes none."""
    if not facts.study.claims:
        return None
    judge = facts.command("claims")
    if facts.verdicts is None:
        said = [tag("li", claim.says) for claim in facts.study.claims]
        return tag(
            "div",
            tag("p", "Not judged yet. To judge: ", tag("code", judge)),
            tag("ul", said),
        )
    found = facts.verdicts
    stale = found.results_sha256 not in (None, facts.checksum)
    return tag(
        "div",
        stale
        and tag(
            "p",
            "The results have changed since these were judged. To judge again: ",
            tag("code", judge),
            class_="note",
        ),
        tag("ol", (_card(verdict) for verdict in found.claims), class_="claims"),
        tag(
            "p",
            f"Judged {found.judged_at[:10]} over the seeds "
            f"{', '.join(map(str, found.seeds))}. {found.procedure}",
            class_="fine",
        ),
    )


def counted(verdicts: Verdicts) -> list[tuple[str, int]]:
    """How many claims have each verdict, of those that any has."""
    found = [verdict.verdict for verdict in verdicts.claims]
    return [(name, found.count(name)) for name in SIGNS if name in found]


def _card(verdict: Verdict) -> Html:
    found = verdict.comparison
    return tag(
        "li",
        tag(
            "p",
            tag("span", SIGNS[verdict.verdict], aria_hidden="true", class_="sign"),
            " ",
            verdict.verdict,
            class_="word",
        ),
        tag("h3", verdict.says),
        tag("p", verdict.why),
        _interval(found) if found is not None and found.effect is not None else None,
        tag("details", tag("summary", "How it was judged"), _details(verdict))
        if verdict.comparisons
        else None,
        verdict.source and tag("p", verdict.source, class_="fine"),
        class_=f"claim {verdict.verdict.replace(' ', '-')}",
    )


def _interval(found: Comparison) -> Html:
    """The effect on a line: its seeds, its interval, zero, and the margin around zero."""
    effect = found.effect or 0.0
    margin = found.margin or 0.0
    core = [0.0, effect, margin, -margin, *found.seeds.values()]
    span = (max(core) - min(core)) or 1.0
    # An interval of two seeds is so wide that it would flatten all else: it runs off the line.
    low = max(effect if found.low is None else found.low, min(core) - span)
    high = min(effect if found.high is None else found.high, max(core) + span)
    start, end = min(*core, low), max(*core, high)
    pad = 0.06 * (end - start) or 1.0

    def at(value: float) -> str:
        return f"{(value - start + pad) / (end - start + 2 * pad):.2%}"

    def across(low: float, high: float) -> str:
        return f"left:{at(low)};width:calc({at(high)} - {at(low)})"

    digits = 2 if found.unit == "points" else 3
    between = ""
    if found.low is not None and found.high is not None:
        ends = (signed(end, digits) for end in (found.low, found.high))
        between = f", 95 % interval {' to '.join(ends)}"
    return tag(
        "div",
        tag(
            "div",
            margin > 0 and tag("i", class_="margin", style=across(-margin, margin)),
            tag("i", class_="zero", style=f"left:{at(0.0)}"),
            found.low is not None and tag("i", class_="bar", style=across(low, high)),
            (tag("i", class_="seed", style=f"left:{at(value)}") for value in found.seeds.values()),
            tag("i", class_="mean", style=f"left:{at(effect)}"),
            class_="line",
            aria_hidden="true",
        ),
        tag(
            "p",
            tag("b", f"{signed(effect, digits)} {found.unit}"),
            between,
            f"; {plural(len(found.seeds), 'seed')}",
        ),
        class_="effect",
    )


def _details(verdict: Verdict) -> Html:
    needed = (
        ""
        if verdict.verdict != UNDECIDED
        else ("more than 50" if verdict.seeds_needed is None else str(verdict.seeds_needed))
    )
    adjusted = "" if verdict.p_adjusted is None else f"; {number(verdict.p_adjusted)} after Holm"
    return tag(
        "div",
        (_compared(each) for each in verdict.comparisons),
        facts_list(
            [
                ("p", "" if verdict.p is None else number(verdict.p) + adjusted),
                ("seeds that would settle it", needed),
                ("missing", [[cell_link(cell), " "] for cell in verdict.missing] or None),
            ]
        ),
    )


def _compared(found: Comparison) -> Html:
    unit = f" {found.unit}" if found.unit else ""
    sides = [found.of, *found.against]
    cells = dict.fromkeys(cell for side in sides for cell in side.cells)
    return facts_list(
        [
            (
                "compared",
                f"{found.of.name}, {found.kind}, {'; '.join(side.name for side in found.against)}",
            ),
            ("metric", f"{found.metric}, mean over {', '.join(found.over)}"),
            ("means", "; ".join(f"{side.name}: {number(side.mean)}" for side in sides)),
            (
                "by seed",
                "; ".join(f"{seed}: {signed(value)}{unit}" for seed, value in found.seeds.items()),
            ),
            ("margin", "" if found.margin is None else f"{number(found.margin)}{unit}"),
            (
                "standardised",
                ""
                if found.standardised is None
                else f"{signed(found.standardised, 2)} standard deviations over seeds",
            ),
            ("cells", [[cell_link(cell), " "] for cell in cells]),
        ]
    )
