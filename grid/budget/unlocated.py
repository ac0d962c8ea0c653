"""Sources without a location, so that a study can be planned where its text is not.

A language of CC-100 or Wikipedia is then one file of its published size, known by no checksum: its
stages have keys that no store holds, but cells still share what they would share.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from grid.budget.text import PUBLISHED, published_bytes
from grid.source_files import Sources, TaskFiles
from model.stages import SourceFile
from model.task_config import TaskConfig
from model.tasks.catalogue import TASKS

TASK_SOURCES = (*TASKS, "tasks", "glue", "ud", "conll", "uner", "sib200", "tatoeba")
"""Names of locations that are known to hold tasks: a plan does without their files."""
_TASK_BYTES = 100_000_000
"""XNLI's archives unpacked, about: too little to matter."""


class PlannedSources(Sources):
    """The files of sources that lie here, and published sizes in place of those that do not."""

    def folder(self, source: str) -> Path:
        planned = source in PUBLISHED or source in TASK_SOURCES
        if planned and source not in self._locations:
            return Path(source)
        return super().folder(source)

    def files(self, source: str, language: str) -> list[SourceFile]:
        size = None if source in self._locations else published_bytes(source, language)
        if size is None:
            return super().files(source, language)
        return [SourceFile(name=f"{language} of {source}", bytes=size, sha256="")]

    def all_files(self, source: str, languages: Iterable[str]) -> None:
        if source in self._locations or source not in PUBLISHED:
            super().all_files(source, languages)

    def task_files(self, task: str, config: TaskConfig, languages: Iterable[str]) -> TaskFiles:
        if config.source in self._locations or config.source not in TASK_SOURCES:
            return super().task_files(task, config, languages)
        every = sorted({*languages, config.train_language})
        parts = {
            part: {code: f"{part} of {task} in {code}" for code in every}
            for part in ("train", "translated_train", "validation", "test", "translated_test")
        }
        folder = Path(config.source)
        return TaskFiles(task=task, source=config.source, folder=folder, parts=parts, of=self)

    def described(self, folder: Path, paths: Sequence[Path]) -> list[SourceFile]:
        if folder.is_absolute():
            return super().described(folder, paths)
        return [SourceFile(name=path.name, bytes=_TASK_BYTES, sha256="") for path in paths]
