"""What a table lacks, gathered so that one command is told once."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from plots.studies import StudyOutput
from plots.tables.measured import Point
from plots.tables.table import Gap

PUBLISHED_SCALE = "paper"
"""The scale of every study here that has the published setting, and so every task."""


class Gaps:
    """Collects what is missing while a table is made."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._things: dict[str, dict[str, list[str]]] = {}

    def found(self) -> tuple[Gap, ...]:
        """Each thing that is missing, in the order in which they were found."""
        return tuple(
            Gap(
                what=f"{what}: {', '.join(dict.fromkeys(names))}" if any(names) else what,
                command=command,
            )
            for command, things in self._things.items()
            for what, names in things.items()
        )

    def study(self, declaring: StudyOutput, name: str) -> None:
        """A sister study has not run in this store at this scale."""
        path = str(Path(declaring.path).with_name(f"{name}.yaml"))
        absent = replace(declaring, name=name, path=path)
        self._add(absent.command(), f"{name} has not run at scale {declaring.scale}", "")

    def unplanned(self, point: Point, wanted: Iterable[str]) -> None:
        """`task/regime` that the study does not have at its scale."""
        study, wanted = point.study, sorted(wanted)
        new, planned = _regimes(wanted), _regimes(sorted(point.tasks or ()))
        if new.keys() <= planned.keys():
            command = study.command(
                *(
                    f"cell.tasks.{task}.regimes=[{','.join(planned[task] + new[task])}]"
                    for task in new
                )
            )
        else:
            command = replace(study, scale=PUBLISHED_SCALE).command(
                *(f"cell.tasks.{task}.source={self._location}" for task in new),
                f"locations.{self._location}=DIR",
            )
        for name in wanted:
            self._add(command, f"Not part of {study.name} at scale {study.scale}", name)

    def unrun(self, point: Point, name: str, cells: int) -> None:
        """Some cells have no score of what is planned for them."""
        count = f"{point.study.name}, cells not run: {cells} of {len(point.seeds)}"
        self._add(point.study.command(), count, name)

    def _add(self, command: str, what: str, name: str) -> None:
        self._things.setdefault(command, {}).setdefault(what, []).append(name)


def _regimes(names: Iterable[str]) -> dict[str, list[str]]:
    """Regimes by task, of names such as `xnli/zero-shot`."""
    regimes: dict[str, list[str]] = {}
    for name in names:
        task, _, regime = name.partition("/")
        regimes.setdefault(task, []).append(regime)
    return regimes
