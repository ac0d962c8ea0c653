"""Runs one attempt at a stage: `python -m grid.stage ATTEMPT_FOLDER`.

The folder holds job.json; this process takes the stage's lease, runs the stage's module into a
temporary folder and publishes it. It knows nothing of the launcher that started it: a fork server
here, a batch job elsewhere. Exit status: 0 done, 1 failed, 3 held by another process.
"""

import argparse
import importlib
import json
import os
import resource
import socket
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grid.environment import environment
from grid.errors import StoreError
from grid.graph import StageId
from grid.lease import Holder, Lease, Observer, Seen
from grid.publish import discard, write_json
from grid.store import StorageError, Store, explain
from grid.typed import named, rebuild
from model.context import Context
from model.errors import InputError

DONE, FAILED, HELD = "done", "failed", "held"
STATUS = {DONE: 0, FAILED: 1, HELD: 3}

_PATIENCE = 10.0
"""Seconds to wait for an input that a network file system does not show yet."""
_POLL = 1.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended. `kind` of a failure: `input`, `store` or `crash`."""

    state: str
    kind: str = ""
    message: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    host: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What job.json says. The first part is identity, the second is placement."""

    stage: str
    key: str
    module: str
    version: int
    config_type: str
    config: Any
    inputs: dict[str, list[str]]

    store: str
    threads: int = 1
    device: str = "cpu"
    checkpoint_seconds: float = 20.0
    locations: dict[str, str]
    revision: str | None = None
    wait: bool = True
    """Whether to wait while another process holds the stage, or to end with status 3."""
    stale: dict[str, Any] | None = None
    """A lease that the launcher saw unchanged for the expiry, and that may be taken over."""

    @property
    def id(self) -> StageId:
        return (self.stage, self.key)

    @property
    def execution(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "device": self.device,
            "checkpoint_seconds": self.checkpoint_seconds,
            "locations": self.locations,
        }


def run_attempt(folder: Path) -> Outcome:
    """Runs the attempt and writes its outcome.json. Never raises for what the stage did."""
    started = time.monotonic()
    try:
        job = Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))
        state = _run(job, folder)
        outcome = _measured(started, state=state)
    except InputError as error:
        _log(str(error))
        kind = "store" if isinstance(error, StorageError) else "input"
        outcome = _measured(started, state=FAILED, kind=kind, message=str(error))
    except PermissionError as error:
        message = f"{error.filename}: permission denied. Make it readable for this user"
        _log(message)
        outcome = _measured(started, state=FAILED, kind="input", message=message)
    except Exception as error:
        _log(traceback.format_exc().rstrip())
        text = "".join(traceback.format_exception_only(error)).strip()
        outcome = _measured(started, state=FAILED, kind="crash", message=text)
    try:
        write_json(folder / "outcome.json", asdict(outcome))
    except OSError as error:
        _log(f"outcome.json could not be written: {error}")
    return outcome


def _log(text: str) -> None:
    # The log may lie on the very disk that is full; the launcher is told in another way.
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _run(job: Job, folder: Path) -> str:
    store = Store(job.store)
    held = _acquire(job, store)
    if held is None:
        return DONE if store.has(*job.id) else HELD
    if store.has(*job.id):
        store.finish(*job.id, held)
        return DONE
    temporary = None
    try:
        temporary = store.temporary(*job.id)
        began = time.monotonic()
        _compute(job, store, temporary, folder)
        published = store.publish(
            temporary,
            *job.id,
            config={"config": job.config, "config_type": job.config_type, "inputs": job.inputs},
            manifest={
                "stage": job.stage,
                "key": job.key,
                "version": job.version,
                "environment": environment(),
                "execution": job.execution,
                "revision": job.revision,
                "wall_seconds": round(time.monotonic() - began, 3),
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            held=held,
        )
    except BaseException as error:
        if temporary is not None:
            discard(temporary)
        if store.has(*job.id):
            return DONE  # another process took the lease over, and was faster
        if held.lost():
            return HELD  # it removed the temporary folder, which may be all that failed
        with suppress(OSError):  # a disk that is full may refuse even this; the lease then expires
            held.release()
        explained = explain(error, store.root, f"running {job.stage} {job.key}", own=False)
        if explained is not None:
            raise explained from error
        raise
    if published or store.has(*job.id):
        return DONE
    return HELD


def _compute(job: Job, store: Store, output: Path, folder: Path) -> None:
    config = rebuild(named(job.config_type), job.config)
    inputs = {name: _input(store, stage, key) for name, (stage, key) in job.inputs.items()}
    work = store.work(*job.id)
    work.mkdir(parents=True, exist_ok=True)
    context = Context(
        work=work,
        threads=job.threads,
        device=job.device,
        locations=job.locations,
        checkpoint_seconds=job.checkpoint_seconds,
        progress_file=folder / "progress.jsonl",
    )
    module = importlib.import_module(job.module)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(job.threads)
    module.run(config, inputs, output, context)


def _acquire(job: Job, store: Store) -> Lease | None:
    """The lease; None if the artifact came to be meanwhile, or if it is held and `wait` is off."""
    held = store.acquire(*job.id, stale=_seen(job.stale))
    if held is not None or not job.wait:
        return held
    observer = Observer(store.lease_folder(*job.id))
    while not store.has(*job.id):
        if observer.available():
            held = store.acquire(*job.id, stale=observer.seen)
            if held is not None:
                return held
        time.sleep(_POLL)
    return None


def _seen(record: dict[str, Any] | None) -> Seen | None:
    if record is None:
        return None
    holder = Holder(**record["holder"]) if record["holder"] else None
    return Seen(generation=record["generation"], counter=record["counter"], holder=holder)


def _input(store: Store, stage: str, key: str) -> Path:
    deadline = time.monotonic() + _PATIENCE
    path = store.path(stage, key)
    while not path.is_dir():
        if time.monotonic() > deadline:
            raise StoreError(f"store {store.root}: the input {stage} {key} is not there")
        time.sleep(0.2)
        store.published(stage)  # a listing makes a network file system look again
    return path


def _measured(started: float, **given: Any) -> Outcome:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    return Outcome(
        wall_seconds=round(time.monotonic() - started, 3),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
        peak_bytes=usage.ru_maxrss * unit,
        host=socket.gethostname(),
        **given,
    )


def limit_threads(threads: int) -> None:
    """Threads of the numerical libraries: only before they are imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["POLARS_MAX_THREADS"] = str(threads)


def main(arguments: list[str] | None = None) -> int:
    """The command `python -m grid.stage`."""
    parser = argparse.ArgumentParser(prog="python -m grid.stage", description=__doc__)
    parser.add_argument("attempt", type=Path, help="attempt folder with a job.json")
    folder = parser.parse_args(arguments).attempt
    try:
        job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        print(f"{folder}: expected an attempt folder with a job.json", file=sys.stderr)
        return 2
    limit_threads(int(job["threads"]))
    return STATUS[run_attempt(folder).state]


if __name__ == "__main__":
    sys.exit(main())
