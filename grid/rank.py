"""One rank of a stage that several processes compute: `python -m grid.rank ATTEMPT OUTPUT`.

Started by the attempt's process (grid/ranks.py) or by a scheduler on its behalf. Which rank it is
stands in RANK, LOCAL_RANK and WORLD_SIZE, or in Slurm's variables. Rank 0 shares the attempt's log,
rank k has log.rank<k>; at its end each writes rank<k>.json. Exit status: 0 done, 1 failed,
4 stopped.
"""

import argparse
import faulthandler
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from grid.job import compute, prepare_process, read_job
from grid.outcome import DONE, STATUS, STOPPED, Verdict, explained, judge, log
from grid.publish import write_json
from grid.signals import end_with, stop_event
from grid.store import Store
from model.errors import Stopped

_SLURM = {"RANK": "SLURM_PROCID", "LOCAL_RANK": "SLURM_LOCALID", "WORLD_SIZE": "SLURM_NTASKS"}


def _run(folder: Path, output: Path) -> int:
    stop = stop_event()
    job = read_job(folder)
    rank, local_rank, _ = (int(os.environ[name]) for name in _SLURM)
    redirect(folder / ("log" if rank == 0 else f"log.rank{rank}"))
    prepare_process(job)
    try:
        compute(job, folder, output, stop, rank=rank, local_rank=local_rank)
        verdict = Verdict(state=DONE)
    except (Exception, Stopped) as error:
        verdict = judge(explained(error, Store(job.store).root, f"{job.stage} {job.key}"))
        log(verdict.told)
    with suppress(OSError):  # on a full disk the exit status has to do
        write_json(
            folder / f"rank{rank}.json",
            {
                "state": verdict.state,
                "kind": verdict.kind,
                "message": verdict.message,
                "time": time.time(),
            },
        )
    return STATUS[verdict.state]


def redirect(file: Path) -> None:
    """Makes a file the standard output and error of this process, which reads nothing."""
    try:
        output = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:
        output = os.open(os.devnull, os.O_WRONLY)  # the outcome will say what is wrong there
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(output)
    os.close(nothing)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()


def main() -> None:
    """The command `python -m grid.rank`."""
    parser = argparse.ArgumentParser(prog="python -m grid.rank", description=__doc__)
    parser.add_argument("attempt", type=Path, help="attempt folder with a job.json")
    parser.add_argument("output", type=Path, help="folder that rank 0 writes to")
    parser.add_argument("--parent", type=int, help="process with which this one is to end")
    parser.add_argument(
        "--scheduled", action="store_true", help="stopping is status 0: other ranks still save"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the launcher decides what it stops
    if given.parent is not None:
        end_with(given.parent)
    for name, slurm in _SLURM.items():
        if slurm in os.environ:
            os.environ.setdefault(name, os.environ[slurm])
    status = _run(given.attempt, given.output)
    if given.scheduled and status == STATUS[STOPPED]:
        status = 0
    # As a forked stage does: what libraries do at exit may wait for ranks that are gone.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
