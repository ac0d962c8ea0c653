"""Which models a task's regimes ask for: trained on what, tested on what.

Regimes are those of Conneau et al. 2020, Table 1. A file is looked up by part and language in what
was found of the task; a stage is then given the files of its own model only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from grid.errors import StudyError
from grid.source_files import TaskFiles
from model.task_config import A_LANGUAGE, TaskConfig
from model.tasks.catalogue import TASKS

ONE_SOURCE = ("zero-shot", "translate-test")
"""Regimes that are trained in `train_language` alone."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model of one regime: its languages, and the file of each part and language."""

    regime: str
    train: tuple[str, ...]
    tested: tuple[str, ...]
    parts: dict[str, dict[str, str]] | None
    """None where the task is generated."""

    @property
    def alone(self) -> bool:
        """Whether its regime has a model for each language."""
        return self.regime in A_LANGUAGE

    @property
    def files(self) -> list[str]:
        """All its files, each once."""
        return sorted({name for part in (self.parts or {}).values() for name in part.values()})


def models(
    name: str, task: TaskConfig, wanted: Sequence[str], found: TaskFiles | None
) -> list[Model]:
    """The models of all regimes of a task.

    wanted: the languages to test. found: the task's files, None if it is generated, in any
    language. Raises StudyError for files that a regime needs and that are not there.
    """
    if found is not None and TASKS[name].form == "retrieval":
        return [_pairs(task, wanted, found)]
    if found is not None and task.train_articles is not None:
        tests = found.parts["test"]
        found = replace(found, parts={**found.parts, "train": tests, "validation": tests})
    return [
        model for regime in task.regimes for model in _regime(name, task, regime, wanted, found)
    ]


def _regime(
    name: str, task: TaskConfig, regime: str, wanted: Sequence[str], found: TaskFiles | None
) -> list[Model]:
    if found is None:
        if regime == "translate-test":
            raise StudyError(
                f"tasks.{name}.regimes: expected no translate-test, for the generated task has no "
                "translated test sets, found it"
            )
        sources: Mapping[str, str] = dict.fromkeys([*wanted, task.train_language], "")
        tests = sources
    else:
        sources = _files(found, "train", regime.startswith("translate-train"), task.train_language)
        if regime in ONE_SOURCE:  # in a language of which there are but translations, on these
            sources = {**found.parts.get("translated_train", {}), **sources}
        tests = _files(found, "test", regime == "translate-test", task.train_language)
    tested = [code for code in sorted(wanted) if code in tests]
    candidates = [task.train_language] if regime in ONE_SOURCE else tested
    trained = [code for code in candidates if code in sources]
    if found is not None:
        absent = sorted(set(wanted) - set(tested)) if task.languages is not None else []
        if absent or not tested:
            raise found.lacking(regime, "test", absent or sorted(wanted))
        if not trained:
            raise found.lacking(regime, "train", candidates)
    alone = regime in A_LANGUAGE
    groups = [([code], [code]) for code in trained] if alone else [(trained, tested)]
    return [
        Model(
            regime=regime,
            train=tuple(train),
            tested=tuple(test),
            parts=None
            if found is None
            else {
                "train": {code: sources[code] for code in train},
                "validation": _validation(task, found, {*train, *test}),
                "test": {code: tests[code] for code in test},
            },
        )
        for train, test in groups
    ]


def _files(found: TaskFiles, part: str, translated: bool, own: str) -> Mapping[str, str]:
    """Files by language; of translations, the language of training has its own ones."""
    made = found.parts.get(part, {})
    if not translated:
        return made
    kept = {code: path for code, path in made.items() if code == own}
    return {**found.parts.get(f"translated_{part}", {}), **kept}


def _validation(task: TaskConfig, found: TaskFiles, languages: set[str]) -> dict[str, str]:
    """The files that validate: none where no example of them would be read."""
    by_article = task.train_articles is not None
    if task.validation_examples == 0 or (by_article and task.validation_articles == 0):
        return {}
    there = found.parts.get("validation", {})
    return {code: there[code] for code in sorted(languages) if code in there}


def _pairs(task: TaskConfig, wanted: Sequence[str], found: TaskFiles) -> Model:
    """For retrieval no model is trained: the pairs of each language with the pivot."""
    tests = found.parts["test"]
    tested = [code for code in sorted(wanted) if code in tests and code != task.train_language]
    absent = sorted({*wanted} - {*tested, task.train_language}) if task.languages else []
    if absent or not tested:
        raise found.lacking("retrieval", "test", absent or sorted(wanted))
    parts = {
        part: {code: path for code, path in files.items() if code in tested}
        for part, files in found.parts.items()
        if part in ("test", "aligned")
    }
    return Model(regime="zero-shot", train=(), tested=tuple(tested), parts=parts)
