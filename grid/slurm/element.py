"""One job of an array: `python -m grid.slurm.element SUBMISSION ARRAY`.

Its index is SLURM_ARRAY_TASK_ID (0 for a job that is no array). Runs the element's share of the
submission's stages (grid/slurm/share.py). Exit status: 0 all of its share is done, or it was put
back into the queue; 1 something failed or is left.
"""

import argparse
import sys
from pathlib import Path

from grid.slurm.warning import Warnings


def main() -> int:
    """The command `python -m grid.slurm.element`."""
    warnings = Warnings()  # before the imports below: Slurm may warn a job as soon as it starts
    parser = argparse.ArgumentParser(prog="python -m grid.slurm.element", description=__doc__)
    parser.add_argument("submission", type=Path, help="folder of a submission")
    parser.add_argument("array", help="name of an array of it")
    given = parser.parse_args()

    from grid.errors import StoreError
    from grid.slurm.share import Share

    try:
        return Share(given.submission.absolute(), given.array, warnings).run()
    except StoreError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
