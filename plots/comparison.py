"""The panels that most figures are made of: lines over one axis, beside what was published."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars

from plots import measures
from plots.chart import (
    LEVEL,
    MEASURED,
    PUBLISHED,
    STATED,
    THIN,
    UNIGRAM,
    Panel,
    Point,
    Series,
    X,
)
from plots.common import ALL, NO_XNLI, Group, label, mean_level
from plots.measures import ACCURACY, BITS_PER_BYTE, GAIN, MAJORITY, Axis, Found, Metric, Results
from plots.missing import missing
from plots.published import points, published


@dataclass(kw_only=True, frozen=True)
class Line:
    """One line of a comparison: which scores it shows, what was published of them, and its look."""

    role: str
    block: str
    group: Group = ALL
    label: str = ""
    """Empty: the group's, with the languages that it really holds."""
    where: Mapping[str, X] = field(default_factory=dict)
    """Columns and values that tell its cells from the block's other ones."""
    published: str = ""
    """Name of the published series, if there is one."""
    stated: str = ""
    """The series of values that the paper's text or a table gives instead."""


@dataclass(kw_only=True, frozen=True)
class Comparison:
    """Lines over one axis. Every panel below shows some measure of all of them."""

    results: Results
    reference: polars.DataFrame
    axis: Axis
    lines: tuple[Line, ...]
    precision: str
    """How the published values were read, such as `digitised ±0.3`."""
    published_x: Callable[[str], X] = int
    start: Line | None = None
    """Changes of all lines start from its first point; None: each from its own."""
    under: Mapping[X, str] = field(default_factory=dict)
    """A second line of text under ticks."""

    @property
    def frame(self) -> polars.DataFrame:
        return self.results.frame

    @property
    def main_metric(self) -> Metric:
        """Accuracy on XNLI where that was measured, else the gain over the unigram."""
        return ACCURACY if self.has_xnli else GAIN

    @cached_property
    def has_xnli(self) -> bool:
        """Whether any line has a whole mean of accuracies."""
        return any(self.found(line, ACCURACY) for line in self.lines)

    def of(self, line: Line) -> Results:
        return self.results.where(block=line.block, **line.where)

    def found(self, line: Line, metric: Metric) -> Found:
        languages = measures.languages_of(self.frame, metric, line.group.languages)
        return measures.found(self.of(line), self.axis, metric, languages)

    def of_paper(self, line: Line, *, drawn: bool = True) -> dict[X, float]:
        series = line.published if drawn else line.stated
        if not series:
            return {}
        return published(self.reference, series, self.published_x, drawn=drawn)

    # Where the study's values are none of the paper's, both are shown relative to their first.

    @cached_property
    def _own(self) -> list[X]:
        """The study's values of the axis, planned or measured."""
        values: set[X] = set()
        for line in self.lines:
            values |= set(self.of(line).planned(self.axis))
            values |= set(self.found(line, ACCURACY)) | set(self.found(line, BITS_PER_BYTE))
        return self.axis.sorted(values)

    @cached_property
    def _paper(self) -> list[X]:
        return self.axis.sorted({x for line in self.lines for x in self.of_paper(line)})

    @cached_property
    def relative(self) -> bool:
        numbers = not self.axis.order and self._own and self._paper
        return bool(numbers) and len(set(self._own) & set(self._paper)) < 2

    def _place(self, x: X, values: list[X]) -> X:
        return round(float(x) / float(values[0]), 3) if self.relative else x

    def placed(self, of: tuple[Point, ...], values: list[X]) -> tuple[Point, ...]:
        return tuple(replace(point, x=self._place(point.x, values)) for point in of)

    @cached_property
    def ticks(self) -> tuple[X, ...]:
        both = {self._place(x, self._own) for x in self._own}
        both |= {self._place(x, self._paper) for x in self._paper}
        return tuple(self.axis.sorted(both))

    @cached_property
    def tick_texts(self) -> dict[X, str]:
        if not self.relative:
            under = {x: f"\n{text}" for x, text in self.under.items()}
            return {x: self.axis.text(x) + under.get(x, "") for x in self.ticks}
        own = {self._place(x, self._own): self.axis.text(x) for x in self._own}
        paper = {self._place(x, self._paper): self.axis.text(x) for x in self._paper}
        # A size of the study's alone stands between the ratios, for which there is no room then.
        ratio = {x: f"×{x:g}" for x in paper}
        return {x: f"{ratio.get(x, '')}\n{own.get(x, '')}\n{paper.get(x, '')}" for x in self.ticks}

    @property
    def x_label(self) -> str:
        if self.relative:
            return f"{self.axis.label}: relative, measured, published"
        return self.axis.label

    def first(self, metric: Metric) -> X:
        """Where changes start: the first place at which a line, or `start`, has values."""
        lines = self.lines if self.start is None else (self.start,)
        values = {x for line in lines for x in self.found(line, metric)}
        return next(iter(self.axis.sorted(values) or self._own or self._paper))

    def change_from(self, metric: Metric) -> str:
        if self.relative:
            return "change from the smallest"
        return f"change from {self.axis.phrase.format(self.axis.text(self.first(metric)))}"

    # Series.

    def measured(
        self, metric: Metric, *, kind: str = MEASURED, change: bool = False
    ) -> list[tuple[Line, Series]]:
        """Every line's levels or, with `change`, its differences from the first point."""
        start = None if self.start is None else self.found(self.start, metric)
        first = self.first(metric)
        made = []
        for line in self.lines:
            values, results = self.found(line, metric), self.of(line)
            if change:
                base = dict.fromkeys(values, (start or values).get(first, {}))
                of = measures.difference_points(results, self.axis, values, base)
            else:
                of = measures.level_points(results, self.axis, values)
            series = Series(
                label=self.label(line, metric),
                role=line.role,
                kind=kind,
                points=self.placed(of, self._own),
                block=line.block,
            )
            made.append((line, series))
        return made

    def label(self, line: Line, metric: Metric) -> str:
        languages = measures.languages_of(self.frame, metric, line.group.languages)
        return line.label or label(line.group, languages)

    def published_series(self, *, change: bool = False, named: bool = False) -> list[Series]:
        """What the paper has of each line: what its figure shows, and what its text states."""
        starts = {} if self.start is None else self.of_paper(self.start)
        measured_from = self.first(self.main_metric)
        series = []
        for line in self.lines:
            for drawn, kind in ((True, PUBLISHED), (False, STATED)):
                values = self.of_paper(line, drawn=drawn)
                begun = (starts if drawn else {}) or values
                of = points(values)
                if change and begun:
                    first = measured_from if measured_from in begun else next(iter(begun))
                    of = points(values, dict.fromkeys(values, begun[first]))
                    of = tuple(point for point in of if drawn or point.x != first)
                name = line.label or label(line.group, list(line.group.languages))
                series.append(
                    Series(
                        label=name if named and drawn else "",
                        role=line.role,
                        kind=kind,
                        points=self.placed(of, self._paper),
                    )
                )
        return [entry for entry in series if entry.points]

    # Panels.

    def panel(
        self,
        title: str,
        subtitle: str,
        shown: list[tuple[Line, Series]],
        beside: list[Series] | None = None,
        *,
        zero_line: bool = False,
        message: str = "",
    ) -> Panel:
        """A panel over this axis; what is missing of the lines that are shown stands under it."""
        planned = [
            {self._place(x, self._own) for x in self.of(line).planned(self.axis)}
            for line, _ in shown
        ]
        of_paper = [] if self.relative else self._paper
        own = [series for _, series in shown]
        return Panel(
            title=title,
            subtitle=subtitle,
            x_label=self.x_label,
            ticks=self.ticks,
            tick_texts=self.tick_texts,
            tick_notes=missing(self.ticks, own, planned, of_paper, has_plan=self.results.has_plan),
            phrase="{}" if self.relative else self.axis.phrase,
            series=(*own, *(beside or ())),
            joined=not self.axis.order,
            zero_line=zero_line,
            message=message,
        )

    def main_row(self) -> tuple[Panel, Panel]:
        """Changes beside levels of the accuracy; without one, of the gain over the unigram."""
        if self.has_xnli:
            return self.change(), self.levels()
        gain = self.panel(
            "Change in gain over the unigram",
            f"bits per byte, {self.change_from(GAIN)}, paired by seed;\nhigher is better",
            self.measured(GAIN, change=True),
            zero_line=True,
        )
        return gain, self.published_only()

    def change(self) -> Panel:
        series = self.published_series(change=True)
        stated = "; ×: as its text says" if any(entry.kind == STATED for entry in series) else ""
        return self.panel(
            "Change in XNLI accuracy",
            f"points, {self.change_from(ACCURACY)}; filled: measured, paired by seed\n"
            f"hollow: Conneau et al. 2020, {self.precision}{stated}",
            self.measured(ACCURACY, change=True),
            series,
            zero_line=True,
        )

    def levels(self) -> Panel:
        return self.panel(
            "XNLI accuracy",
            "% correct, fine-tuned in English only; marks as before",
            self.measured(ACCURACY),
            [*self.published_series(), *self.baselines()],
        )

    def baselines(self) -> list[Series]:
        """Levels of the majority class and, where the study has one, of an untrained encoder."""
        blocks = [line.block for line in self.lines]
        languages = measures.languages_of(self.frame, ACCURACY, ALL.languages)
        majority = mean_level(
            self.frame.filter(polars.col("block").is_in(blocks)), MAJORITY, languages
        )
        untrained = mean_level(
            self.frame.filter((polars.col("updates") == 0) & ~polars.col("block").is_in(blocks)),
            ACCURACY,
            languages,
        )
        named = (("majority class", majority), ("untrained\nencoder", untrained))
        return [
            Series(label=name, role="baseline", kind=LEVEL, points=(point,))
            for name, point in named
            if point is not None
        ]

    def published_only(self) -> Panel:
        return Panel(
            title="Published change in XNLI accuracy",
            subtitle=f"points, from the first; Conneau et al. 2020,\n{self.precision}",
            x_label=self.x_label,
            ticks=self.ticks,
            tick_texts=self.tick_texts,
            series=tuple(self.published_series(change=True, named=True)),
            joined=not self.axis.order,
            zero_line=True,
            message=NO_XNLI,
        )

    def bits(self) -> Panel:
        """Held-out bits per byte, each beside the own-language unigram of the same cells."""
        return self.panel(
            "Held-out text",
            "bits per byte, lower is better",
            self.measured(BITS_PER_BYTE),
            self.unigrams(),
        )

    def unigrams(self) -> list[Series]:
        """Dashed lines, of which one carries the name; lines that are the same are drawn once."""
        made: list[Series] = []
        for _, series in self.measured(measures.UNIGRAM, kind=UNIGRAM):
            if all(series.points != other.points for other in made):
                made.append(replace(series, label="" if made else "own-language\nunigram"))
        return [entry for entry in made if entry.points]

    def apart(self, languages: Mapping[str, str]) -> Panel:
        """Held-out bits per byte of single languages: the role that each is drawn in."""
        block = self.lines[0].block
        lines = tuple(
            Line(
                role=role,
                block=block,
                label=code,
                group=Group(role=role, name=code, languages=(code,)),
            )
            for code, role in languages.items()
            if measures.languages_of(self.frame, BITS_PER_BYTE, (code,))
        )
        single = replace(self, lines=lines, start=None)
        shown = single.measured(BITS_PER_BYTE, kind=THIN)
        return single.panel(
            "Held-out text, low-resource languages apart",
            "bits per byte, lower is better",
            shown,
            single.unigrams(),
        )

    def difference(self, one: Line, other: Line, title: str) -> Panel:
        """`one` minus `other` at each x where they are not the same cells, paired by seed."""
        metric = self.main_metric
        values, base = self.found(one, metric), self.found(other, metric)
        same = {x for x in values if _cells(values, x) == _cells(base, x)}
        apart = {x: seeds for x, seeds in values.items() if x not in same}
        of = measures.difference_points(self.of(one), self.axis, apart, base)
        series = [
            Series(
                label="measured",
                role=one.role,
                kind=MEASURED,
                points=self.placed(of, self._own),
                block=one.block,
            )
        ]
        if self.has_xnli:
            gained = points(self.of_paper(one), self.of_paper(other))
            gained = tuple(point for point in gained if point.mean)
            series.append(
                Series(
                    label="published",
                    role="relief",
                    kind=PUBLISHED,
                    points=self.placed(gained, self._paper),
                )
            )
        unit = "points of XNLI accuracy" if self.has_xnli else "bits per byte of gain"
        whole = self.panel(title, f"{unit}, paired by seed", [(one, series[0])], series[1:],
                           zero_line=True)  # fmt: skip
        reached = {point.x for entry in series for point in entry.points}
        wanted = {self._place(x, self._own) for x in self.of(one).planned(self.axis)}
        wanted -= {self._place(x, self._own) for x in same}
        ticks = tuple(x for x in whole.ticks if x in reached | wanted) or whole.ticks
        notes = {x: note for x, note in whole.tick_notes.items() if x in ticks}
        return replace(whole, ticks=ticks, tick_notes=notes)


def _cells(values: Found, x: X) -> set[str]:
    return {value.cell for value in values.get(x, {}).values()}
