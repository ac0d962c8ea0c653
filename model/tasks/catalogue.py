"""The downstream tasks: what each is scored by, and where its published files lie.

A task is found by its files. A layout is a path as the published archive unpacks it, below the
source's location; in its braces stands a language, spelled as `codes` says, and `*` stands for any
characters of one name. Each layout is looked for at the location itself and in the folders that
the task names, so that one location can hold all tasks. Where layouts belong to different
collections (CoNLL and UNER), the first collection that is there is used for all languages: scores
on different data are not compared in one table. docs/tasks.md shows each task's folder.

Parts. train: made by people, in the file's own language. validation, test. translated_train: the
English training data, machine-translated into a language. translated_test: a language's test data,
machine-translated into English, under that language's code. aligned: the other side of `test`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import InputError
from model.tasks.layouts import Layout, first, fits, names

FORMS = ("classification", "tagging", "span", "retrieval")
PARTS = ("train", "validation", "test", "translated_train", "translated_test", "aligned")

XNLI_LANGUAGES = tuple("ar bg de el en es fr hi ru sw th tr ur vi zh".split())
"""Conneau et al. 2018, Table 1; one file holds all of them."""
MLQA_LANGUAGES = tuple("ar de en es hi vi zh".split())
NLI = ("entailment", "neutral", "contradiction")
ENTITIES = tuple("O B-PER I-PER B-ORG I-ORG B-LOC I-LOC B-MISC I-MISC".split())
"""CoNLL's four types. UNER has no MISC."""
UPOS = tuple(
    "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
)
"""universaldependencies.org/u/pos"""
TOPICS = tuple("science/technology travel politics sports health entertainment geography".split())
"""SIB-200's labels.txt"""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A downstream task as it is declared."""

    name: str
    form: str
    """classification, tagging, span or retrieval: its head, its batches and its predictions."""
    labels: tuple[str, ...] | None = None
    """Of classification and tagging, in the order of the head's outputs."""
    metrics: tuple[str, ...]
    """Of model.tasks.metrics."""
    main_metric: str
    """What validation chooses by and a table shows."""
    files: dict[str, tuple[Layout, ...]]
    """For each part, its layouts in the order in which they are looked for."""
    folders: tuple[str, ...] = ("",)
    """Where below the location the layouts are looked for."""


def _xnli(path: str) -> Layout:
    return Layout(path=path, format="xnli", languages=XNLI_LANGUAGES)


def _english(path: str, form: str) -> Layout:
    return Layout(path=path, format=form, languages=("en",))


def _each(path: str, form: str) -> Layout:
    return Layout(path=path, format=form)


def _treebank(part: str, ending: str, form: str, collection: str) -> tuple[Layout, ...]:
    """Universal Dependencies' names: UD_English-EWT/en_ewt-ud-train.conllu."""
    name = f"{{language}}_*-ud-{part}.{ending}"
    return tuple(
        Layout(path=path, format=form, collection=collection)
        for path in (f"{collection}_*/{name}", name)
    )


def _entities(conll: str, uner: str) -> tuple[Layout, ...]:
    return (
        Layout(path="{conll}." + conll, format="conll", collection="CoNLL"),
        *_treebank(uner, "iob2", "uner", "UNER"),
    )


def _pair(collection: str, path: str, aligned: str, form: str = "lines") -> Layout:
    return Layout(path=path, format=form, aligned=aligned, collection=collection)


def _glue(name: str, folder: str, **changes: tuple[Layout, ...]) -> dict[str, tuple[Layout, ...]]:
    """GLUE publishes no labels of its test sets: the development set is scored, as papers do."""
    files = {
        "train": (_english(f"{folder}/train.tsv", name),),
        "validation": (_english(f"{folder}/dev.tsv", name),),
        "test": (_english(f"{folder}/dev.tsv", name),),
    }
    return files | changes


_SQUAD = {
    "train": (_english("train-v1.1.json", "squad"), _english("squad/train-v1.1.json", "squad")),
    "validation": (_english("dev-v1.1.json", "squad"), _english("squad/dev-v1.1.json", "squad")),
}
_MATCHED = (_english("MNLI/dev_matched.tsv", "mnli"),)
_MISMATCHED = (_english("MNLI/dev_mismatched.tsv", "mnli"),)

