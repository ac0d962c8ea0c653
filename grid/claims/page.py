"""The generated parts of docs/claims.md: the table of power, and all claims of the studies.

`python -m grid.claims.page docs/claims.md` rewrites what stands between their markers; a test fails
while the page says anything else.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grid.claims.points import BoundClaim, BoundComparison
from grid.claims.significance import ALPHA, detectable, looks_until
from grid.errors import StudyError
from grid.language_sets import LanguageSets
from grid.layers import scales_of
from grid.study import load

STUDIES = Path(__file__).resolve().parents[2] / "studies"
_FIRSTS, _MOST, _UNDECIDED = (3, 5), 18, (1, 3, 6)


@dataclass(kw_only=True)
class _Listed:
    """A claim of one study, as it is said at the first scale where it applies."""

    bound: BoundClaim
    sets: LanguageSets
    scales: list[str] = field(default_factory=list)


def current(text: str, studies: Path = STUDIES) -> str:
    """The page with its generated parts anew. Raises ValueError for a page without the markers."""
    for name, made in (("power", power_table()), ("claims", claims_list(studies))):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise ValueError(f"expected {begin} and {end} in the page")
        text = before + "\n".join([begin, *made, end]) + after
    return text


def power_table() -> Iterator[str]:
    """The standardised effect that holds with POWER, by declared seeds, look and open claims."""
    yield "| seeds declared, and at this look | " + " | ".join(_heads()) + " |"
    yield "|---" * (1 + len(_UNDECIDED)) + "|"
    for first in _FIRSTS:
        for number, look in enumerate(looks_until(first, _MOST), 1):
            share = ALPHA / (number * (number + 1))
            effects = [detectable(look, share / count) for count in _UNDECIDED]
            yield f"| {first}, {look} | " + " | ".join(f"{each:.1f}" for each in effects) + " |"


def _heads() -> Iterable[str]:
    return (f"{count} claim{'s' * (count > 1)}" for count in _UNDECIDED)


def claims_list(studies: Path) -> Iterator[str]:
    """The list in Markdown: one table for each study that has claims."""
    found = {file: _claims(file) for file in sorted(studies.glob("*.yaml"))}
    found = {file: claims for file, claims in found.items() if claims}
    yield f"{sum(map(len, found.values()))} claims in {len(found)} studies."
    for file, claims in found.items():
        yield f"\n`{file.stem}`\n"
        yield "| claim | said in | compares | at |"
        yield "|---|---|---|---|"
        for says, each in claims.items():
            source = each.bound.claim.source or ""
            told = "; ".join(_told(comparison, each.sets) for comparison in each.bound.comparisons)
            yield f"| {says} | {source} | {told} | {', '.join(each.scales) or 'no scale'} |"


def _claims(file: Path) -> dict[str, _Listed]:
    """The claims of a study by what they say, and the scales at which each applies."""
    found: dict[str, _Listed] = {}
    for scale in scales_of(file):
        try:
            study = load(file, "blocks=all", scale=scale)
        except StudyError:
            continue  # base.yaml has no cells, and not every study has every scale
        for bound in study.bound_claims:
            listed = found.setdefault(bound.claim.says, _Listed(bound=bound, sets=study.sets))
            if bound.absent is None:
                if not listed.scales:
                    listed.bound = bound
                listed.scales.append(scale)
    return found


def _told(comparison: BoundComparison, sets: LanguageSets) -> str:
    """`xnli.accuracy over sw, ur: fixed width, xlm-15 above fixed width, xlm-7`."""
    (_, of), (_, other) = comparison.sides[:2]
    trend = comparison.kind.endswith(" along")
    kind = comparison.kind.removesuffix(" along")
    sides = f"{kind} from {other.name} to {of.name}" if trend else f"{of.name} {kind} {other.name}"
    margin = "" if comparison.margin is None else f" within {comparison.margin:g}"
    overs = {term.over for term in comparison.terms}
    over = sets.name(list(comparison.over)).replace(",", ", ") if len(overs) == 1 else ""
    return f"{comparison.metric.name}{over and f' over {over}'}: {sides}{margin}"


def main(path: Path) -> None:
    """Rewrites the page in place."""
    path.write_text(current(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
