"""`python -m grid report STUDY`: what there is of a study, as one page."""

import os
from argparse import Namespace

from grid.commands import load_study, say


def report(options: Namespace) -> int:
    """Gathers everything, draws the figures, writes the page and prints its path."""
    from grid.cli import DONE
    from plots.report.facts import gather
    from plots.report.page import write

    study = load_study(options)
    facts = gather(study, _words(options))
    path = write(facts)
    say(f"{study.title}: {len(study.cells)} cells, {os.path.getsize(path) / 1e6:.1f} MB")
    print(path)
    return DONE


def _words(options: Namespace) -> tuple[str, ...]:
    """The overrides and options of the call, for the commands that the page names."""
    words = list(options.overrides)
    for name in ("scale", "store", "site"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", str(value)]
    return tuple(words)
