"""Finds the cells that a study's claims mean, at its scale and with its chosen blocks.

A point of a claim must mean one point of a block: two are an error, and none is said so, for what a
study has at one scale it may not have at another. `check` tells that from a misspelt value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from grid.cell import Cell
from grid.claims.declaration import (
    ALONG,
    FIRST,
    LAST,
    MILESTONE,
    Claim,
    Expectation,
    Measure,
    Point,
)
from grid.claims.metrics import Metric, find, lacking, scored_languages
from grid.language_sets import LanguageSets, takes_languages
from grid.named_sizes import SIZE_PATH, written_out
from grid.schema import check as check_value
from grid.schema import check_path, leaf_hint
from grid.template import Coordinate, value_at
from grid.tree import Node, fail

if TYPE_CHECKING:
    from grid.study import Study


@dataclass(frozen=True, kw_only=True)
class Term:
    """A value that is measured in one cell of each seed, or averaged over several."""

    weight: float
    cells: Mapping[int, tuple[str, ...]]
    """Ids by seed."""
    metric: Metric
    over: tuple[str, ...]
    regime: str
    milestone: int | None
    tunings: int
    """Fine-tunings of each cell that its value is a mean over."""


@dataclass(frozen=True, kw_only=True)
class BoundSide:
    """A point, or a difference of two: the sum of its terms, by their weights."""

    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, kw_only=True)
class BoundComparison:
    """What an expectation means here: the sides' values, each times its weight, are the effect."""

    kind: str
    margin: float | None
    sides: tuple[tuple[float, BoundSide], ...]
    """`of` first; of a trend the last point, then the others in order."""

    @property
    def terms(self) -> list[Term]:
        return [term for _, side in self.sides for term in side.terms]

    @property
    def metric(self) -> Metric:
        return self.terms[0].metric

    @property
    def over(self) -> tuple[str, ...]:
        return tuple(sorted({code for term in self.terms for code in term.over}))


@dataclass(frozen=True, kw_only=True)
class BoundClaim:
    """A claim with its comparisons; without any if the study has not all of its points here."""

    claim: Claim
    comparisons: tuple[BoundComparison, ...] = ()
    absent: "Absent | None" = None


class Absent(Exception):  # noqa: N818  # not an error
    """Why a claim does not apply here; `point` and `path` say what might be misspelt."""

    def __init__(self, why: str, point: Point, path: str | None = None) -> None:
        super().__init__(why)
        self.point = point
        self.path = path


def bind(study: "Study") -> tuple[BoundClaim, ...]:
    """The claims of a study with their cells. Raises StudyError where one could mean two points."""
    binder = _Binder(study)
    bound = []
    for claim in study.claims:
        try:
            comparisons = tuple(binder.comparison(each) for each in claim.expect)
            bound.append(BoundClaim(claim=claim, comparisons=comparisons))
        except Absent as absent:
            bound.append(BoundClaim(claim=claim, absent=absent))
    return tuple(bound)


