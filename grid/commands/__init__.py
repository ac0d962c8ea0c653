"""The commands of `python -m grid`, one module a family. This file holds what they share.

A command is a function of the options that grid/cli.py has read; it returns the exit status.
"""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def load_studies(options: Namespace) -> "Study | Studies":
    """The study that the call names, or all of them where it names several."""
    from grid.studies import load_studies as load

    more = [text for text in options.overrides if text.endswith(STUDY_ENDINGS) and "=" not in text]
    if not more:
        return load_study(options)
    return load(
        [options.study, *more],
        *(text for text in options.overrides if text not in more),
        scale=options.scale,
        store=options.store,
        site=options.site,
    )


def each(studies: "Study | Studies") -> "tuple[Study, ...]":
    """The studies one by one."""
    from grid.studies import Studies

    return studies.studies if isinstance(studies, Studies) else (studies,)


def open_store(options: Namespace) -> "Store":
    """The store that the call, the environment or the site file names; it need not exist."""
    from grid.store import Store
    from grid.study import store_folder

    return Store(store_folder(options.store, options.site))


def say(text: str) -> None:
    """One line of progress, to standard error."""
    print(text, file=sys.stderr, flush=True)


def size(count: int) -> str:
    """Bytes for people: `12 B`, `3.4 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
