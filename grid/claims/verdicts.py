"""What came of a study's claims, and `claims.json`, the file in the study's folder that keeps it.

Light: whoever shows verdicts (figures, the report) imports this and nothing that judges.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from grid.confine import read_file
from grid.errors import StoreError

CLAIMS = "claims.json"
POINTS, BITS_PER_BYTE = "points", "bits/byte"
"""Units: hundredths of a task's score, and bits a byte of text."""
HOLDS, FAILS, UNDECIDED, NOT_APPLICABLE = "holds", "fails", "undecided", "not applicable"
_Made = TypeVar("_Made")
KINDS = ("above", "below", "on par with", "rises along", "falls along")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison: a point of the study, or a difference of two."""

    name: str
    """For people: `fixed width, languages xlm-100`."""
    cells: tuple[str, ...]
    """The ids of its cells, of all seeds that were compared."""
    mean: float | None
    """Its mean over seeds, in the claim's unit; None if nothing was compared."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One comparison: its effect is `of` minus `against`; of a trend, the fitted change."""

    kind: str
    """One of `KINDS`."""
    metric: str
    over: tuple[str, ...]
    """The languages, sorted, that values are means over; of both sides together."""
    unit: str
    """POINTS or BITS_PER_BYTE; empty for a metric without one."""
    margin: float | None
    """What counts as on par, or the smallest effect of interest; in the unit."""
    of: Side
    """Of a trend: its last point."""
    against: tuple[Side, ...]
    """Of a trend: the points before the last, in order."""
    seeds: Mapping[int, float]
    """The effect of each seed, in the order in which seeds were declared or added."""
    effect: float | None
    """Mean of these; None without any."""
    low: float | None
    """The 95 % t interval of the mean; None below two seeds."""
    high: float | None
    standardised: float | None
    """Effect divided by its standard deviation over seeds; None if that is not known or 0."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One claim and what the results say of it."""

    says: str
    source: str | None
    figure: str | None
    """The figure or table that shows it, such as `xlmr_figure_2`."""
    verdict: str
    """HOLDS, FAILS, UNDECIDED or NOT_APPLICABLE (at this scale, with these blocks)."""
    why: str
    """One sentence for people."""
    comparisons: tuple[Comparison, ...]
    """All of them must hold; the first is the one the verdict rests on. Empty if not applicable."""
    p: float | None
    """Of the verdict's test, with the price of having looked before; if undecided, the smaller."""
    p_adjusted: float | None
    """The same after Holm's correction over the study's claims."""
    seeds_needed: int | None
    """If undecided: seeds with which it would probably be decided; None if no 50 would do."""
    missing: tuple[str, ...] = ()
    """Cells without which it cannot be judged."""

    @property
    def comparison(self) -> Comparison | None:
        """The one the verdict rests on."""
        return self.comparisons[0] if self.comparisons else None

    @property
    def told_effect(self) -> str:
        """`-2.31 points (-3.10 to -1.52, 3 seeds)`: effect, 95 % interval, seeds; or nothing."""
        found = self.comparison
        if found is None or found.effect is None:
            return ""
        digits = 2 if found.unit == POINTS else 3

        def told(value: float) -> str:
            return f"{round(value, digits) + 0.0:+.{digits}f}"  # no -0.00

        unit = f" {found.unit}" if found.unit else ""
        count = len(found.seeds)
        seeds = f"{count} seed" + "s" * (count != 1)
        between = ""
        if found.low is not None and found.high is not None:
            between = f"{told(found.low)} to {told(found.high)}, "
        return f"{told(found.effect)}{unit} ({between}{seeds})"


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """The verdicts on a study's claims at one scale."""

    study: str
    scale: str
    judged_at: str
    """UTC, ISO 8601."""
    results_sha256: str | None
    """Of the results.parquet that was judged; another one means that these may be out of date."""
    seeds: tuple[int, ...]
    """Declared, then added."""
    alpha: float
    """The most that the probability of a false `holds` comes to, in the whole study."""
    procedure: str
    claims: tuple[Verdict, ...]

    def of_figure(self, name: str) -> tuple[Verdict, ...]:
        """The verdicts that a figure or table shows."""
        return tuple(verdict for verdict in self.claims if verdict.figure == name)


def read(folder: Path) -> Verdicts | None:
    """The verdicts in a study's folder (`Study.folder`); None if it has not been judged.

    Raises StoreError if the file cannot be read.
    """
    path = folder / CLAIMS
    try:
        return of_plain(json.loads(read_file(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{path}: cannot be read ({error}). Judge again with `python -m grid claims STUDY`: it "
            "writes the file anew"
        ) from None


def text(verdicts: Verdicts) -> str:
    """The content of claims.json. What the first comparison says stands in the claim itself too."""
    plain = asdict(verdicts)
    for claim in plain["claims"]:
        if claim["comparisons"]:
            claim |= {name: claim["comparisons"][0][name] for name in _COMPARED}
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def of_plain(plain: Mapping[str, Any]) -> Verdicts:
    """Verdicts from what `text` wrote. Raises KeyError and TypeError if it is something else."""
    claims = tuple(_verdict(claim) for claim in plain["claims"])
    return _made(Verdicts, plain, seeds=tuple(plain["seeds"]), claims=claims)


_COMPARED = tuple(field.name for field in fields(Comparison))


def _verdict(plain: Mapping[str, Any]) -> Verdict:
    return _made(
        Verdict,
        plain,
        comparisons=tuple(_comparison(item) for item in plain["comparisons"]),
        missing=tuple(plain["missing"]),
    )


def _comparison(plain: Mapping[str, Any]) -> Comparison:
    return _made(
        Comparison,
        plain,
        over=tuple(plain["over"]),
        of=_side(plain["of"]),
        against=tuple(_side(item) for item in plain["against"]),
        seeds={int(seed): value for seed, value in plain["seeds"].items()},
    )


def _side(plain: Mapping[str, Any]) -> Side:
    return _made(Side, plain, cells=tuple(plain["cells"]))


def _made(cls: type[_Made], plain: Mapping[str, Any], **values: Any) -> _Made:
    """A dataclass from a mapping that may hold more, with some values given."""
    names = [field.name for field in fields(cast(Any, cls)) if field.name not in values]
    return cls(**{name: plain[name] for name in names}, **values)
