"""Tasks are found by their files, wherever the archives were unpacked below a location."""

from pathlib import Path

import pytest

from model.errors import InputError
from model.tasks.catalogue import FORMS, PARTS, TASKS, find, layout_of, missing
from model.tasks.codes import TABLES as CODES
from model.tasks.formats import READERS
from model.tasks.metrics import METRICS


def laid(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


PUBLISHED = {
    "xnli": {
        "XNLI-MT-1.0/multinli/multinli.train.en.tsv": ("train", "en"),
        "XNLI-MT-1.0/multinli/multinli.train.sw.tsv": ("translated_train", "sw"),
        "XNLI-MT-1.0/xnli/xnli.test.en.tsv": ("translated_test", "sw"),
        "XNLI-1.0/xnli.dev.tsv": ("validation", "sw"),
        "XNLI-1.0/xnli.test.tsv": ("test", "sw"),
    },
    "pawsx": {
        "x-final/en/train.tsv": ("train", "en"),
        "x-final/de/translated_train.tsv": ("translated_train", "de"),
        "x-final/de/dev_2k.tsv": ("validation", "de"),
        "x-final/de/test_2k.tsv": ("test", "de"),
    },
    "xquad": {
        "train-v1.1.json": ("train", "en"),
        "dev-v1.1.json": ("validation", "en"),
        "squad.translate.train.en-el.json": ("translated_train", "el"),
        "xquad.el.json": ("test", "el"),
    },
    "mlqa": {
        "train-v1.1.json": ("train", "en"),
        "MLQA_V1/dev/dev-context-hi-question-hi.json": ("validation", "hi"),
        "MLQA_V1/test/test-context-hi-question-hi.json": ("test", "hi"),
        "mlqa-translate-train/hi_squad-translate-train-train-v1.1.json": ("translated_train", "hi"),
        "mlqa-translate-test/translate-test-context-hi-question-hi.json": ("translated_test", "hi"),
    },
    "ner": {
        "eng.train": ("train", "en"),
        "eng.testa": ("validation", "en"),
        "eng.testb": ("test", "en"),
        "esp.testb": ("test", "es"),
    },
    "pos": {
        "UD_English-EWT/en_ewt-ud-train.conllu": ("train", "en"),
        "UD_English-EWT/en_ewt-ud-dev.conllu": ("validation", "en"),
        "UD_Yoruba-YTB/yo_ytb-ud-test.conllu": ("test", "yo"),
    },
    "topic": {
        "data/annotated/eng_Latn/train.tsv": ("train", "en"),
        "data/annotated/eng_Latn/dev.tsv": ("validation", "en"),
        "data/annotated/zho_Hans/test.tsv": ("test", "zh"),
    },
    "mnli": {
        "MNLI/train.tsv": ("train", "en"),
        "MNLI/dev_matched.tsv": ("test", "en"),
    },
    "qnli": {"QNLI/train.tsv": ("train", "en"), "QNLI/dev.tsv": ("test", "en")},
    "retrieval": {
        "tatoeba.cmn-eng.cmn": ("test", "zh"),
        "tatoeba.cmn-eng.eng": ("aligned", "zh"),
    },
}
"""Of each archive a few files, and what they are."""


@pytest.mark.parametrize("task", PUBLISHED)
@pytest.mark.parametrize("deeper", [False, True])
def test_a_task_is_found_by_its_files(task: str, deeper: bool, tmp_path: Path) -> None:
    files = PUBLISHED[task]
    folder = next(f for f in TASKS[task].folders if f) if deeper else ""
    if task in ("pawsx", "topic"):  # their names say little: they are found in their own folders
        folder = {"pawsx": "pawsx", "topic": "sib200"}[task] if deeper else ""
    prefix = f"{folder}/" if folder else ""
    laid(tmp_path, *(prefix + name for name in files))
    found = find(task, tmp_path, [code for _, code in files.values()])
    for name, (part, code) in files.items():
        assert found[part][code] == prefix + name
        if part != "aligned":
            assert layout_of(task, tmp_path / prefix / name).format in READERS


def test_the_training_language_is_no_translation(tmp_path: Path) -> None:
    laid(tmp_path, *PUBLISHED["xnli"])
    found = find("xnli", tmp_path, ["en", "sw", "yo"])
    assert set(found["translated_train"]) == {"sw"} and set(found["train"]) == {"en"}
    assert set(found["test"]) == {"en", "sw"}


def test_collections_are_not_mixed(tmp_path: Path) -> None:
    """Scores on CoNLL and on UNER do not belong in one table."""
    laid(tmp_path, "eng.testb", "uner/UNER_Swedish-Talbanken/sv_talbanken-ud-test.iob2")
    assert find("ner", tmp_path, ["en", "sv"]) == {"test": {"en": "eng.testb"}}
    laid(tmp_path, "de-en.de", "de-en.en", "devtest/swh_Latn.devtest", "devtest/eng_Latn.devtest")
    found = find("retrieval", tmp_path, ["de", "en", "sw"])
    assert found == {"test": {"de": "de-en.de"}, "aligned": {"de": "de-en.en"}}


def test_two_treebanks_of_a_language_are_told(tmp_path: Path) -> None:
    laid(tmp_path, "UD_English-EWT/en_ewt-ud-test.conllu", "UD_English-GUM/en_gum-ud-test.conllu")
    with pytest.raises(InputError) as error:
        find("pos", tmp_path, ["en"])
    assert "en_ewt-ud-test.conllu and UD_English-GUM/en_gum-ud-test.conllu could" in str(
        error.value
    )
    assert "Keep one of them" in str(error.value)


def test_what_is_missing_is_told_with_what_was_looked_for(tmp_path: Path) -> None:
    laid(tmp_path, "MLQA_V1/dev/dev-context-de-question-de.json", "notes.txt")
    with pytest.raises(InputError) as error:
        find("mlqa", tmp_path, ["de", "sw"])
    message = str(error.value)
    assert message.startswith(f"{tmp_path}: found no test file of task mlqa for de, sw. Looked for")
    assert "MLQA_V1/test/test-context-de-question-de.json" in message
    assert "(or the same in mlqa/); there is MLQA_V1/, notes.txt." in message
    with pytest.raises(InputError, match=r"expected the folder that holds the files .* a file"):
        find("mlqa", tmp_path / "notes.txt", ["de"])
    with pytest.raises(InputError, match="found nothing"):
        find("mlqa", tmp_path / "nowhere", ["de"])
    told = missing("xquad", tmp_path, "train", ["en"])
    assert "found no train file of task xquad for en. Looked for train-v1.1.json, squad/" in told
    told = missing("mnli", tmp_path, "translated_train", ["de"])
    assert "Looked for nothing, for none is published" in told


def test_a_name_that_no_archive_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a name such as the files of task sst2 have"):
        layout_of("sst2", tmp_path / "sentiment.tsv")


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_declarations_are_whole(task) -> None:
    assert task.form in FORMS and task.main_metric in task.metrics
    assert set(task.files) <= set(PARTS) and task.files["test"]
    assert (task.labels is not None) == (task.form in ("classification", "tagging"))
    assert all(layout.format in READERS for part in task.files.values() for layout in part)
    if task.form == "classification":
        assert set(task.metrics) <= set(METRICS)


def test_spellings_are_one_to_one() -> None:
    for table in CODES.values():
        assert len(set(table.values())) == len(table)