_ALL = (
    Task(
        name="xnli",
        form="classification",
        labels=NLI,
        metrics=("accuracy",),
        main_metric="accuracy",
        files={
            "train": (_english("XNLI-MT-1.0/multinli/multinli.train.en.tsv", "xnli_train"),),
            "validation": (_xnli("XNLI-1.0/xnli.dev.tsv"),),
            "test": (_xnli("XNLI-1.0/xnli.test.tsv"),),
            "translated_train": (
                _each("XNLI-MT-1.0/multinli/multinli.train.{language}.tsv", "xnli_train"),
            ),
            "translated_test": (
                Layout(
                    path="XNLI-MT-1.0/xnli/xnli.test.en.tsv",
                    format="xnli",
                    languages=tuple(code for code in XNLI_LANGUAGES if code != "en"),
                ),
            ),
        },
        folders=("", "xnli"),
    ),
    Task(
        name="pawsx",
        form="classification",
        labels=("0", "1"),
        metrics=("accuracy",),
        main_metric="accuracy",
        files={
            "train": (_english("en/train.tsv", "pawsx"),),
            "validation": (_each("{language}/dev_2k.tsv", "pawsx"),),
            "test": (_each("{language}/test_2k.tsv", "pawsx"),),
            "translated_train": (_each("{language}/translated_train.tsv", "pawsx"),),
        },
        folders=("x-final", "pawsx/x-final", ""),
    ),
    Task(
        name="xquad",
        form="span",
        metrics=("f1", "exact_match"),
        main_metric="f1",
        files={
            **_SQUAD,
            "test": (_each("xquad.{language}.json", "squad"),),
            "translated_train": (_each("squad.translate.train.en-{language}.json", "squad"),),
        },
        folders=("", "xquad"),
    ),
    Task(
        name="mlqa",
        form="span",
        metrics=("f1", "exact_match"),
        main_metric="f1",
        files={
            "train": _SQUAD["train"],
            "validation": (
                _each("MLQA_V1/dev/dev-context-{language}-question-{language}.json", "squad"),
            ),
            "test": (
                _each("MLQA_V1/test/test-context-{language}-question-{language}.json", "squad"),
            ),
            "translated_train": (
                _each(
                    "mlqa-translate-train/{language}_squad-translate-train-train-v1.1.json",
                    "squad",
                ),
            ),
            "translated_test": (
                _each(
                    "mlqa-translate-test/"
                    "translate-test-context-{language}-question-{language}.json",
                    "squad",
                ),
            ),
        },
        folders=("", "mlqa"),
    ),
    Task(
        name="ner",
        form="tagging",
        labels=ENTITIES,
        metrics=("f1", "precision", "recall"),
        main_metric="f1",
        files={
            "train": _entities("train", "train"),
            "validation": _entities("testa", "dev"),
            "test": _entities("testb", "test"),
        },
        folders=("", "conll", "uner"),
    ),
    Task(
        name="pos",
        form="tagging",
        labels=UPOS,
        metrics=("accuracy", "macro_f1"),
        main_metric="accuracy",
        files={
            "train": _treebank("train", "conllu", "conllu", "UD"),
            "validation": _treebank("dev", "conllu", "conllu", "UD"),
            "test": _treebank("test", "conllu", "conllu", "UD"),
        },
        folders=("", "ud"),
    ),
    Task(
        name="topic",
        form="classification",
        labels=TOPICS,
        metrics=("accuracy", "macro_f1"),
        main_metric="accuracy",
        files={
            "train": (_each("{flores}/train.tsv", "sib200"),),
            "validation": (_each("{flores}/dev.tsv", "sib200"),),
            "test": (_each("{flores}/test.tsv", "sib200"),),
        },
        folders=("data/annotated", "sib200/data/annotated", ""),
    ),
    Task(
        name="mnli",
        form="classification",
        labels=NLI,
        metrics=("accuracy",),
        main_metric="accuracy",
        files=_glue("mnli", "MNLI", validation=_MATCHED, test=_MATCHED),
        folders=("", "glue", "glue_data"),
    ),
    Task(
        name="mnli_mismatched",
        form="classification",
        labels=NLI,
        metrics=("accuracy",),
        main_metric="accuracy",
        files=_glue("mnli", "MNLI", validation=_MISMATCHED, test=_MISMATCHED),
        folders=("", "glue", "glue_data"),
    ),
    Task(
        name="qnli",
        form="classification",
        labels=("entailment", "not_entailment"),
        metrics=("accuracy",),
        main_metric="accuracy",
        files=_glue("qnli", "QNLI"),
        folders=("", "glue", "glue_data"),
    ),
    Task(
        name="qqp",
        form="classification",
        labels=("0", "1"),
        metrics=("accuracy", "f1", "matthews"),
        main_metric="accuracy",
        files=_glue("qqp", "QQP"),
        folders=("", "glue", "glue_data"),
    ),
    Task(
        name="sst2",
        form="classification",
        labels=("0", "1"),
        metrics=("accuracy",),
        main_metric="accuracy",
        files=_glue("sst2", "SST-2"),
        folders=("", "glue", "glue_data"),
    ),
    Task(
        name="mrpc",
        form="classification",
        labels=("0", "1"),
        metrics=("accuracy", "f1", "matthews"),
        main_metric="accuracy",
        files=_glue("mrpc", "MRPC"),
        folders=("", "glue", "glue_data"),
    ),
    Task(
        name="retrieval",
        form="retrieval",
        metrics=("accuracy",),
        main_metric="accuracy",
        files={
            "test": (
                _pair("Tatoeba", "tatoeba.{tatoeba}-eng.{tatoeba}", "tatoeba.{tatoeba}-eng.eng"),
                _pair("pairs", "{language}-en.{language}", "{language}-en.en"),
                _pair("FLORES-200", "{flores}.devtest", "eng_Latn.devtest"),
                _pair("SIB-200", "{flores}/test.tsv", "eng_Latn/test.tsv", "sib200_pairs"),
            )
        },
        folders=(
            "",
            "v1",
            "tatoeba",
            "tatoeba/v1",
            "devtest",
            "flores200_dataset/devtest",
            "data/annotated",
            "sib200/data/annotated",
        ),
    ),
)
TASKS: dict[str, Task] = {task.name: task for task in _ALL}
Found = dict[str, dict[str, str]]
"""For each part, the relative path of each language's file."""


