"""The published tables by the name that a study declares, and how they are made and written."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from plots.errors import FigureError
from plots.studies import StudyOutput
from plots.tables.table import Table

SUFFIXES = ("md", "csv", "tex")


@dataclass(kw_only=True, frozen=True)
class TableEntry:
    """How a table is made."""

    title: str
    make: Callable[[StudyOutput], Table]
    """From the study that declares it: printed rows always, measured ones where there are some."""


TABLES: dict[str, TableEntry] = {}


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
    return find(name).make(study)


def write_tables(
    study: StudyOutput,
    names: Iterable[str],
    folder: Path,
    say: Callable[[str], None] | None = None,
) -> list[Path]:
    """Writes each table into `folder`/<name>.{md,csv,tex}; the same input, the same bytes.

    folder: by custom `study.folder / "tables"`. say: called with a line for each thing that a table
    lacks, with the command that fills it. Raises FigureError as `make_table` does, and for a folder
    that cannot be written.
    """
    paths: list[Path] = []
    for name in names:
        table = make_table(study, name)
        paths += _write(table, folder)
        for gap in table.gaps if say is not None else ():
            say(f"{name}: {gap.what}. Fill with: {gap.command}")
    return paths


def _write(table: Table, folder: Path) -> list[Path]:
    forms: dict[str, Callable[[Table], str]] = {}
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, form in forms.items():
            path = folder / f"{table.name}.{suffix}"
            path.write_text(form(table), encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise FigureError(
            f"{folder}: the table cannot be written ({error.strerror or error}): name another "
            "folder with --output"
        ) from None
    return paths
