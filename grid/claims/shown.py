"""Verdicts for people, and as a table for programs."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from grid.claims.verdicts import FAILS, HOLDS, NOT_APPLICABLE, UNDECIDED, Verdict, Verdicts
from grid.tables import WIDTH, fold

if TYPE_CHECKING:
    import polars

_FIRST = len(NOT_APPLICABLE) + 2
_LISTED = 4
"""Languages that are named one by one."""


def lines(verdicts: Verdicts, width: int = WIDTH) -> Iterator[str]:
    """One entry a claim: the verdict and what it says, then what it rests on."""
    for verdict in verdicts.claims:
        text = f"{verdict.verdict:<{_FIRST}}{verdict.says}"
        yield from fold(text, width)
        for told in _told(verdict):
            first, *rest = fold(told, width - _FIRST)
            yield " " * _FIRST + first
            yield from (" " * _FIRST + line.strip() for line in rest)


def _told(verdict: Verdict) -> Iterator[str]:
    found = verdict.comparison
    if found is not None and verdict.told_effect:
        of, other = found.of.name, found.against[0].name
        trend = found.kind.endswith(" along")
        named = f"from {other} to {of}" if trend else f"{of} {found.kind} {other}"
        p = "" if verdict.p_adjusted is None else f", p {shown_p(verdict.p_adjusted)}"
        over = (
            ", ".join(found.over) if len(found.over) <= _LISTED else f"{len(found.over)} languages"
        )
        yield f"{verdict.told_effect}{p}; {found.metric} over {over}: {named}"
    if verdict.verdict in (UNDECIDED, NOT_APPLICABLE, FAILS):
        yield verdict.why


def shown_p(p: float) -> str:
    """A p value in two digits."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def summary(verdicts: Verdicts) -> str:
    """`3 hold, 1 fails, 2 are undecided, 1 is not applicable here`."""
    words = {
        HOLDS: ("holds", "hold"),
        FAILS: ("fails", "fail"),
        UNDECIDED: ("is undecided", "are undecided"),
        NOT_APPLICABLE: ("is not applicable here", "are not applicable here"),
    }
    counts = {name: sum(claim.verdict == name for claim in verdicts.claims) for name in words}
    told = [f"{n} {words[name][n != 1]}" for name, n in counts.items() if n]
    return ", ".join(told)


def frame(several: Sequence[Verdicts]) -> "polars.DataFrame":
    """One row for each claim, of the comparison that its verdict rests on."""
    import polars

    rows = [_row(verdicts, claim) for verdicts in several for claim in verdicts.claims]
    numbers = ("effect", "low", "high", "standardised", "p", "p_adjusted", "margin")
    schema = dict.fromkeys(numbers, polars.Float64) | {"seeds_needed": polars.Int64}
    return polars.DataFrame(rows, schema_overrides=schema, infer_schema_length=None)


def _row(verdicts: Verdicts, claim: Verdict) -> dict[str, object]:
    found = claim.comparison
    return {
        "study": verdicts.study,
        "scale": verdicts.scale,
        "verdict": claim.verdict,
        "says": claim.says,
        "source": claim.source,
        "figure": claim.figure,
        "effect": found and found.effect,
        "low": found and found.low,
        "high": found and found.high,
        "unit": found and found.unit,
        "standardised": found and found.standardised,
        "p": claim.p,
        "p_adjusted": claim.p_adjusted,
        "seeds": len(found.seeds) if found else 0,
        "seeds_needed": claim.seeds_needed,
        "comparisons": len(claim.comparisons),
        "kind": found and found.kind,
        "margin": found and found.margin,
        "metric": found and found.metric,
        "over": json.dumps(found.over) if found else None,
        "of": found and found.of.name,
        "against": "; ".join(side.name for side in found.against) if found else None,
        "missing": ", ".join(claim.missing),
        "why": claim.why,
    }
