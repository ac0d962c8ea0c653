"""Faults at seeded points of commands, and the judge who looks at what is left after each.

An undisturbed run of each command is listened to first. A point is then the n-th call of a name by
any process of a role, such as the 12th rename of a stage; what happens there is the point's kind.
After it the study is run again without a fault, and must give the bits of the undisturbed runs.
"""

import errno
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grid.store import Store
from grid.verify import verify_store
from tests.faults import injector
from tests.faults.injector import KILL, KILL_ALL, PASS, TEAR, Answer, Call

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 240.0
"""Seconds after which a command has hung."""

KILLED = {"kill": KILL, "kill all": KILL_ALL, "tear": TEAR}
"""SIGKILL of the process that makes the call, of all processes at once, or within a write."""
FAILS = {"EIO on write": errno.EIO, "EIO on read": errno.EIO, "ENOSPC": errno.ENOSPC}
"""The call fails, and so does every later one like it on that file; after ENOSPC all that write."""
FULL = "full disk"
"""The disk has room for `number` KiB; the other kinds are in `disasters`."""
MOST = 600
"""KiB; the study needs a little less."""
WEIGHTS = {"kill": 6, "kill all": 2}
"""How many points of a kind are drawn for one of another."""

READS = ("read", "pread64", "readv", "preadv")
_WRITES = ("write", "pwrite64")
_SHRINKS = ("unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "ftruncate")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command line that is disturbed, and the store that it finds."""

    name: str
    line: list[str]
    store: Path | None
    """A store to begin with; None: there is none yet."""
    mended: bool = True
    """Whether a program in the study has its mistake behind it: the file `mended` beside it."""
    completes: bool = True
    """Whether status 0 means that all results are there. After others, the study is only completed
    as far as it needs: an input of what is finished may stay missing."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The calls of a name by all processes of a role, in an undisturbed command."""

    command: str
    role: str
    call: str
    calls: int
    inside: int
    """Those on files of the store."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A folder with a study in which commands run, on a store in its folder `disk`."""

    folder: Path
    commands: list[Command]
    again: list[str]
    """The command line that completes the work, whatever has happened to it."""
    expected: dict[str, str]
    """What `contents` says of a store in which nothing was disturbed."""
    heard: dict[bool, list[Place]] = field(default_factory=dict)
    """The calls of its commands, without and with reads."""

    @property
    def store(self) -> Path:
        return self.folder / "disk" / "runs"

    def command(self, name: str) -> Command:
        return next(command for command in self.commands if command.name == name)

    def reset(self, name: str) -> None:
        """The store and the program as a command is to find them."""
        command = self.command(name)
        replace(self.store, command.store)
        self.mend(command.mended)

    def mend(self, mended: bool = True) -> None:
        flag = self.folder / "mended"
        flag.touch() if mended else flag.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class Point:
    """The `number`th call (from 1) of a name by any process of a role."""

    command: str
    kind: str
    role: str
    call: str
    number: int

    def __str__(self) -> str:
        where = f"{self.call} {self.number} of a {self.role} in {self.command}"
        return f"{self.kind} at {where}"


@dataclass(kw_only=True)
class Found:
    """What came of one point."""

    point: Point
    reached: bool = False
    """Whether the command came to that call: processes that run side by side vary."""
    status: int | None = None
    """The exit status of the command that was disturbed; None if it had to be ended."""
    broken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Files that the next run has left lying about: harmless, but no use."""
    seconds: float = 0.0
    next_seconds: float = 0.0


def environment(**more: str) -> dict[str, str]:
    """The variables of a command."""
    result = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}
    result.pop("GRID_STORE", None)
    return result


def grid(*arguments: str) -> list[str]:
    """The command line of `python -m grid`."""
    return [sys.executable, "-m", "grid", *arguments]


def replace(store: Path, source: Path | None) -> None:
    """Puts a copy of a store, or nothing, in place of another. Times of change are kept."""
    shutil.rmtree(store, ignore_errors=True)
    store.parent.mkdir(exist_ok=True)
    if source is not None:
        shutil.copytree(source, store)


def run(folder: Path, line: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """An undisturbed command, its output and errors together."""
    return subprocess.run(
        line,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def contents(store: Path) -> dict[str, str]:
    """A checksum of every artifact's files and of a study's outputs, without dates and times.

    Also of what does not belong there, such as temporary files; attempts are left out.
    """
    found = {}
    for path in sorted(path for path in store.rglob("*") if not path.is_dir()):
        name = path.relative_to(store).as_posix()
        if name.startswith("attempts/"):
            continue
        content = path.read_bytes()
        if path.name == "manifest.json":
            content = json.dumps(json.loads(content)["files"], sort_keys=True).encode()
        if path.name == "claims.json":
            content = json.dumps({**json.loads(content), "judged_at": None}).encode()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def listen(bench: Bench, *, reads: bool) -> list[Place]:
    """The calls of every command, undisturbed. They are kept: the same for all that ask."""
    if reads not in bench.heard:
        bench.heard[reads] = [
            place for command in bench.commands for place in _listen(bench, command, reads)
        ]
    return bench.heard[reads]


def _listen(bench: Bench, command: Command, reads: bool) -> list[Place]:
    calls: Counter[tuple[str, str]] = Counter()
    inside: Counter[tuple[str, str]] = Counter()

    def decide(call: Call) -> Answer:
        calls[call.role, call.name] += 1
        inside[call.role, call.name] += _inside(call, bench.store)
        return PASS

    bench.reset(command.name)
    injector.run(command.line, decide, cwd=bench.folder, environment=environment(), reads=reads)
    return [
        Place(command=command.name, role=role, call=name, calls=count, inside=inside[role, name])
        for (role, name), count in sorted(calls.items())
    ]


def draw(bench: Bench, kinds: Sequence[str], count: int, seed: int) -> list[Point]:
    """Points of kinds of fault: at each kind of call first, then evenly over all calls."""
    chosen = random.Random(seed)
    weights = [WEIGHTS.get(kind, 1) for kind in kinds]
    drawn: list[Point] = []
    for kind, weight in zip(kinds, weights, strict=True):
        possible = _possible(bench, kind)
        wanted = round(count * weight / sum(weights))
        picked = chosen.sample(possible, min(wanted, len(possible)))
        numbers = [number for _, number in possible]
        picked += chosen.choices(possible, numbers, k=wanted - len(picked))
        drawn += [
            Point(
                command=place.command,
                kind=kind,
                role=place.role,
                call=place.call,
                number=chosen.randint(1, number),
            )
            for place, number in picked
        ]
    chosen.shuffle(drawn)
    return drawn


def _possible(bench: Bench, kind: str) -> list[tuple[Place, int]]:
    """Where a kind of fault can strike, and at how many calls there."""
    if kind == FULL:
        disk = [
            Place(command=each.name, role="disk", call="KiB", calls=MOST, inside=MOST)
            for each in bench.commands
        ]
        return [(place, place.calls) for place in disk]
    places = listen(bench, reads=kind == "EIO on read")
    if kind not in FAILS and kind != "tear":
        return [(place, place.calls) for place in places]
    names = {"tear": _WRITES, "EIO on read": READS}.get(kind)
    return [
        (place, place.inside)
        for place in places
        if place.inside and (names is None or place.call in names)
    ]


def _inside(call: Call, folder: Path) -> bool:
    return call.path.startswith(f"{folder}{os.sep}")


def decider(
    point: Point, reached: list[Call], answer: Callable[[Call], Answer], within: Path | None = None
) -> Callable[[Call], Answer]:
    """Lets calls pass up to a point, which `answer` is asked about; adds that call to `reached`.

    within: only calls on files below this folder are counted.
    """
    seen = 0

    def decide(call: Call) -> Answer:
        nonlocal seen
        same = (call.role, call.name) == (point.role, point.call)
        if reached or not same or not (within is None or _inside(call, within)):
            return PASS
        seen += 1
        if seen < point.number:
            return PASS
        reached.append(call)
        return answer(call)

    return decide


def _answers(bench: Bench, point: Point, reached: list[Call]) -> Callable[[Call], Answer]:
    """The decisions for a kind of `KILLED` or `FAILS`."""
    if point.kind in KILLED:
        within = bench.store if point.kind == "tear" else None
        return decider(point, reached, lambda _: KILLED[point.kind], within)
    number, store = FAILS[point.kind], bench.store
    first = decider(point, reached, lambda _: number, store)

    def decide(call: Call) -> Answer:
        if not reached:
            return first(call)
        if point.kind == "ENOSPC":
            fails = _inside(call, store) and call.name not in (*_SHRINKS, *READS)
        else:
            fails = (call.name, call.path) == (reached[0].name, reached[0].path)
        return number if fails else PASS

    return decide


def strike(bench: Bench, point: Point) -> Found:
    """Lets a fault of `KILLED` or `FAILS` strike, runs the study again and judges."""
    bench.reset(point.command)
    reached: list[Call] = []
    found = disturb(bench, point, _answers(bench, point, reached))
    found.reached = bool(reached)
    judge(bench, found)
    return found


def disturb(
    bench: Bench, point: Point, decide: Callable[[Call], Answer], **variables: str
) -> Found:
    """Runs a point's command under a supervisor; what can be said of it at its end."""
    command = bench.command(point.command)
    ended = injector.run(
        command.line,
        decide,
        cwd=bench.folder,
        environment=environment(**variables),
        reads=point.kind == "EIO on read",
        timeout=TIMEOUT,
    )
    found = Found(point=point, seconds=ended.seconds, status=ended.status)
    if ended.status is None:
        found.broken.append("it hung")
    if ended.survivors:
        found.broken.append(f"it left processes: {', '.join(ended.survivors)}")
    if "Traceback" in ended.output:
        found.broken.append(f"it ended in a traceback:\n{ended.output[-3000:]}")
    return found


def judge(bench: Bench, found: Found) -> None:
    """Looks at the store, completes the study and looks again."""
    command = bench.command(found.point.command)
    found.broken += [f"half there: {error}" for error in _damage(bench.store)]
    if found.status == 0 and command.completes:
        found.broken += [f"status 0, but {each}" for each in _differences(bench)]
    bench.mend()
    began = time.monotonic()
    try:
        result = run(bench.folder, bench.again)
    except subprocess.TimeoutExpired:
        found.broken.append("the next run hung")
        return
    found.next_seconds = time.monotonic() - began
    if result.returncode != 0:
        found.broken.append(f"the next run ended with {result.returncode}:\n{result.stdout}")
    found.broken += _damage(bench.store) + _differences(bench, complete=command.completes)
    more = set(contents(bench.store)) - set(bench.expected)
    found.left = sorted(name for name in more if "/." in f"/{name}" or "/new-" in name)


def _damage(store: Path) -> list[str]:
    _, damaged = verify_store(Store(store))
    return list(damaged.values())


def _differences(bench: Bench, *, complete: bool = True) -> list[str]:
    found = contents(bench.store)
    return [
        f"{name} is {'another' if name in found else 'missing'}"
        for name, checksum in bench.expected.items()
        if found.get(name) != checksum
        and (complete or name in found or not name.startswith("artifacts/"))
    ]
