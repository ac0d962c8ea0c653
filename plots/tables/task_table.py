"""A table of scores: printed rows by section, and below each the measured row in its place.

A table's own module declares what its rows, columns and sections are; all else is here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plots.studies import StudyOutput
from plots.tables.gaps import Gaps
from plots.tables.measured import Column, Point, Scores
from plots.tables.printed import AVERAGE, PrintedRow, printed_rows
from plots.tables.sisters import Models, stand_ins
from plots.tables.table import BASELINE, MEASURED, PRINTED, Entry, Row, Section, Table

A_LANGUAGE = ("translate-train", "in-language")
"""Regimes with a model for each language."""
BASELINE_LABEL = "baseline, reads no text"
BASELINE_NOTE = (
    "The commonest label of the training data for every example; for a question, the passage's "
    "first sentence."
)
OURS = (
    "Rows that begin with ours are measured here: means over seeds of pretraining, ± half of their "
    "95 % t interval. The others are printed numbers, from other data and training: compare "
    "differences between rows, not levels."
)
FROM_TUNING = (
    "One seed of pretraining: the interval is over seeds of fine-tuning, and says nothing about "
    "another pretraining."
)
ONE_RUN = "One run, so no interval."
NOT_RUN = "Not run yet; see below."


@dataclass(kw_only=True, frozen=True)
class Regime:
    """Measured rows of a section: how their models were fine-tuned."""

    name: str
    """As results call it."""
    section: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the printed table says of it in its leading columns."""
    of: Callable[[Point], bool] = lambda point: True
    """Which of the study's points have it."""


@dataclass(kw_only=True, frozen=True)
class TaskTable:
    """The declaration of a table of scores."""

    name: str
    title: str
    after: str
    reference: str
    parts: tuple[str, ...]
    """What the name of a printed series consists of: `model`, `section`, `metric` and facts."""
    columns: tuple[Column, ...]
    averaged: tuple[str, ...] = ()
    """Columns whose mean the last column is; by default all."""
    metrics: Mapping[str, str]
    """The results' name of each metric, by the printed one."""
    unit: str
    decimals: int = 1
    texts: Mapping[str, str] = field(default_factory=lambda: {"wikipedia": "Wiki", "cc100": "CC"})
    """What the table calls a source of text, or a profile of the generated one."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Heading of each leading column, and the fact that stands in it."""
    sections: Mapping[str, str] = field(default_factory=lambda: {"": ""})
    """Title by the key that printed series have."""
    regimes: tuple[Regime, ...]
    models: Models = field(default_factory=dict)
    """The printed models that points stand for. If the study that declares the table is named here,
    the others of the same scale that are named lend their rows to it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What printed rows are called, by section, where their series name no model."""
    placed_by: tuple[str, ...] = ("model",)
    """Facts, besides its section, that a measured row shares with the printed one above it."""
    together: tuple[str, ...] = ()
    """Axes whose points share one measured row."""
    location: str
    """The location of the task's files, as the studies name it."""
    moved: str = ""
    """The footnote of printed rows whose values stand under other columns' names."""
    notes: tuple[str, ...] = ()

    def make(self, study: StudyOutput) -> Table:
        """The table with the measured rows of a study and of its sisters."""
        printed = printed_rows(
            self.reference,
            parts=self.parts,
            metrics=tuple(self.metrics),
            averaged=[column.name for column in self.averaged_columns],
            moved=self.moved,
        )
        measured = _Measured(self, study)
        sections = tuple(
            Section(title=title, rows=tuple(self._section(key, printed, measured.rows)))
            for key, title in self.sections.items()
        )
        return Table(
            name=self.name,
            title=self.title,
            after=self.after,
            settings=tuple(self.settings),
            columns=(*(column.name for column in self.columns), AVERAGE),
            metrics=tuple(self.metrics),
            unit=self.unit,
            sections=sections,
            notes=(*self.notes, *([OURS] if measured.rows else [])),
            badge=badge(measured.synthetic),
            gaps=measured.gaps.found(),
            study=study.name,
            scale=study.scale,
            results_sha256=study.results_sha256() if study.results_file.is_file() else None,
        )

    @property
    def averaged_columns(self) -> list[Column]:
        return [each for each in self.columns if not self.averaged or each.name in self.averaged]

    @property
    def tasks(self) -> list[str]:
        """Tasks of its columns that there are here, each once."""
        return list(dict.fromkeys(each.task for each in self.columns if each.task is not None))

    def leading(self, facts: Mapping[str, str]) -> tuple[str, ...]:
        """What stands in a row's leading columns."""
        return tuple(
            facts.get(fact, "").removeprefix(f"{fact}=").removeprefix(f"{fact} ")
            for fact in self.settings.values()
        )

    def _section(
        self, key: str, printed: Sequence[PrintedRow], measured: Sequence["Found"]
    ) -> Iterator[Row]:
        """The printed rows of a section, each followed by those in its place; then the others."""
        left = [found for found in measured if found.facts["section"] == key]
        for row in printed:
            if row.facts.get("section", "") != key:
                continue
            model = row.facts.get("model", self.labels.get(key, ""))
            yield Row(
                kind=PRINTED,
                label=model.replace("(dagger)", "†"),
                settings=self.leading(row.facts),
                entries=tuple(
                    row.entries.get(name, ()) for name in (*(c.name for c in self.columns), AVERAGE)
                ),
                source=row.source,
                notes=row.notes,
            )
            for found in [found for found in left if self._stands_for(found, row)]:
                left.remove(found)
                yield replace(found.row, stands_for=model)
        for found in left:
            label, place = found.row.label, found.facts.get("model")
            if place:
                label = label.replace(":", f", as {place}:", 1)
            yield replace(found.row, label=label)

    def _stands_for(self, found: "Found", printed: PrintedRow) -> bool:
        same = (found.facts.get(name) == printed.facts[name] for name in self.placed_by)
        return found.row.kind == MEASURED and all(same)


