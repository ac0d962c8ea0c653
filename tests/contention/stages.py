"""Stages that write down when each computation of them begins and ends, by whom, on which lease.

Every line goes into one file that is opened for appending, so that lines of several processes do
not mix. Times are those of the monotonic clock, which is the same in all processes of a machine.
"""

import hashlib
import json
import os
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grid import lease
from grid.graph import Graph, Stage
from grid.identity import stage_key
from grid.store import Store
from model.context import Context
from model.errors import Stopped

LOG, WORKER, BEAT = "GRID_CONTENTION_LOG", "GRID_CONTENTION_WORKER", "GRID_CONTENTION_BEAT"
"""Variables that say where to write, for whom, and how often a lease's counter changes."""
WIDTH = 12
"""Stages in each of the three layers of a round; the last layer is what studies want."""
LAYERS = 3
_STEPS = 10
_BLOCK = 20_000

lease.BEAT = float(os.environ.get(BEAT, lease.BEAT))  # in the attempts, which import this


@dataclass(kw_only=True)
class Link:
    """One stage of a round."""

    round: int
    number: int
    seconds: float


def note(event: str, **facts: object) -> None:
    """Appends one line to the log."""
    record = {"event": event, "time": time.monotonic(), "worker": os.environ[WORKER], **facts}
    descriptor = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, json.dumps(record).encode() + b"\n")
    finally:
        os.close(descriptor)


def run(config: Link, inputs: Mapping[str, Path], output: Path, context: Context) -> None:
    """Hashes its inputs in steps, each of them saved; writes the digest and who computed it."""
    stage, key = context.work.parent.name, context.work.name
    held = lease.read(Store(context.work.parents[2]).lease_folder(stage, key))
    token = uuid.uuid4().hex
    own = {"key": key, "token": token, "pid": os.getpid()}
    note("start", **own, lease=held.generation if held else 0)
    state = context.work / "state.json"
    done, value = json.loads(state.read_text()) if state.exists() else (0, begun(config, inputs))
    for step in range(done, _STEPS):
        time.sleep(config.seconds / _STEPS)
        value = hashlib.sha256(value.encode()).hexdigest()
        temporary = state.with_name(f"state-{token}")
        temporary.write_text(json.dumps([step + 1, value]))
        temporary.replace(state)
        if context.stop.is_set():
            note("end", **own, how="stopped")
            raise Stopped("")
    (output / "digest").write_text(value)
    (output / "by").write_text(token)
    (output / "block").write_bytes(random.Random(value).randbytes(_BLOCK))
    note("end", **own, how="computed")


def begun(config: Link, inputs: Mapping[str, Path]) -> str:
    """What the steps begin with: the stage itself and the digests of its inputs."""
    return _begun(config, {role: (path / "digest").read_text() for role, path in inputs.items()})


def _begun(config: Link, digests: Mapping[str, str]) -> str:
    text = json.dumps([config.round, config.number, sorted(digests.items())])
    return hashlib.sha256(text.encode()).hexdigest()


def expected(graph: Graph) -> dict[str, str]:
    """The digest that each stage of a graph is to have, by key, computed here and now."""
    found: dict[str, str] = {}
    for stage in graph.stages.values():
        value = _begun(stage.config, {role: found[id[1]] for role, id in stage.inputs.items()})
        for _ in range(_STEPS):
            value = hashlib.sha256(value.encode()).hexdigest()
        found[stage.key] = value
    return found


def graph(seed: int, rounds: range) -> Graph:
    """The stages of these rounds, all of the last layer wanted: most quick, some of seconds."""
    made = Graph()
    for round in rounds:
        draw = random.Random(seed * 1000 + round)
        layer: list[Stage] = []
        for depth in range(LAYERS):
            layer = [
                _stage(made, round, WIDTH * depth + each, draw, draw.sample(layer, 2 * bool(depth)))
                for each in range(WIDTH)
            ]
        made.targets |= {stage.id for stage in layer}
    return made


def _stage(made: Graph, round: int, number: int, draw: random.Random, inputs: list[Stage]) -> Stage:
    long = draw.random() < 0.25
    seconds = draw.uniform(2, 8) if long else draw.uniform(0.02, 0.5)
    config = Link(round=round, number=number, seconds=float(f"{seconds:.2f}"))
    taken = {f"i{each}": stage for each, stage in enumerate(inputs)}
    keys = {role: stage.key for role, stage in taken.items()}
    stage = Stage(
        name="link",
        key=stage_key("link", 1, config, keys, f"r{round}-n{number}"),
        module=__name__,
        version=1,
        config=config,
        inputs={role: stage.id for role, stage in taken.items()},
        resumable=True,
    )
    made.add(stage)
    return stage
