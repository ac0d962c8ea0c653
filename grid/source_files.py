"""The files of a study's sources, found and checked while it is planned."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grid.errors import StudyError
from grid.store import Store
from model.errors import InputError
from model.stages import SourceFile
from model.task_config import TaskConfig

_TOLD = 3
"""Faulty languages whose messages are shown; the others are named."""


@dataclass(frozen=True, kw_only=True)
class TaskFiles:
    """The files of a labelled task that there are, by part and language."""

    task: str
    source: str
    folder: Path
    parts: Mapping[str, Mapping[str, str]]
    """Names below the folder."""
    of: "Sources"

    def described(self, names: Iterable[str]) -> list[SourceFile]:
        """These of its files, with their checksums."""
        return self.of.described(self.folder, [self.folder / name for name in names])

    def lacking(self, regime: str, part: str, languages: Sequence[str]) -> StudyError:
        """For a regime that needs files of a part that are not there."""
        from model.tasks.catalogue import missing

        told = missing(self.task, self.folder, part, list(languages))
        return StudyError(
            f"tasks.{self.task}.regimes: {regime} needs them: {told}; or correct "
            f"tasks.{self.task}.regimes or locations.{self.source}"
        )


class Sources:
    """The files of the sources of a study, found and checked once."""

    def __init__(self, locations: Mapping[str, str], store: Store) -> None:
        self._locations = locations
        self._store = store
        self._known: dict[tuple[str, str], list[SourceFile]] = {}

    def folder(self, source: str) -> Path:
        """Where a source lies. Raises StudyError if no location is set."""
        if source not in self._locations:
            known = ", ".join(sorted(self._locations)) or "none"
            raise StudyError(
                f"locations.{source}: expected the folder of source {source!r}, found no such "
                f"location (set: {known}). Give it: locations.{source}=FOLDER"
            )
        return Path(self._locations[source]).expanduser().absolute()

    def files(self, source: str, language: str) -> list[SourceFile]:
        """The files of one language, with their checksums."""
        from model.text.sources import find_files

        if (source, language) not in self._known:
            folder = self.folder(source)
            found = find_files(source, folder, language)
            self._known[source, language] = self.described(folder, found)
        return self._known[source, language]

    def all_files(self, source: str, languages: Iterable[str]) -> None:
        """Checks the files of many languages at once, with one use of the cache."""
        from model.text.sources import find_files

        folder = self.folder(source)
        wanted = [code for code in languages if (source, code) not in self._known]
        found = _each(lambda code: find_files(source, folder, code), wanted)
        described = self.described(folder, [path for paths in found.values() for path in paths])
        by_name = {file.name: file for file in described}
        for code, paths in found.items():
            names = [path.relative_to(folder).as_posix() for path in paths]
            self._known[source, code] = [by_name[name] for name in names]

    def task_files(self, task: str, config: TaskConfig, languages: Iterable[str]) -> TaskFiles:
        """The files of a task in these languages. Raises StudyError if there are none."""
        from model.tasks.catalogue import find

        folder = self.folder(config.source)
        try:
            parts = find(task, folder, {*languages, config.train_language})
        except InputError as error:
            raise StudyError(
                f"tasks.{task}.source: {error}; or correct locations.{config.source}"
            ) from None
        return TaskFiles(task=task, source=config.source, folder=folder, parts=parts, of=self)

    def described(self, folder: Path, paths: Sequence[Path]) -> list[SourceFile]:
        """Files below a folder, with their checksums."""
        checked = self._store.checksums(paths)
        return [
            SourceFile(
                name=path.relative_to(folder).as_posix(),
                bytes=checked[path][0],
                sha256=checked[path][1],
            )
            for path in paths
        ]


def _each(find: Callable[[str], list[Path]], languages: Sequence[str]) -> dict[str, list[Path]]:
    """The files of each language. All that are missing are told at once, not one in each run."""
    found, faults = {}, {}
    for code in languages:
        try:
            found[code] = find(code)
        except InputError as error:
            faults[code] = str(error)
    if not faults:
        return found
    messages = list(dict.fromkeys(faults.values()))
    if len(messages) > _TOLD:
        others = [code for code, message in faults.items() if message not in messages[:_TOLD]]
        messages[_TOLD:] = [f"and so on for {len(others)} more: {', '.join(others)}"]
    raise StudyError("\n  ".join(messages))
