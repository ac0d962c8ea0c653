"""Readers of the published files: each takes a path and a `Reading`, and yields examples.

A reader raises InputError for the first thing that is not as published, naming the file and the
line (in JSON: the place inside and the question). Nothing is guessed, dropped or repaired but what
the publishers say is to be dropped, and that is counted.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from model.tasks.formats import columns, pairs, squad, tables
from model.tasks.formats.lines import Reading

Reader = Callable[[Path, Reading], Iterator[Any]]
SharedReader = Callable[[Path, Reading], Iterator[tuple[str, Any]]]

READERS: dict[str, Reader] = {
    **{name: partial(tables.read_table, table) for name, table in tables.TABLES.items()},
    "conll": columns.read_conll,
    "uner": columns.read_uner,
    "conllu": columns.read_conllu,
    "squad": squad.read_squad,
    "lines": pairs.read_lines,
    "sib200_pairs": pairs.read_sib200_pairs,
}

SHARED: dict[str, SharedReader] = {
    name: partial(tables.read_shared, table)
    for name, table in tables.TABLES.items()
    if table.language is not None
}
"""Formats whose files hold several languages: these tell the language of each example."""
