"""What the results say of the study's claims: a verdict, its effect, and how it was judged."""

from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class _Line:
    """Where values stand on a line, in per cent of it; what lies beyond stands at its end."""

    start: float
    end: float

    def at(self, value: float) -> float:
        return 100 * min(1.0, max(0.0, (value - self.start) / (self.end - self.start)))

    def mark(self, name: str, value: float) -> Html:
        return tag("i", class_=name, style=f"left:{self.at(value):.2f}%")

    def across(self, name: str, low: float, high: float) -> Html:
        left, right = self.at(low), self.at(high)
        return tag("i", class_=name, style=f"left:{left:.2f}%;width:{right - left:.2f}%")


def _line(found: Comparison, effect: float, margin: float) -> _Line:
    """Holds zero, the margin, every seed, and of the interval what flattens nothing else.

    Two seeds give an interval of 12.7 standard errors: it runs off the line.
    """
    core = [0.0, effect, margin, -margin, *found.seeds.values()]
    span = max(core) - min(core)
    start, end = min(core), max(core)
    if found.low is not None and found.high is not None:
        start = min(start, max(found.low, start - span))
        end = max(end, min(found.high, end + span))
    pad = 0.06 * (end - start) or 1.0
    return _Line(start=start - pad, end=end + pad)


def _interval(found: Comparison) -> Html:
    """The effect on a line: its seeds, its interval, zero, and the margin around zero."""
    effect, margin = found.effect or 0.0, found.margin or 0.0
    line = _line(found, effect, margin)
    digits = 2 if found.unit == "points" else 3
    bar, told = None, ""
    if found.low is not None and found.high is not None:
        bar = line.across("bar", found.low, found.high)
        told = f", 95 % interval {signed(found.low, digits)} to {signed(found.high, digits)}"
    return tag(
        "div",
        tag(
            "div",
            margin > 0 and line.across("margin", -margin, margin),
            line.mark("zero", 0.0),
            bar,
            (line.mark("seed", value) for value in found.seeds.values()),
            line.mark("mean", effect),
            class_="line",
            aria_hidden="true",
        ),
        tag(
            "p",
            tag("b", f"{signed(effect, digits)} {found.unit}"),
            told,
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
    against = "; ".join(side.name for side in found.against)
    cells = dict.fromkeys(cell for side in sides for cell in side.cells)
    return facts_list(
        [
            ("compared", [found.of.name, " ", tag("b", found.kind), " ", against]),
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
