"""The task stage: files described once all of them have been read, or a fault and nothing."""

import json
from pathlib import Path

import pytest

from model.config import SyntheticConfig
from model.context import Context
from model.errors import InputError
from model.stages import TaskDataStage
from model.tasks import data
from model.tasks.catalogue import TASKS, find
from model.tasks.examples import read_each
from tests.model.tasks.formats.files import TABLES, XNLI, table, written

TRAIN = "XNLI-MT-1.0/multinli/multinli.train.en.tsv"


def stage(parts: dict[str, dict[str, str]], source: str = "files") -> TaskDataStage:
    return TaskDataStage(
        task="xnli", source=source, synthetic=None, languages=["en", "sw"], files=[], parts=parts
    )


@pytest.fixture
def located(tmp_path: Path) -> Path:
    """Three files of XNLI below a location."""
    root = tmp_path / "located"
    written(root, TRAIN, TABLES["xnli train"][2])
    for split in ("dev", "test"):
        written(root, f"XNLI-1.0/xnli.{split}.tsv", XNLI)
    return root


def run(config: TaskDataStage, output: Path, root: Path) -> dict:
    work = output / "work"
    work.mkdir(parents=True)
    context = Context(
        work=work, locations={"files": str(root)}, progress_file=work / "progress.jsonl"
    )
    data.run(config, {}, output, context)
    return json.loads((output / "task.json").read_text(encoding="utf-8"))


def test_files_are_described_with_what_they_hold(located: Path, tmp_path: Path) -> None:
    parts = find("xnli", located, ["en", "sw"])
    facts = run(stage(parts), tmp_path / "out", located)
    assert facts["parts"] == parts
    assert facts["counts"] == {
        "train": {"en": {"examples": 2}},
        "validation": {"en": {"examples": 2}, "sw": {"examples": 1}},
        "test": {"en": {"examples": 2}, "sw": {"examples": 1}},
    }
    assert (tmp_path / "out" / "work" / "progress.jsonl").read_text(encoding="utf-8").count(
        "\n"
    ) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("XNLI-1.0/xnli.test.tsv", XNLI.replace("contradiction", "-"), "line 4: expected a label"),
        ("XNLI-1.0/xnli.dev.tsv", XNLI + "en\n", "line 5: expected 19 tab-separated columns"),
        (TRAIN, table("premise label", "a neutral"), "line 1: expected a header"),
    ],
)
def test_a_fault_in_any_file_ends_the_stage_before_training(
    name: str, content: str, message: str, located: Path, tmp_path: Path
) -> None:
    parts = find("xnli", located, ["en", "sw"])
    path = written(located, name, content)
    with pytest.raises(InputError) as error:
        run(stage(parts), tmp_path / "out", located)
    assert str(path) in str(error.value) and message in str(error.value)
    assert not (tmp_path / "out" / "task.json").exists()


def test_a_source_without_a_location_is_told(located: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"locations.other: expected the folder .* among files"):
        run(stage({}, "other"), tmp_path / "out", located)


def test_the_generated_task_is_read_as_the_published_one(tmp_path: Path) -> None:
    config = TaskDataStage(
        task="xnli",
        source="synthetic",
        synthetic=SyntheticConfig(size=60_000, smallest=20_000),
        languages=["en", "sw"],
        files=None,
        train_languages=["en"],
    )
    facts = run(config, tmp_path / "out", tmp_path)
    counts = facts["counts"]
    assert counts["train"] == {"en": {"examples": 40_000}}
    assert counts["validation"]["sw"] == {"examples": 2_490}
    assert counts["test"] == {"en": {"examples": 5_010}, "sw": {"examples": 5_010}}
    assert find("xnli", tmp_path / "out", ["en", "sw"]) == facts["parts"]
    files = {code: tmp_path / "out" / name for code, name in facts["parts"]["test"].items()}
    for examples in read_each("xnli", files, most=600).values():
        assert {example.label for example in examples} == set(TASKS["xnli"].labels or ())
