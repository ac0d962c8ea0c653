"""Takes the values of claims from a results frame: one effect for each comparison and seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grid.claims.metrics import BITS, GAIN, UNIGRAM
from grid.claims.points import BoundComparison, BoundSide, Term

if TYPE_CHECKING:
    import polars

_DIGITS = 9
"""Of an effect: what differs in rounding only is equal."""
_KEYS = ("cell", "task", "metric", "regime", "milestone")
_Scores = dict[str, tuple[float, int]]
"""By language: the mean over fine-tunings, and how many there are."""


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What the seeds show of one comparison."""

    of_seed: Mapping[int, float]
    """The effect of each seed of which all is scored, in the order of the seeds."""
    sides: Mapping[int, tuple[float, ...]]
    """The value of each side at these seeds."""
    missing: Mapping[int, tuple[str, ...]]
    """By seed, the cells that lack a score."""


class Values:
    """A results frame, looked up by cell and score."""

    def __init__(self, frame: "polars.DataFrame") -> None:
        """frame: as grid.results makes it. Test scores; rows without a number are as if absent."""
        import polars

        scores = frame.filter(
            polars.col("split").fill_null("test").eq("test")
            & polars.col("value").is_finite()
            & polars.col("language").is_not_null()
        )
        means = scores.group_by([*_KEYS, "language"]).agg(
            polars.mean("value"), polars.col("finetuning_seed").n_unique().alias("tunings")
        )
        self._scores: dict[tuple[object, ...], _Scores] = {}
        columns = [*_KEYS, "language", "value", "tunings"]
        for *key, language, value, tunings in means.select(columns).iter_rows():
            self._scores.setdefault(tuple(key), {})[language] = (value, tunings)

    def effects(self, comparison: BoundComparison, seeds: Sequence[int]) -> Effects:
        """The effect of each of the seeds; a seed of which anything lacks has none."""
        found: dict[int, float] = {}
        sides: dict[int, tuple[float, ...]] = {}
        missing: dict[int, tuple[str, ...]] = {}
        for seed in seeds:
            absent = [cell for term in comparison.terms for cell in self._absent(term, seed)]
            if absent:
                missing[seed] = tuple(dict.fromkeys(absent))
                continue
            each = tuple(self._side(side, seed) for _, side in comparison.sides)
            sides[seed] = each
            weights = [weight for weight, _ in comparison.sides]
            effect = sum(w * value for w, value in zip(weights, each, strict=True))
            found[seed] = round(effect, _DIGITS)
        return Effects(of_seed=found, sides=sides, missing=missing)

    def _side(self, side: BoundSide, seed: int) -> float:
        return sum(term.weight * self._term(term, seed) for term in side.terms)

    def _term(self, term: Term, seed: int) -> float:
        """The mean over languages; of a language, over the cells that are scored in it."""
        by_language: dict[str, list[float]] = {}
        for cell in term.cells[seed]:
            for language, (value, _) in self._of(cell, term).items():
                by_language.setdefault(language, []).append(value)
        means = [sum(by_language[code]) / len(by_language[code]) for code in term.over]
        return term.metric.factor * sum(means) / len(means)

    def _absent(self, term: Term, seed: int) -> list[str]:
        """The cells of a term without which it has no value."""
        scored: set[str] = set()
        absent = []
        for cell in term.cells[seed]:
            own = {
                language
                for language, (_, tunings) in self._of(cell, term).items()
                if tunings >= term.tunings
            }
            scored |= own
            if not own.intersection(term.over):
                absent.append(cell)
        return list(term.cells[seed]) if not absent and not scored >= {*term.over} else absent

    def _of(self, cell: str, term: Term) -> _Scores:
        def scores(metric: str, regime: str | None) -> _Scores:
            key = (cell, term.metric.task, metric, regime, term.milestone)
            return self._scores.get(key, {})

        name = term.metric.metric
        if name == GAIN:
            bits, unigram = scores(BITS, None), scores(UNIGRAM, None)
            return {
                code: (unigram[code][0] - value, tunings)
                for code, (value, tunings) in bits.items()
                if code in unigram
            }
        return scores(name, term.regime) or scores(name, None)