def typed(path: str, node: Node, key: str, sets: LanguageSets) -> Any:
    """The value that an axis has where `node` is written; of languages, their codes."""
    if path == SIZE_PATH:
        written_out(node, key)
        return node.value
    if takes_languages(path):
        return sets.resolve(node, key)
    return check_value(node, leaf_hint(path), key)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A point of a block: its cells by seed, of which the first shows its configuration."""

    cells: tuple[Cell, ...]

    @property
    def cell(self) -> Cell:
        return self.cells[0]


class _Binder:
    """Binds comparisons to the cells of one study."""

    def __init__(self, study: "Study") -> None:
        self.study = study
        self.commands = {name for cell in study.cells for name in cell.config.commands}
        self.tells: set[str] = set()
        """What the names of a comparison's points must tell, for they differ in it."""

    def comparison(self, expected: Expectation) -> BoundComparison:
        measures = [point.measure for point in (*expected.of, *expected.against)]
        self.tells = {
            name
            for name in ("metric", "over", "regime", MILESTONE)
            if len({getattr(measure, name) for measure in measures}) > 1 or name == expected.along
        }
        if expected.kind in ALONG:
            sides = self.trend(expected)
        else:
            of, against = self.side(expected.of), self.side(expected.against)
            sides = ((1.0, of), (-1.0, against))
            if _measured(of) == _measured(against):
                told = "both sides are the same cells at this scale"
                raise Absent(f"{told} ({of.name}; {against.name})", expected.of[0])
        comparison = BoundComparison(kind=expected.kind, margin=expected.margin, sides=sides)
        units = sorted({term.metric.unit or "no unit" for term in comparison.terms})
        if len(units) > 1:
            told = f"expected metrics of one unit, found {' and '.join(units)}"
            raise fail(expected.node, expected.key, told)
        return comparison

    def trend(self, expected: Expectation) -> tuple[tuple[float, BoundSide], ...]:
        """The points along an axis, with the weights of a fitted line's change over all of them."""
        along = str(expected.along)
        levels = self.levels(expected.of, along)
        if len(levels) < 2:
            told = f"one point along {along}, and a trend takes two"
            raise Absent(told, expected.of[0])
        sides = [self.side([_at(point, along, level) for point in expected.of]) for level in levels]
        middle = (len(sides) - 1) / 2
        spread = sum((place - middle) ** 2 for place in range(len(sides)))
        weights = [(place - middle) * (len(sides) - 1) / spread for place in range(len(sides))]
        weighted = list(zip(weights, sides, strict=True))
        return (weighted[-1], *weighted[:-1])

    def levels(self, points: Sequence[Point], along: str) -> list[Any]:
        """The values along an axis in their order: numbers by size, sets by how many they hold."""
        point = points[0]
        rows = self.rows(point)
        if along == MILESTONE:
            self.metric(point)
            return [*self.milestones(point, rows), None]
        self.require_axis(along, point, point.node)
        values: dict[str, Any] = {}
        for row in rows:
            values.setdefault(str(row.cell.coordinates[along]), value_at(row.cell.config, along))
        if all(isinstance(value, list) for value in values.values()):
            return sorted(values.values(), key=len)
        if all(type(value) in (int, float) for value in values.values()):
            return sorted(values.values())
        return list(values.values())

    def side(self, points: Sequence[Point]) -> BoundSide:
        """A point, or the first minus the second."""
        terms, names = [], []
        for weight, point in zip((1.0, -1.0), points, strict=False):
            rows = self.rows(point)
            if not point.averaged and len(rows) > 1:
                raise fail(point.node, point.key, self.ambiguous(point, rows))
            if point.averaged:
                self.check_averaged(point, rows)
            terms.append(self.term(weight, point, rows))
            names.append(self.name(point, rows[0], terms[-1].milestone))
        return BoundSide(name=" minus ".join(names), terms=tuple(terms))

    def term(self, weight: float, point: Point, rows: Sequence[_Row]) -> Term:
        metric = self.metric(point)
        configs = [row.cell.config for row in rows]
        measure = replace(point.measure, milestone=self.milestone(point, rows))
        why = lacking(configs, metric, measure)
        if why is not None:
            raise Absent(f"{self.name(point, rows[0], None)}: {why}", point)
        over = set(measure.over or ())
        if not metric.by_program:  # of a mean over languages' own cells, those of these languages
            rows = [row for row in rows if over & scored_languages(row.cell.config, metric)]
        task = configs[0].tasks.get(metric.task)
        return Term(
            weight=weight,
            cells={
                seed: tuple(row.cells[place].id for row in rows)
                for place, seed in enumerate(self.study.seeds)
            },
            metric=metric,
            over=measure.over or (),
            regime=measure.regime,
            milestone=None if measure.milestone is None else int(measure.milestone),
            tunings=1 if task is None or task.seeds is None else len(task.seeds),
        )

    def rows(self, point: Point) -> list[_Row]:
        """The points of its block that a point leaves open. Raises Absent if there are none."""
        rows = self.block(point)
        if point.text is not None:
            texts = {_text(row.cell): None for row in rows}
            rows = [row for row in rows if _text(row.cell) == point.text]
            if not rows:
                told = f"block {point.block!r} is trained on {', '.join(texts)} at this scale"
                raise Absent(f"{told}, not on {point.text}", point, "text")
        for path, node in point.values.items():
            self.require_axis(path, point, node)
            if node.value in (FIRST, LAST):
                place = 0 if node.value == FIRST else -1
                wanted = value_at(rows[place].cell.config, path)
            else:
                wanted = typed(path, node, f"{point.key}.{path}", self.study.sets)
            kept = [row for row in rows if value_at(row.cell.config, path) == wanted]
            if not kept:
                there = ", ".join(dict.fromkeys(str(row.cell.coordinates[path]) for row in rows))
                told = f"block {point.block!r} has no point there with {path} {_shown(node)}"
                raise Absent(f"{told}, but {there}", point, path)
            rows = kept
        return rows if point.place is None else [rows[0 if point.place == FIRST else -1]]

    def block(self, point: Point) -> list[_Row]:
        members = self.study.expansion.members
        if point.block not in members:
            raise Absent(f"block {point.block!r} is not run at this scale", point, "block")
        cells, seeds = members[point.block], len(self.study.seeds)
        return [
            _Row(cells=tuple(cells[first : first + seeds])) for first in range(0, len(cells), seeds)
        ]

    def require_axis(self, path: str, point: Point, node: Node) -> None:
        check_path(path, node, f"{point.key}.{path}")
        if path not in self.study.paths:
            told = f"{path} is no axis of {self.study.name} at this scale"
            raise Absent(f"{told}, which has {', '.join(self.study.paths)}", point, path)

    def check_averaged(self, point: Point, rows: Sequence[_Row]) -> None:
        """What differs between the points of a mean must be what the mean is over."""
        for path in point.averaged:
            self.require_axis(path, point, point.node)
        first = rows[0].cell.coordinates
        open_ = [path for path in first if path not in point.averaged]
        if len({tuple(row.cell.coordinates[path] for path in open_) for row in rows}) > 1:
            raise fail(point.node, point.key, self.ambiguous(point, rows))

    def ambiguous(self, point: Point, rows: Sequence[_Row]) -> str:
        differing = []
        for path in rows[0].cell.coordinates:
            values = dict.fromkeys(str(row.cell.coordinates[path]) for row in rows)
            if len(values) > 1 and path not in point.averaged:
                differing.append(f"{path} ({', '.join(values)})")
        return (
            f"could mean {len(rows)} points of block {point.block!r}, which differ in "
            f"{' and '.join(differing)}: give a value, or say averaged: {differing[0].split()[0]}"
        )

    def metric(self, point: Point) -> Metric:
        name = str(point.measure.metric)
        return find(name, self.commands, point.node, f"{point.key}.metric")

    def milestone(self, point: Point, rows: Sequence[_Row]) -> int | None:
        wanted = point.measure.milestone
        if wanted is None:
            return None
        there = self.milestones(point, rows)
        if wanted in (FIRST, LAST) and there:
            return there[0 if wanted == FIRST else -1]
        if wanted not in there:
            listed = ", ".join(map(str, there)) or "none"
            raise Absent(f"no milestone {wanted} there, but {listed}", point)
        return int(wanted)

    def milestones(self, point: Point, rows: Iterable[_Row]) -> list[int]:
        """Those that all cells of a point keep, in order."""
        kept = [set(row.cell.config.pretraining.milestones or ()) for row in rows]
        return sorted(set.intersection(*kept))

    def varied(self, point: Point) -> list[str]:
        """The axis paths that differ between the points of a block."""
        rows = [row.cell.coordinates for row in self.block(point)]
        return [path for path in rows[0] if len({str(row[path]) for row in rows}) > 1]

    def name(self, point: Point, row: _Row, milestone: int | None) -> str:
        """For people: what the point says, with the values that it came to."""
        coordinates = row.cell.coordinates
        parts = [point.block]
        if point.text is not None:
            parts.append(point.text)
        told = [*point.values, *(self.varied(point) if point.place is not None else ())]
        parts += [_named(path, coordinates[path]) for path in dict.fromkeys(told)]
        parts += [f"mean over {path}" for path in point.averaged]
        measure: Measure = point.measure
        if "metric" in self.tells:
            parts.append(str(measure.metric))
        if "over" in self.tells:
            parts.append(
                f"over {self.study.sets.name(list(measure.over or ())).replace(',', ', ')}"
            )
        if "regime" in self.tells or measure.regime != Measure.regime:
            parts.append(measure.regime)
        if milestone is not None:
            parts.append(f"after {milestone:,} updates")
        elif MILESTONE in self.tells:
            parts.append("at the end")
        return ", ".join(parts)


def _at(point: Point, along: str, level: Any) -> Point:
    """A trend's point at one level."""
    if along == MILESTONE:
        return replace(point, measure=replace(point.measure, milestone=level))
    return replace(point, values={**point.values, along: Node.of(level, point.node.origin)})


def _measured(side: BoundSide) -> list[tuple[object, ...]]:
    return [
        (t.weight, tuple(t.cells.values()), t.metric, t.over, t.regime, t.milestone)
        for t in side.terms
    ]


def _text(cell: Cell) -> str:
    """What a cell's text is: its source, or what a generated one is made after."""
    corpus = cell.config.corpus
    return corpus.synthetic.profile if corpus.source == "synthetic" else corpus.source


def _named(path: str, value: Coordinate) -> str:
    if isinstance(value, str):
        return value
    shown = f"{value:,}" if type(value) is int and value >= 10_000 else str(value)
    return f"{path.split('.')[-1]} {shown}"


def _shown(node: Node) -> str:
    return ",".join(map(str, node.plain())) if isinstance(node.value, list) else str(node.value)
