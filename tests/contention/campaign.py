"""Has processes share a store while they are killed, stopped and woken at random.

Every other process is in a process namespace of its own, where that can be made: it cannot tell
whether a holder lives, as on another machine, and has to go by the lease's counter.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grid.graph import NOT_NEEDED
from grid.store import Store
from grid.verify import verify_store
from tests.contention import record
from tests.contention.stages import BEAT, LOG, WORKER, expected, graph, note
from tests.grid.processes import ROOT, living

PATIENCE = 300.0
"""Seconds in which what is left must be finished once nobody disturbs any more."""
ACTS = {
    "kill all": 3, "kill attempt": 3, "kill server": 1, "kill launcher": 1, "interrupt": 1,
    "stop attempt": 2, "stop attempt for long": 6, "stop all for long": 3,
}  # fmt: skip
"""What may happen to a process and its children, and how often as a share."""


@dataclass(kw_only=True)
class Worker:
    """One place among the processes: whoever dies there is started again, under another name."""

    number: int
    namespace: bool
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0

    @property
    def name(self) -> str:
        return f"{'n' if self.namespace else 'p'}{self.number}.{self.starts}"


@dataclass(kw_only=True)
class Campaign:
    """A campaign in a folder, which gets the store, the log and the output of the processes."""

    folder: Path
    processes: int
    seed: int
    seconds: float
    expiry: float
    beat: float
    pause: float
    """Mean seconds between two disturbances."""
    round_seconds: float = 10.0
    acts: Counter[str] = field(default_factory=Counter)
    _waking: list[tuple[float, str, int | None, list[int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "store")
        self.log = self.folder / "log.jsonl"
        os.environ |= {LOG: str(self.log), WORKER: "campaign", BEAT: str(self.beat)}

    @property
    def rounds(self) -> int:
        return int(self.seconds / self.round_seconds) + 1

    def run(self) -> record.Judgement:
        """Runs and judges it; what is found is in the judgement's `faults`."""
        draw = random.Random(self.seed)
        able = _namespaces()
        workers = [Worker(number=each, namespace=able and each % 2 == 1)
                   for each in range(self.processes)]  # fmt: skip
        began = time.monotonic()
        until = began + self.seconds
        following = began + self.pause
        try:
            while time.monotonic() < until:
                for worker in workers:
                    if worker.process is None or worker.process.poll() is not None:
                        times = ["--began", str(began), "--until", str(until)]
                        self._start(worker, *times, "--round-seconds", str(self.round_seconds))
                if time.monotonic() > following:
                    self._disturb(draw, draw.choice(workers))
                    following = time.monotonic() + draw.expovariate(1 / self.pause)
                self._wake(time.monotonic())
                time.sleep(0.02)
            self._wake(float("inf"))
            faults = self._finish(workers)
        finally:
            for worker in workers:
                if worker.process is not None and living(worker.process.pid):
                    os.killpg(worker.process.pid, signal.SIGKILL)
                    worker.process.wait()
        return self._judged(faults)

    def _start(self, worker: Worker, *options: str) -> None:
        worker.starts += 1
        command = [sys.executable, "-m", "tests.contention.worker", str(self.store.root)]
        command += ["--seed", str(self.seed), "--draw", worker.name, "--expiry", str(self.expiry)]
        if worker.namespace:
            unshare = shutil.which("unshare") or ""
            command = [unshare, "--pid", "--fork", "--kill-child", "--mount-proc", *command]
        with (self.folder / f"{worker.name}.out").open("wb") as output:
            worker.process = subprocess.Popen(
                [*command, *options],
                cwd=ROOT,
                env={**os.environ, WORKER: worker.name, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _disturb(self, draw: random.Random, worker: Worker) -> None:
        """Does one thing to a worker or one of its processes, and writes it down before."""
        act = draw.choices(list(ACTS), list(ACTS.values()))[0]
        assert worker.process is not None
        group = worker.process.pid
        kinds = _kinds(group)
        target = next((kind for kind in ("attempt", "server", "launcher") if kind in act), "all")
        if act == "interrupt":
            target = "launcher"
        pids = sorted(kinds.get(target, []))
        if not pids:
            return
        if target != "all":
            pids = [draw.choice(pids)]
        # A launcher or a server takes its attempts along.
        inner = _inner(pids[0]) if target == "attempt" else None
        if target == "attempt" and inner is None:
            return  # it has ended just now
        if act.startswith("stop") and any(name == worker.name for _, name, _, _ in self._waking):
            return  # one stop at a time, so that the log says how long each was
        self.acts[act] += 1
        if act.startswith("stop"):
            long = "long" in act
            least, most = (1.2, 1.8) if long else (0.05, 0.5)
            note("stop", on=worker.name, pid=inner)
            _signal(pids, signal.SIGSTOP)
            wakes = time.monotonic() + self.expiry * draw.uniform(least, most)
            self._waking.append((wakes, worker.name, inner, pids))
        else:
            note("kill", on=worker.name, pid=inner)
            _signal(pids, signal.SIGINT if act == "interrupt" else signal.SIGKILL)

    def _wake(self, now: float) -> None:
        """Continues what has been stopped for as long as it was to be."""
        for each in [each for each in self._waking if each[0] <= now]:
            self._waking.remove(each)
            _, name, inner, pids = each
            note("continue", on=name, pid=inner)
            _signal(pids, signal.SIGCONT)

    def _finish(self, workers: list[Worker]) -> list[str]:
        """Lets all end by themselves, then has each of them run whatever is left of all rounds."""
        faults = list(self._ended(workers, "its last study"))
        for worker in workers:
            self._start(worker, "--rounds", str(self.rounds))
        faults += self._ended(workers, "what was left")
        for worker in workers:
            assert worker.process is not None
            if worker.process.returncode != 0:
                faults.append(f"{worker.name} ended with {worker.process.returncode}")
        return faults

    def _ended(self, workers: list[Worker], what: str) -> Iterator[str]:
        deadline = time.monotonic() + PATIENCE
        for worker in workers:
            assert worker.process is not None
            try:
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(worker.process.pid, signal.SIGKILL)
                worker.process.wait()
                yield f"{worker.name} hung: {what} was not finished after {PATIENCE:.0f} s"

    def _judged(self, faults: list[str]) -> record.Judgement:
        every = graph(self.seed, range(self.rounds))
        states = every.states(self.store)
        published = {}
        for key, digest in expected(every).items():
            if states["link", key] == NOT_NEEDED:
                continue  # no stage of the next layer has drawn it
            place = self.store.path("link", key)
            if not place.is_dir():
                faults.append(f"{key}: missing")
                continue
            published[key] = (place / "by").read_text()
            if (place / "digest").read_text() != digest:
                faults.append(f"{key}: wrong")
        _, damaged = verify_store(self.store)
        faults += [f"damaged: {message}" for message in damaged.values()]
        left = [*(self.store.root / "artifacts").rglob(".*"), *self.store.root.glob("work/*/*")]
        faults += [f"left behind: {path}" for path in left]
        found = record.judge(record.read(self.log), published, self.expiry)
        found.faults += faults
        return found


def _namespaces() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    command = [unshare, "--pid", "--fork", "--kill-child", "--mount-proc", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _kinds(group: int) -> dict[str, list[int]]:
    """The processes of a worker by what they are; `all` of them."""
    parents = living(group)
    words = {pid: _command(pid) for pid in parents}
    servers = {pid for pid, line in words.items() if "grid.launch.server" in line}
    attempts = {pid for pid in servers if parents[pid] in servers}
    launchers = {pid for pid, line in words.items()
                 if "tests.contention.worker" in line and "unshare" not in line}  # fmt: skip
    return {
        "all": list(parents),
        "attempt": list(attempts),
        "server": list(servers - attempts),
        "launcher": list(launchers),
    }


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _inner(pid: int) -> int | None:
    """The process id as the process itself sees it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return int(next(line for line in lines if line.startswith("NSpid")).split()[-1])


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
