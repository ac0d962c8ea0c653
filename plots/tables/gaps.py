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
        self._found: dict[str, dict[str, list[str]]] = {}

    def list(self) -> tuple[Gap, ...]:
        """Each thing that is missing, in the order in which they were found."""
        return tuple(
            Gap(
                what=f"{what}: {', '.join(dict.fromkeys(names))}" if any(names) else what,
                command=command,
            )
            for command, things in self._found.items()
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
        tasks = list(dict.fromkeys(name.partition("/")[0] for name in wanted))
        planned = [name for name in sorted(point.tasks or ()) if name.partition("/")[0] in tasks]
        if planned:
            regimes = ",".join(name.partition("/")[2] for name in (*planned, *wanted))
            command = study.command(f"cell.tasks.{tasks[0]}.regimes=[{regimes}]")
        else:
            command = replace(study, scale=PUBLISHED_SCALE).command(
                *(f"cell.tasks.{task}.source={self._location}" for task in tasks),
                f"locations.{self._location}=DIR",
            )
        for name in wanted:
            self._add(command, f"Not part of {study.name} at scale {study.scale}", name)

    def unrun(self, point: Point, name: str, cells: int) -> None:
        """Some cells have no score of what is planned for them."""
        count = f"{point.study.name}, cells not run: {cells} of {len(point.seeds)}"
        self._add(point.study.command(), count, name)

    def _add(self, command: str, what: str, name: str) -> None:
        self._found.setdefault(command, {}).setdefault(what, []).append(name)
