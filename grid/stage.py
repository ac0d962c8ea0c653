"""Runs one attempt at a stage: `python -m grid.stage ATTEMPT_FOLDER`.

The folder holds job.json; this process takes the stage's lease, has the stage's module write into a
temporary folder and publishes it. A stage of one rank is computed in this very process, one of
several by processes of their own that this one watches (grid/ranks.py). It knows nothing of the
launcher that started it: a fork server here, a batch job elsewhere. SIGTERM, SIGUSR1 and SIGUSR2
ask the stage to save its state and stop. Exit status: 0 done, 1 failed, 3 held by another process,
4 stopped.
"""

import argparse
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grid.environment import environment
from grid.job import Job, check_inputs, compute, forget_secrets, prepare_process, read_job
from grid.lease import Holder, Lease, Observer, Seen
from grid.outcome import (
    DONE,
    HELD,
    STATUS,
    Outcome,
    Verdict,
    explained,
    judge,
    log,
    measured,
)
from grid.publish import discard, write_json
from grid.ranks import Starter, on_this_machine, run_ranks
from grid.signals import stop_event
from grid.store import Store
from model.errors import Stopped

_POLL = 1.0


def run_attempt(folder: Path) -> Outcome:
    """Runs the attempt and writes its outcome.json. Never raises for what the stage did."""
    started = time.monotonic()
    stop = stop_event()
    job = None
    try:
        job = read_job(folder)
        prepare_process(job)
        verdict = Verdict(state=_run(job, folder, stop, started))
    except (Exception, Stopped) as error:
        verdict = judge(error)
        log(verdict.told)
    return _conclude(job, folder, started, verdict)


def _conclude(job: Job | None, folder: Path, started: float, verdict: Verdict) -> Outcome:
    outcome = measured(started, verdict)
    try:
        if job is not None:
            forget_secrets(job, folder)
        write_json(folder / "outcome.json", asdict(outcome))
    except OSError as error:
        log(f"outcome.json could not be written: {error}")
    return outcome


def _run(job: Job, folder: Path, stop: threading.Event, started: float) -> str:
    store = Store(job.store)
    held = _acquire(job, store, stop)
    if held is None:
        return DONE if store.has(*job.id) else HELD
    if store.has(*job.id):
        store.finish(*job.id, held)
        return DONE
    held.when_lost(lambda: _leave(job, folder, started))
    temporary = None
    try:
        check_inputs(job, store)
        temporary = store.temporary(*job.id)
        began = time.monotonic()
        if job.ranks == 1:
            compute(job, folder, temporary, stop)
        else:
            run_ranks(job, folder, temporary, stop, _starter(job))
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
        clear = explained(error, store.root, f"{job.stage} {job.key}")
        if clear is not error:
            raise clear from error
        raise
    if published or store.has(*job.id):
        return DONE
    return HELD


def _leave(job: Job, folder: Path, started: float) -> None:
    """Ends this process, and with it its ranks: another one goes on with its work folder."""
    log("this process was silent for so long that another one has taken the stage over: it ends")
    _conclude(job, folder, started, Verdict(state=HELD))
    os._exit(STATUS[HELD])


def _starter(job: Job) -> Starter:
    """Ranks are processes of this machine, unless the batch job has nodes for them."""
    if job.batch is None or job.batch.get("srun") is None:
        return on_this_machine
    from grid.slurm.srun import with_srun

    return with_srun


def _acquire(job: Job, store: Store, stop: threading.Event) -> Lease | None:
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
        if stop.is_set():
            raise Stopped("stopped while another process held the stage")
        time.sleep(_POLL)
    return None


def _seen(record: dict[str, Any] | None) -> Seen | None:
    if record is None:
        return None
    holder = Holder(**record["holder"]) if record["holder"] else None
    return Seen(generation=record["generation"], counter=record["counter"], holder=holder)


def main(arguments: list[str] | None = None) -> int:
    """The command `python -m grid.stage`."""
    parser = argparse.ArgumentParser(prog="python -m grid.stage", description=__doc__)
    parser.add_argument("attempt", type=Path, help="attempt folder with a job.json")
    folder = parser.parse_args(arguments).attempt
    if not (folder / "job.json").is_file():
        print(f"{folder}: expected an attempt folder with a job.json", file=sys.stderr)
        return 2
    return STATUS[run_attempt(folder).state]


if __name__ == "__main__":
    sys.exit(main())
