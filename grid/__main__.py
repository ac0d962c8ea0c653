"""`python -m grid`: see grid/cli.py."""

import sys

from grid.cli import main

if __name__ == "__main__":
    sys.exit(main())
