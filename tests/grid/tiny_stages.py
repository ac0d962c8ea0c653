"""A stage module for tests of the store and the launcher: real work, small, and ways to fail."""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grid.graph import Graph, Stage
from grid.identity import stage_key
from grid.lease import read
from grid.store import Store
from model.context import Context
from model.errors import InputError


@dataclass(kw_only=True)
class TinyStage:
    """What the stage does: `add`, `slow`, `torch`, or a way to fail (`input`, `displaced`, ...)."""

    does: str = "add"
    value: int = 0
    takes: float = 0.0
    fixed_by: str | None = field(default=None, metadata={"absent": None})
    """A failure happens only as long as this file is missing."""


def run(config: TinyStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes sum.json: the value plus the sums of the inputs."""
    if config.fixed_by is None or not Path(config.fixed_by).exists():
        _misbehave(config.does, output)
        if config.does == "displaced":
            _displace(context, Path(config.fixed_by or ""))
    total = config.value
    for folder in inputs.values():
        total += json.loads((folder / "sum.json").read_text())["sum"]
    _steps(config, context)
    (output / "parts").mkdir()
    (output / "parts" / "text.txt").write_text("x" * 1000, encoding="utf-8")
    (output / "sum.json").write_text(json.dumps({"sum": total}), encoding="utf-8")
    print(f"the sum is {total}")


def _misbehave(does: str, output: Path) -> None:
    if does == "input":
        raise InputError("tiny.value: expected something else, found this")
    if does == "crash":
        raise ValueError("a mistake in the program")
    if does == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "memory":
        bytearray(8_000_000_000)
    if does == "fill":
        (output / "large.bin").write_bytes(b"x" * 64_000_000)
    if does == "torch" and "torch" not in sys.modules:
        raise ValueError("torch should have been imported ahead")


def _displace(context: Context, flag: Path) -> None:
    """What happens to a holder that was stopped for long: another one takes its stage over."""
    flag.touch()
    stage, key = context.work.parent.name, context.work.name
    store = Store(context.work.parents[2])
    assert store.acquire(stage, key, stale=read(store.lease_folder(stage, key)))


def _steps(config: TinyStage, context: Context) -> None:
    """Ten steps that take `takes` seconds in all; resumes after the last one that was saved."""
    state = context.work / "step.txt"
    done = int(state.read_text()) if state.exists() else 0
    for step in range(done + 1, 11):
        time.sleep(config.takes / 10)
        temporary = state.with_suffix(".new")
        temporary.write_text(str(step))
        temporary.replace(state)
        context.progress(step, 10, loss=1 / step, tokens_per_s=1000.0)


def stage(
    name: str, *inputs: Stage, needs_torch: bool = False, seconds: float = 1.0, **config: Any
) -> Stage:
    """A tiny stage named by its slug."""
    made = TinyStage(**config)
    return Stage(
        name="tiny",
        key=stage_key("tiny", 1, made, {i.key: i.key for i in inputs}, name),
        module="tests.grid.tiny_stages",
        version=1,
        config=made,
        inputs={each.key: each.id for each in inputs},
        needs_torch=needs_torch,
        seconds=seconds,
    )


def graph(*stages: Stage) -> Graph:
    """A graph of these stages, all of them wanted, one cell for each."""
    made = Graph()
    for each in stages:
        made.add(each)
        made.targets.add(each.id)
        made.cells[each.key] = {"tiny": each.id}
    return made
