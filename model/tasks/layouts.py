"""How published files are named, and which of them lie below a folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import InputError
from model.tasks.codes import spellings

_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way in which a task's files are named."""

    path: str
    """Relative, with {language}, {flores}, {tatoeba} or {conll} where a language stands."""
    format: str
    """The reader, a name in model.tasks.formats."""
    languages: tuple[str, ...] | None = None
    """What a file without a language in its name holds."""
    aligned: str | None = None
    """For pairs of files: the path of the other one."""
    collection: str = ""
    """Whose data it is, where a task can be tested on several: `find` uses one of them only."""


def first(
    layouts: Sequence[Layout], folders: Sequence[str], root: Path, language: str
) -> tuple[str, str | None] | None:
    """The first file of a language that is there, with the one that it is aligned with.

    Raises InputError if two files could be meant.
    """
    for layout in layouts:
        for folder in folders:
            for path, aligned in names(layout, language):
                hits = _hits(root / folder, path)
                if len(hits) > 1:
                    raise InputError(
                        f"{root / folder}: {' and '.join(hits)} could all be meant for {language}. "
                        "Keep one of them there, or make a folder with links to the files that "
                        "are meant"
                    )
                whole = aligned is None or (aligned != path and (root / folder / aligned).is_file())
                if hits and whole:
                    other = None if aligned is None else _join(folder, aligned)
                    return _join(folder, hits[0]), other
    return None


def names(layout: Layout, language: str) -> list[tuple[str, str | None]]:
    """The paths that the layout gives a language's files, for each spelling of its code."""
    if layout.languages is not None and language not in layout.languages:
        return []
    field = _FIELD.search(layout.path)
    if field is None:
        return [(layout.path, layout.aligned)]
    return [
        (
            _FIELD.sub(spelled, layout.path),
            None if layout.aligned is None else _FIELD.sub(spelled, layout.aligned),
        )
        for spelled in spellings(field[1], language)
    ]


def _hits(folder: Path, path: str) -> list[str]:
    if "*" not in path:
        return [path] if (folder / path).is_file() else []
    return sorted(hit.relative_to(folder).as_posix() for hit in folder.glob(path) if hit.is_file())


def _join(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


def fits(layout: Layout, path: Path) -> bool:
    """Whether the path ends as the layout's do."""
    return path.match(_FIELD.sub("*", layout.path))
