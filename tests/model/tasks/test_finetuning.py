"""Fine-tuning: a task that can be learnt, exact repetition, stopping, and its files."""

import hashlib
import json
import shutil
from pathlib import Path

import polars
import pytest

from model.context import Context
from model.errors import DivergenceError, InputError, Stopped
from model.tasks.catalogue import TASKS
from model.tasks.predictions import score_again
from tests.model.tasks.finetunings import easy_task, pretrained_model, run
from tests.model.training.runs import StopsAfter


@pytest.fixture(scope="module")
def pretrained(world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained_model(tmp_path_factory.mktemp("pretrained"), world.tokenizer)


def test_it_learns_an_easy_task_and_repeats_itself(world, pretrained: Path, tmp_path: Path) -> None:
    task = easy_task(tmp_path)
    first = run(tmp_path / "1", world, pretrained, task, ["en", "fr"])
    rows = json.loads((first / "scores.json").read_text())
    assert {row["split"] for row in rows} == {"validation", "test"}
    scores = {row["metric"]: row for row in rows if row["split"] == "test"}
    assert scores["accuracy"]["value"] > 0.9
    assert scores["majority_accuracy"]["value"] == pytest.approx(1 / 3)
    assert scores["accuracy"]["n"] == 30 and scores["accuracy"]["seen"]
    frame = polars.read_parquet(first / "predictions.parquet")
    assert frame.columns == ["split", "language", "index", "id", "gold", "predicted"]
    test = frame.filter(polars.col("split") == "test")
    assert test["index"].to_list() == list(range(30))
    assert score_again(TASKS["xnli"], "en", test) == {"accuracy": scores["accuracy"]["value"]}
    second = run(tmp_path / "2", world, pretrained, task, ["en", "fr"])
    for name in ("scores.json", "predictions.parquet"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_it_stops_when_asked_and_goes_on_from_there(
    world, pretrained: Path, tmp_path: Path
) -> None:
    task = easy_task(tmp_path)
    whole = run(tmp_path / "whole", world, pretrained, task, ["en"], epochs=3)
    folder = tmp_path / "stopped"
    stops = StopsAfter(work=folder / "work", checkpoint_seconds=0.0, reported=6)
    with pytest.raises(Stopped, match=r"^stopped after update 7 of 18$"):
        run(folder, world, pretrained, task, ["en"], context=stops, epochs=3)
    assert sorted(path.name for path in (folder / "work" / "checkpoints").iterdir()) == [
        "00000006",
        "00000007",
    ]
    progress = tmp_path / "progress.jsonl"
    goes_on = Context(work=folder / "work", checkpoint_seconds=0.0, progress_file=progress)
    output = run(folder, world, pretrained, task, ["en"], context=goes_on, epochs=3)
    assert json.loads(progress.read_text().splitlines()[0])["step"] == 8
    for name in ("scores.json", "predictions.parquet"):
        assert (output / name).read_bytes() == (whole / name).read_bytes()


def test_a_resumed_run_watches_on_as_if_it_had_not_stopped(
    world, pretrained: Path, tmp_path: Path
) -> None:
    task = easy_task(tmp_path)
    stops = StopsAfter(work=tmp_path / "work", checkpoint_seconds=0.0, reported=6, spike=3.0)
    with pytest.raises(Stopped):
        run(tmp_path, world, pretrained, task, ["en"], context=stops, epochs=3)
    saved = tmp_path / "work" / "checkpoints" / "00000007"
    watch = json.loads((saved / "state.json").read_text())["watch"]
    assert len(watch["recent"]) == 7 and watch["lowest_step"] > 0
    # The losses so far as if they had been far lower: a watch that began anew would not know.
    changed = json.loads((saved / "state.json").read_text())
    changed["watch"] |= {"lowest": -10.0, "recent": [-10.0] * 50}
    (saved / "state.json").write_text(json.dumps(changed, sort_keys=True))
    checksums = json.loads((saved / "checksums.json").read_text())
    digest = hashlib.sha256((saved / "state.json").read_bytes()).hexdigest()
    (saved / "checksums.json").write_text(json.dumps(checksums | {"state.json": digest}))
    goes_on = Context(work=tmp_path / "work", checkpoint_seconds=1e9, spike=0.1)
    with pytest.raises(DivergenceError, match=r"after -9\.\d+ at update 8"):
        run(tmp_path, world, pretrained, task, ["en"], context=goes_on, epochs=3)


def test_a_learning_rate_that_destroys_it_is_found_out(
    world, pretrained: Path, tmp_path: Path
) -> None:
    watched = Context(work=tmp_path / "work", spike=3.0)
    with pytest.raises(DivergenceError, match=r"^fine-tuning has diverged: .*tasks\.\*\.learning_"):
        run(
            tmp_path,
            world,
            pretrained,
            easy_task(tmp_path),
            ["en"],
            context=watched,
            learning_rate=100.0,
        )


def test_it_runs_on_the_synthetic_task(world, pretrained: Path, tmp_path: Path) -> None:
    output = run(
        tmp_path,
        world,
        pretrained,
        world.task,
        ["en", "sw"],
        train_examples=60,
        validation_examples=20,
        test_examples=30,
        epochs=1,
        precision="bf16",
    )
    scores = json.loads((output / "scores.json").read_text())
    assert [(row["language"], row["metric"], row["seen"]) for row in scores] == [
        ("en", "accuracy", True),
        ("sw", "accuracy", False),
        ("en", "accuracy", True),
        ("en", "majority_accuracy", True),
        ("sw", "accuracy", False),
        ("sw", "majority_accuracy", False),
    ]
    assert all(0 <= row["value"] <= 1 for row in scores)
    assert [row["n"] for row in scores] == [20, 20, 30, 30, 30, 30]


def test_files_are_looked_for_at_the_location(world, pretrained: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    easy_task(artifact, source="nli", synthetic=False)
    with pytest.raises(InputError, match=r"locations\.nli: expected the folder"):
        run(tmp_path / "1", world, pretrained, artifact, ["en"])
    shutil.rmtree(tmp_path / "1")
    with pytest.raises(InputError, match="expected a test file of task xnli in zh, found none"):
        run(tmp_path / "1", world, pretrained, easy_task(tmp_path), ["zh"])
