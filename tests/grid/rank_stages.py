"""A stage of several ranks for tests of the launcher, without torch: the ranks meet through files.

As in a training, each step is a collective: a rank waits for the others without end, rank 0 decides
for all whether to stop, and only rank 0 saves and writes.
"""

import json
import os
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from grid.graph import Stage
from grid.identity import stage_key
from model.context import Context
from model.errors import InputError, Stopped

STEPS = 10


@dataclass(kw_only=True)
class RankStage:
    """Ten steps, and what may go wrong in the third."""

    takes: float = 0.0
    does: str = "add"
    """`add`; `killed`, `crash`, `input` or `exit` in the last rank; `deaf` to `stop`."""
    fixed_by: str | None = field(default=None, metadata={"absent": None})
    """It goes wrong only as long as this file is missing."""


def run(config: RankStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes ranks.json: what each rank was given, and the sum that all of them made."""
    assert context.rendezvous is not None or context.ranks == 1
    meeting = context.progress_file.parent / "meeting"  # type: ignore[union-attr]
    meeting.mkdir(exist_ok=True)
    print(f"rank {context.rank} of {context.ranks}")
    state = context.work / "step.json"
    begin, total = json.loads(state.read_text()) if state.exists() else (0, 0)
    for step in range(begin, STEPS):
        if step == 3 and context.rank == context.ranks - 1:
            _misbehave(config)
        time.sleep(config.takes / STEPS)
        stop = context.stop.is_set() and config.does != "deaf"
        said = _exchange(meeting, step, context, {"value": step * context.rank, "stop": stop})
        total += sum(each["value"] for each in said)
        context.progress(step + 1, STEPS, loss=1.0)
        if said[0]["stop"] or step % 3 == 2:
            _save(state, step + 1, total, context)
        if said[0]["stop"]:
            raise Stopped(f"saved after step {step + 1} of {STEPS}")
    given = {"rank": context.rank, "device": context.device, "pid": os.getpid(), "step": begin}
    given["tensor_parallel"] = context.tensor_parallel
    given["node"] = os.environ.get("SLURMD_NODENAME")
    given["gpus"] = os.environ.get("CUDA_VISIBLE_DEVICES")
    everyone = _exchange(meeting, STEPS, context, given)
    if context.rank == 0:
        (output / "ranks.json").write_text(json.dumps({"sum": total, "ranks": everyone}))


def _exchange(meeting: Path, step: int, context: Context, mine: dict) -> list[dict]:  # type: ignore[type-arg]
    """What every rank says in this step; waits for ever for one that says nothing."""
    place = meeting / f"{step}-{context.rank}.json"
    place.with_suffix(".new").write_text(json.dumps(mine))
    place.with_suffix(".new").replace(place)
    everyone = [meeting / f"{step}-{rank}.json" for rank in range(context.ranks)]
    while not all(each.exists() for each in everyone):
        time.sleep(0.005)
    return [json.loads(each.read_text()) for each in everyone]


def _save(state: Path, step: int, total: int, context: Context) -> None:
    if context.rank == 0:
        state.with_suffix(".new").write_text(json.dumps([step, total]))
        state.with_suffix(".new").replace(state)


def _misbehave(config: RankStage) -> None:
    if config.fixed_by is not None and Path(config.fixed_by).exists():
        return
    if config.does == "killed":
        print("its last words")
        os.kill(os.getpid(), signal.SIGKILL)
    if config.does == "crash":
        raise ValueError("a mistake in one rank")
    if config.does == "input":
        raise InputError("tiny.value: expected something else, found this")
    if config.does == "exit":
        os._exit(7)


def stage(
    name: str,
    *,
    ranks: int = 2,
    needs_torch: bool = False,
    resumable: bool = True,
    **config: object,
) -> Stage:
    """A stage of several ranks, named by its slug."""
    made = RankStage(**config)  # type: ignore[arg-type]
    key = stage_key("ranks", 1, made, {}, name)
    alone = Stage(
        name="ranks",
        key=key,
        module="tests.grid.rank_stages",
        version=1,
        config=made,
        needs_torch=needs_torch,
        resumable=resumable,
    )
    return replace(alone, ranks=ranks)
