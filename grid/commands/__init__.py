"""The commands of `python -m grid`, one module a family. This file holds what they share.

A command is a function of the options that grid/cli.py has read; it returns the exit status.
"""

import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from itertools import filterfalse
from pathlib import Path
from typing import TYPE_CHECKING

from grid.errors import StudyError
from grid.graph import StageId
from grid.printing import safe

if TYPE_CHECKING:
    from grid.overview import Overview
    from grid.store import Store
    from grid.studies import Studies
    from grid.study import Study

STUDY_ENDINGS = (".yaml", ".yml", ".json")


def load_study(options: Namespace) -> "Study":
    """The study that the call names, with its scale, site and overrides."""
    from grid.study import load

    return load(
        options.study,
        *options.overrides,
        scale=options.scale,
        store=options.store,
        site=options.site,
    )


def load_studies(options: Namespace) -> "Studies":
    """All the studies that the call names, one or several."""
    from grid.studies import load_studies as load

    return load(
        [options.study, *filter(_is_study, options.overrides)],
        *filterfalse(_is_study, options.overrides),
        scale=options.scale,
        store=options.store,
        site=options.site,
    )


def _is_study(word: str) -> bool:
    return word.endswith(STUDY_ENDINGS) and "=" not in word


def call_of(command: str, study: Path, options: Namespace) -> str:
    """The call of a command on one study, with the overrides and options of this call."""
    words = ["python", "-m", "grid", command, str(study)]
    words += filterfalse(_is_study, options.overrides)
    for name in ("scale", "store", "site"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", str(value)]
    return shlex.join(words)


def logs_call(overview: "Overview", options: Namespace) -> Callable[[StageId], str]:
    """What prints the log of a stage: the call of `logs`, on the study that has it."""

    def call(id: StageId) -> str:
        studies = overview.studies.studies
        owner = studies[0]
        if len(studies) > 1:
            owner = next((each for each in studies if id in each.graph().stages), owner)
        return f"{call_of('logs', owner.file, options)} {shlex.quote('/'.join(id))}"

    return call


def open_store(options: Namespace) -> "Store":
    """The store that the call, the environment or the site file names; it need not exist."""
    from grid.store import Store
    from grid.study import store_folder

    return Store(store_folder(options.store, options.site))


def existing_store(options: Namespace) -> "Store":
    """The same, for what makes no sense of a store that is not there."""
    store = open_store(options)
    if not store.root.is_dir():
        raise StudyError(f"store {store.root}: there is none. Name it with --store")
    return store


def say(text: str) -> None:
    """One line of progress, to standard error."""
    print(safe(text), file=sys.stderr, flush=True)


def size(count: int) -> str:
    """Bytes for people: `12 B`, `3.4 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
