"""Measured rows: a study's points, and their scores as means over seeds with intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars

from grid.statistics import mean_interval
from plots.studies import StudyOutput
from plots.tables.table import Entry, Value

PERCENT = 100.0
UNSEEN = "The model was not pretrained on this language."
_Runs = dict[tuple[int, int | None], float]
"""A value for each seed of pretraining and of fine-tuning."""


@dataclass(kw_only=True, frozen=True)
class Column:
    """What a measured entry of a table is: scores of a task on a language's test set."""

    name: str
    """As the printed table's column."""
    task: str | None
    """None where there is no such task here."""
    language: str


@dataclass(kw_only=True, frozen=True)
class Point:
    """The cells of one row: those that only their seeds, and what `together` names, tell apart."""

    study: StudyOutput
    values: dict[str, Any]
    """Its value on each axis."""
    label: str
    """What tells it from the study's other points."""
    seeds: dict[str, int]
    """The seed of each of its cells."""
    facts: dict[str, Any]
    """What is planned for its first cell, of grid.planned; n_languages; source and profile."""
    tasks: frozenset[str] | None
    """`task/regime` that its cells plan; None where that is not kept."""
    results: polars.DataFrame = field(repr=False)
    """Rows of its cells, each once."""

    @property
    def text(self) -> str:
        """The text's profile, or the source."""
        return str(self.facts.get("profile") or self.facts.get("source") or "")

    def total(self, metric: str) -> float | None:
        """The mean over cells of what a pretraining says of itself, such as `tokens`."""
        if self.results.is_empty():
            return None
        rows = self.results.filter(
            (polars.col("task") == "pretraining") & (polars.col("metric") == metric)
        )
        values = [float(value) for value in rows["value"].drop_nulls().to_list()]
        return sum(values) / len(values) if values else None


def points(study: StudyOutput, together: Sequence[str] = ()) -> list[Point]:
    """The points of a study in the order of its plan, or of its results where no plan is kept.

    together: paths of axes whose values share a row, as the languages of monolingual models do.
    """
    results = study.results() if study.results_file.is_file() else None
    plan, planned = study.plan(), study.planned()
    if plan is None or planned is None:
        if results is None:
            return []
        plan = results.unique("cell", maintain_order=True)
    else:
        plan = plan.join(planned, on="cell", maintain_order="left")
    paths = [name for name in plan.columns if name == "languages" or "." in name]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in plan.iter_rows(named=True):
        key = (row["n_languages"], *(row[path] for path in paths if path not in together))
        groups.setdefault(key, []).append(row)
    shown = [path for path in paths if path not in together]
    varied = [path for path in shown if len({row[path] for row in plan.iter_rows(named=True)}) > 1]
    made = []
    for rows in groups.values():
        seeds = {str(row["cell"]): int(row["seed"]) for row in rows}
        own = polars.DataFrame() if results is None else _own(results, seeds)
        tasks = [set(row["tasks"]) for row in rows if row.get("tasks") is not None]
        made.append(
            Point(
                study=study,
                values={path: rows[0][path] for path in shown},
                label=_label(rows[0], varied or shown) or study.name,
                seeds=seeds,
                facts=rows[0],
                tasks=frozenset(set().union(*tasks)) if tasks else None,
                results=own,
            )
        )
    return made


def _own(results: polars.DataFrame, cells: Iterable[str]) -> polars.DataFrame:
    """The rows of these cells; a cell that stands in several blocks has its rows once."""
    rows = results.filter(polars.col("cell").is_in(list(cells)))
    first = rows.group_by("cell").agg(polars.first("block"))
    return rows.join(first, on=["cell", "block"], how="semi")


def _label(row: Mapping[str, Any], paths: Sequence[str]) -> str:
    words = []
    for path in paths:
        name, value = path.split(".")[-1].replace("_", " "), row[path]
        words.append(value if isinstance(value, str) and name != "size" else f"{name} {value}")
    return ", ".join(words)


class Scores:
    """The test scores of one point in one regime of some tasks, at the end of pretraining."""

    def __init__(self, point: Point, regime: str, tasks: Iterable[str]) -> None:
        self.point = point
        self.seeds: set[int] = set()
        self.cells: set[str] = set()
        """Cells with any score."""
        self.synthetic: set[bool] = set()
        self._runs: dict[tuple[str, str, str], _Runs] = {}
        self._unseen: set[str] = set()
        if point.results.is_empty():
            return
        rows = point.results.filter(
            polars.col("milestone").is_null()
            & (polars.col("split").fill_null("test") == "test")
            & (polars.col("regime") == regime)
            & polars.col("task").is_in(list(tasks))
            & polars.col("value").is_not_null()
        )
        for row in rows.iter_rows(named=True):
            runs = self._runs.setdefault((row["task"], row["language"], row["metric"]), {})
            runs[row["seed"], row["finetuning_seed"]] = row["value"]
            self.seeds.add(row["seed"])
            self.cells.add(row["cell"])
            self.synthetic.add(bool(row["synthetic"]))
            if row["seen"] is False:
                self._unseen.add(row["language"])

    def entry(
        self, columns: Sequence[Column], metrics: Sequence[str], decimals: int, prefix: str = ""
    ) -> Entry:
        """The mean over columns, which are averaged in each run, then over seeds, in percent.

        Empty where a column has no scores. The interval is over seeds of pretraining, or of
        fine-tuning from the only one. prefix: `majority_` for the baseline's scores.
        """
        if not columns or any(column.task is None for column in columns):
            return ()
        values = []
        for metric in metrics:
            runs = self._mean(columns, f"{prefix}{metric}")
            if not runs:
                return ()
            values.append(self._value(runs, columns, decimals))
        return tuple(values)

    def _mean(self, columns: Sequence[Column], metric: str) -> _Runs:
        """The mean over columns for each run that has them all."""
        each = [
            self._runs.get((str(column.task), column.language, metric), {}) for column in columns
        ]
        common = set(each[0]).intersection(*each[1:])
        ordered = sorted(common, key=lambda run: (run[0], run[1] or 0))
        return {run: sum(runs[run] for runs in each) / len(each) for run in ordered}

    def _value(self, runs: _Runs, columns: Sequence[Column], decimals: int) -> Value:
        seeds = sorted({seed for seed, _ in runs})
        pretrained = [
            sum(tuned) / len(tuned)
            for tuned in ([value for (own, _), value in runs.items() if own == seed]
                          for seed in seeds)
        ]  # fmt: skip
        several = pretrained if len(pretrained) > 1 else list(runs.values())
        interval = mean_interval(PERCENT * value for value in several)
        mean = PERCENT * sum(pretrained) / len(pretrained)
        notes = []
        expected = len(set(self.point.seeds.values()))
        if len(seeds) < expected:
            notes.append(f"{len(seeds)} of {expected} seeds.")
        if any(column.language in self._unseen for column in columns):
            notes.append(UNSEEN if len(columns) == 1 else "Holds languages not pretrained on.")
        return Value(
            text=f"{mean:.{decimals}f}",
            number=mean,
            low=interval.low,
            high=interval.high,
            seeds=tuple(seeds),
            notes=tuple(notes),
        )