@dataclass(kw_only=True, frozen=True)
class Found:
    """A measured row, with the facts that place it."""

    row: Row
    facts: dict[str, str]


class _Measured:
    """The measured rows of a table, what they are made from, and what is missing."""

    def __init__(self, form: TaskTable, study: StudyOutput) -> None:
        self.form, self.study = form, study
        self.gaps = Gaps(form.location)
        self.synthetic: set[bool] = set()
        self.rows: list[Found] = []
        found = stand_ins(study, form.models, self.gaps, form.together)
        baselines: dict[str, Found] = {}
        for regime in form.regimes:
            for point, model in found:
                scores = Scores(point, regime.name, form.tasks)
                if not regime.of(point) or self._absent(point, regime, scores, model):
                    continue
                facts = self._facts(point, regime, model)
                self.rows.append(Found(row=self._row(scores, facts), facts=facts))
                row = self._baseline(scores)
                if row is not None:
                    place = {"section": regime.section}
                    baselines.setdefault(regime.section, Found(row=row, facts=place))
        self.rows += baselines.values()

    def _absent(self, point: Point, regime: Regime, scores: Scores, model: str) -> bool:
        """Whether there is no row, for the study plans none; what is missing becomes a gap."""
        wanted = {f"{task}/{regime.name}" for task in self.form.tasks}
        if point.tasks is not None and not wanted & point.tasks and not scores.cells:
            self.gaps.unplanned(point, wanted)
            return True
        lacking = len(point.seeds.keys() - scores.cells)
        if lacking:
            who = model or point.label
            self.gaps.unrun(point, f"{who} ({regime.name})", lacking)
        return False

    def _facts(self, point: Point, regime: Regime, model: str) -> dict[str, str]:
        vocabulary = point.facts.get("vocab_size")
        languages = str(point.facts["n_languages"])
        return {
            "section": regime.section,
            "model": model,
            "D": self.form.texts.get(point.text, point.text),
            "#M": "N" if regime.name in A_LANGUAGE else "1",
            "#lg": languages,
            "#lgs": languages,
            "vocab": "" if vocabulary is None else f"vocab {thousands(vocabulary)}",
            **regime.facts,
        }

    def _row(self, scores: Scores, facts: Mapping[str, str]) -> Row:
        point, count = scores.point, len(scores.seeds)
        entries = self._entries(scores)
        self.synthetic |= scores.synthetic
        generated = point.facts.get("source") == "synthetic"
        data = f"synthetic {facts['D']}" if generated else facts["D"]
        notes = [] if count else [NOT_RUN]
        if count == 1:
            tuned = any(value.low is not None for entry in entries for value in entry)
            notes.append(FROM_TUNING if tuned else ONE_RUN)
        return Row(
            kind=MEASURED,
            label=f"ours: {point.label}" + (f", {count} seeds" if count > 1 else ""),
            settings=self.form.leading({**facts, "D": data}),
            entries=entries,
            source=source_of(point.study),
            synthetic=True in scores.synthetic,
            cells=tuple(sorted(scores.cells)),
            notes=tuple(notes),
        )

    def _baseline(self, scores: Scores) -> Row | None:
        entries = self._entries(scores, "majority_")
        if not any(entries):
            return None
        return Row(
            kind=BASELINE,
            label=BASELINE_LABEL,
            settings=self.form.leading({}),
            entries=tuple(
                tuple(replace(value, low=None, high=None, notes=()) for value in entry)
                for entry in entries
            ),
            source=source_of(scores.point.study),
            synthetic=True in scores.synthetic,
            cells=tuple(sorted(scores.cells)),
            notes=(BASELINE_NOTE,),
        )

    def _entries(self, scores: Scores, prefix: str = "") -> tuple[Entry, ...]:
        wanted = [*([column] for column in self.form.columns), self.form.averaged_columns]
        metrics = tuple(self.form.metrics.values())
        return tuple(
            scores.entry(columns, metrics, self.form.decimals, prefix) for columns in wanted
        )


def source_of(study: StudyOutput) -> str:
    return f"study {study.name}, scale {study.scale}"


def badge(synthetic: set[bool]) -> str:
    """What must stand on a table whose measured rows are not, or not all, of real text."""
    if synthetic == {True}:
        return "synthetic text"
    return "partly synthetic text" if True in synthetic else ""


def thousands(number: int) -> str:
    """`150k` for 150,000; small numbers as they are."""
    return f"{number // 1000}k" if number >= 1000 and number % 1000 == 0 else f"{number:,}"
