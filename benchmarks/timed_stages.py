"""A stage that takes as long as it is told to and does nothing: for benchmarks of the launcher."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grid.graph import Graph, Stage
from grid.identity import stage_key


@dataclass(kw_only=True)
class TimedStage:
    """number: tells it from others. seconds: it sleeps, so that it needs no core to be in time."""

    number: int
    seconds: float = 0.0


def run(config: TimedStage, inputs: dict[str, Path], output: Path, context: Any) -> None:
    """Writes an empty file."""
    time.sleep(config.seconds)
    (output / "done").touch()


def timed(number: int, *inputs: Stage, seconds: float = 0.0, needs_torch: bool = False) -> Stage:
    """One stage, of which the schedule knows how long it will take."""
    config = TimedStage(number=number, seconds=seconds)
    keys = {each.key: each.key for each in inputs}
    return Stage(
        name="timed",
        key=stage_key("timed", 1, config, keys, f"n{number}"),
        module="benchmarks.timed_stages",
        version=1,
        config=config,
        inputs={each.key: each.id for each in inputs},
        needs_torch=needs_torch,
        seconds=seconds or 0.01,
    )


def graph(stages: list[Stage]) -> Graph:
    """A cell for each stage."""
    made = Graph()
    for each in stages:
        made.targets.add(made.add(each))
        made.cells[each.key] = {"timed": each.id}
    return made
