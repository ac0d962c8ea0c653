"""The published tables by the name that a study declares, and how they are made and written."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from grid.claims import read as read_verdicts
from grid.environment import revision
from plots.errors import FigureError
from plots.studies import StudyOutput
from plots.tables.latex import latex
from plots.tables.markdown import markdown
from plots.tables.published import (
    xlmr_table_1,
    xlmr_table_2,
    xlmr_table_3,
    xlmr_table_4,
    xlmr_table_5,
    xlmr_xl_table_1,
    xlmr_xl_table_2,
    xlmr_xl_table_3,
    xlmr_xl_table_4,
    xlmr_xl_table_5,
)
from plots.tables.table import Table
from plots.tables.tidy import tidy


def sidecar(table: Table) -> str:
    """The table as data, with the revision of the code that made it."""
    content = {"revision": revision(), **asdict(table)}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


FORMS: dict[str, Callable[[Table], str]] = {
    "md": markdown,
    "csv": tidy,
    "tex": latex,
    "json": sidecar,
}
"""By the ending of the file."""


@dataclass(kw_only=True, frozen=True)
class TableEntry:
    """How a table is made."""

    make: Callable[[StudyOutput], Table]
    """From the study that declares it: printed rows always, measured ones where there are some."""
    study: str
    """Name of a file in `studies/` that declares the table."""


TABLES: dict[str, TableEntry] = {
    "xlmr_table_1": TableEntry(make=xlmr_table_1.TABLE.make, study="xlmr"),
    "xlmr_table_2": TableEntry(make=xlmr_table_2.TABLE.make, study="xlmr"),
    "xlmr_table_3": TableEntry(make=xlmr_table_3.TABLE.make, study="xlmr"),
    "xlmr_table_4": TableEntry(make=xlmr_table_4.TABLE.make, study="xlmr"),
    "xlmr_table_5": TableEntry(make=xlmr_table_5.TABLE.make, study="monolingual"),
    "xlmr_xl_table_1": TableEntry(make=xlmr_xl_table_1.TABLE.make, study="xlmr_xl"),
    "xlmr_xl_table_2": TableEntry(make=xlmr_xl_table_2.TABLE.make, study="xlmr_xl"),
    "xlmr_xl_table_3": TableEntry(make=xlmr_xl_table_3.TABLE.make, study="xlmr_xl"),
    "xlmr_xl_table_4": TableEntry(make=xlmr_xl_table_4.TABLE.make, study="xlmr_xl"),
    "xlmr_xl_table_5": TableEntry(make=xlmr_xl_table_5.make, study="xlmr_xl"),
}


def find(name: str) -> TableEntry:
    """The table of that name. Raises FigureError with the nearest name."""
    if name in TABLES:
        return TABLES[name]
    nearest = get_close_matches(name, TABLES, n=1, cutoff=0.3)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    raise FigureError(f"unknown table '{name}'.{hint} Known: {', '.join(TABLES)}")


def make_table(study: StudyOutput, name: str) -> Table:
    """A table as data, for a report or a notebook.

    A study without results gives the printed rows, and `gaps` says what fills the others. Raises
    FigureError for an unknown name and for files of the store that cannot be read.
    """
    verdicts = read_verdicts(study.folder)
    claims = tuple(
        f"{claim.verdict}: {claim.says}" + (f" ({claim.told_effect})" if claim.told_effect else "")
        for claim in (verdicts.of_figure(name) if verdicts else ())
    )
    return replace(find(name).make(study), claims=claims)


def write_tables(
    study: StudyOutput,
    names: Iterable[str],
    folder: Path,
    say: Callable[[str], None] | None = None,
) -> list[Path]:
    """Writes each table into `folder`/<name>.{md,csv,tex,json}; the same input, the same bytes.

    folder: by custom `study.folder / "tables"`. say: called with a line for each thing that a table
    lacks, with the command that fills it. Raises FigureError as `make_table` does, and for a folder
    that cannot be written.
    """
    paths: list[Path] = []
    for name in names:
        table = make_table(study, name)
        paths += _write(study, table, folder)
        if say is not None:
            for gap in table.gaps:
                say(f"{name}: {gap.what}. Fill with: {gap.command}")
    return paths


def _write(study: StudyOutput, table: Table, folder: Path) -> list[Path]:
    paths = []
    try:
        study.prepare(folder)
        for suffix, form in FORMS.items():
            path = folder / f"{table.name}.{suffix}"
            path.write_text(form(table), encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise FigureError(
            f"{folder}: the table cannot be written ({error.strerror or error}): name another "
            "folder with --output"
        ) from None
    return paths
