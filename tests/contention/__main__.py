"""Looks for what many processes on one store could do to each other.

    python -m tests.contention --minutes 10 --processes 8 --seed 1 --keep contention

Eight processes run overlapping studies of quick stages, each with a launcher, a fork server and
attempts of its own, while at random one of them, or one of its children, is killed, interrupted, or
stopped and woken later. At the end all run what is left; then the log and the store are judged.
Status 1 if anything is not as it should be.
"""

import argparse
import sys
import time
from pathlib import Path

from grid import lease
from tests.contention.campaign import Campaign


def main() -> int:
    """The command `python -m tests.contention`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--expiry", type=float, default=lease.EXPIRY, help="of a lease, seconds")
    parser.add_argument("--beat", type=float, default=lease.BEAT, help="of a holder, seconds")
    parser.add_argument("--pause", type=float, default=4.0, help="mean, between disturbances")
    parser.add_argument("--keep", type=Path, required=True, help="a new folder for all it makes")
    options = parser.parse_args()
    options.keep.mkdir(parents=True)
    campaign = Campaign(
        folder=options.keep.absolute(),
        processes=options.processes,
        seed=options.seed,
        seconds=60 * options.minutes,
        expiry=options.expiry,
        beat=options.beat,
        pause=options.pause,
    )
    found = campaign.run()
    print(", ".join(f"{act}: {count}" for act, count in sorted(campaign.acts.items())))
    for line in (*found.lines(), *found.faults):
        print(line)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