def find(task: str, root: Path, languages: Iterable[str]) -> Found:
    """The task's files below a folder.

    A part, and a language of a part, for which there is no file is left out: what is indispensable
    is for the caller to say (with `missing`). Of several layouts the first that is there counts.

    Raises InputError if there is no test file at all, or if two files could be meant.
    """
    declared = TASKS[task]
    codes = sorted(set(languages))
    if not root.is_dir():
        raise InputError(
            f"{root}: expected the folder that holds the files of task {task}, found "
            f"{'a file' if root.exists() else 'nothing'}"
        )
    layouts = [layout for part in declared.files.values() for layout in part]
    for collection in dict.fromkeys(layout.collection for layout in layouts):
        found = _found(declared, collection, root, codes)
        if found.get("test"):
            return found
    raise InputError(missing(task, root, "test", codes))


def _found(task: Task, collection: str, root: Path, codes: list[str]) -> Found:
    found: Found = {}
    for part, layouts in task.files.items():
        own = [layout for layout in layouts if layout.collection == collection]
        for code in codes:
            pair = first(own, task.folders, root, code)
            if pair is None or pair[0] == found.get("train", {}).get(code):
                continue  # what was never translated is no translation
            found.setdefault(part, {})[code] = pair[0]
            if pair[1] is not None:
                found.setdefault("aligned", {})[code] = pair[1]
    return found


def missing(task: str, root: Path, part: str, languages: Sequence[str]) -> str:
    """What to say where no file of a part was found: what was looked for, and what is there."""
    declared = TASKS[task]
    looked = [
        [path for layout in declared.files.get(part, ()) for path, _ in names(layout, language)]
        for language in languages
    ]
    folders = ", ".join(folder + "/" for folder in declared.folders if folder)
    inside = f" (or the same in {folders})" if folders else ""
    there = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
    shown = ", ".join(there[:8]) + (", …" if len(there) > 8 else "")
    told = [paths for paths in looked if paths][:2]
    what = ", ".join(dict.fromkeys(path for paths in told for path in paths))
    return (
        f"{root}: found no {part} file of task {task} for {', '.join(languages)}. Looked for "
        f"{what or 'nothing, for none is published'}{inside}; there is {shown or 'nothing'}. "
        "Unpack the task's files as docs/tasks.md shows, or leave the language out"
    )


def layout_of(task: str, path: Path) -> Layout:
    """The layout that a file's path ends like, for its format."""
    layouts = [layout for part in TASKS[task].files.values() for layout in part]
    for layout in layouts:
        if fits(layout, path):
            return layout
    known = ", ".join(dict.fromkeys(layout.path for layout in layouts))
    raise InputError(
        f"{path}: expected a name such as the files of task {task} have, one of {known}"
    )
