"""The fine-tuning stage's validation: best weights, early stopping, learning rates, resuming."""

import json
from pathlib import Path

import polars
import pytest

from model.context import Context
from model.errors import DivergenceError, InputError, Stopped
from tests.model.tasks.finetunings import KilledAt, KilledError, easy_task, pretrained_model, run
from tests.model.training.runs import StopsAfter

FILES = ("scores.json", "predictions.parquet", "training.json", "model/model.safetensors")


@pytest.fixture(scope="module")
def pretrained(world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained_model(tmp_path_factory.mktemp("pretrained"), world.tokenizer)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return easy_task(tmp_path_factory.mktemp("task"))


def validation(output: Path) -> float:
    rows = json.loads((output / "scores.json").read_text())
    (value,) = [row["value"] for row in rows if row["split"] == "validation"]
    return value


def told(output: Path) -> dict:
    return json.loads((output / "training.json").read_text())


def test_the_best_validation_is_tested(world, pretrained: Path, task: Path, tmp_path: Path) -> None:
    given = {"epochs": 6, "learning_rate": 2e-2, "validate_times": 2}
    output = run(tmp_path, world, pretrained, task, ["en"], selection="best", **given)
    (tried,) = told(output)["tried"]
    means = {each["update"]: each["mean"] for each in tried["history"]}
    assert sorted(means) == [3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36]
    best = min(update for update, mean in means.items() if mean == max(means.values()))
    assert best < 36 and told(output)["tested_update"] == best == tried["update"]
    assert told(output)["updates"] == 36
    assert validation(output) == tried["mean"] == means[best]
    last = run(tmp_path / "last", world, pretrained, task, ["en"], selection="last", **given)
    assert told(last)["tested_update"] == 36 and told(last)["tried"][0]["history"] == []
    assert validation(last) == means[36]


def test_it_stops_early(world, pretrained: Path, task: Path, tmp_path: Path) -> None:
    given = {"epochs": 25, "learning_rate": 2e-2, "selection": "best"}
    output = run(tmp_path, world, pretrained, task, ["en"], patience=2, **given)
    (tried,) = told(output)["tried"]
    best = told(output)["tested_update"]
    assert [each["update"] for each in tried["history"]][-1] == best + 2 * 6
    assert told(output)["updates"] == best + 2 * 6 < 150


@pytest.mark.parametrize("at", [1, 4, 6, 7, 9, 13, 17])
def test_killed_at_any_update_it_gives_the_same_weights(
    at: int, world, pretrained: Path, task: Path, tmp_path: Path
) -> None:
    given = {"epochs": 3, "validate_times": 2, "selection": "best", "keep_weights": True}
    whole = run(tmp_path / "whole", world, pretrained, task, ["en"], **given)
    folder = tmp_path / "killed"
    killed = KilledAt(work=folder / "work", checkpoint_seconds=0.0, reported=at)
    with pytest.raises(KilledError):
        run(folder, world, pretrained, task, ["en"], context=killed, **given)
    output = run(folder, world, pretrained, task, ["en"], **given)
    for name in FILES:
        assert (output / name).read_bytes() == (whole / name).read_bytes(), name


def test_validation_chooses_the_learning_rate_also_when_it_is_stopped(
    world, pretrained: Path, task: Path, tmp_path: Path
) -> None:
    rates = [1e-6, 5e-3, 1e-5]
    given = {"epochs": 8, "learning_rates": rates, "keep_weights": True, "selection": "last"}
    output = run(tmp_path / "all", world, pretrained, task, ["en"], **given)
    tried = told(output)["tried"]
    assert [each["rate"] for each in tried] == rates
    means = [each["mean"] for each in tried]
    assert means[1] == max(means) > max(means[0], means[2])
    assert validation(output) == means[1]
    alone = run(
        tmp_path / "one", world, pretrained, task, ["en"], **given | {"learning_rates": [5e-3]}
    )
    for name in ("predictions.parquet", "model/model.safetensors"):
        assert (output / name).read_bytes() == (alone / name).read_bytes()

    folder = tmp_path / "stopped"
    progress = tmp_path / "progress.jsonl"
    stops = StopsAfter(
        work=folder / "work", checkpoint_seconds=0.0, reported=2 * 48 + 5, progress_file=progress
    )
    with pytest.raises(Stopped):
        run(folder, world, pretrained, task, ["en"], context=stops, **given)
    assert json.loads(progress.read_text().splitlines()[-1])["total"] == 3 * 48
    goes_on = Context(
        work=folder / "work", checkpoint_seconds=1e9, progress_file=tmp_path / "on.jsonl"
    )
    resumed = run(folder, world, pretrained, task, ["en"], context=goes_on, **given)
    assert json.loads((tmp_path / "on.jsonl").read_text().splitlines()[0])["step"] > 2 * 48
    for name in FILES:
        assert (resumed / name).read_bytes() == (output / name).read_bytes()


def test_a_rate_that_diverges_is_not_chosen(
    world, pretrained: Path, task: Path, tmp_path: Path
) -> None:
    given = {"epochs": 5, "selection": "best"}
    watched = Context(work=tmp_path / "work", spike=3.0)
    output = run(
        tmp_path, world, pretrained, task, ["en"], context=watched,
        learning_rates=[100.0, 1e-3], **given,
    )  # fmt: skip
    worse, better = told(output)["tried"]
    assert "fine-tuning has diverged" in worse["diverged"] and better["diverged"] is None
    watched = Context(work=tmp_path / "2" / "work", spike=3.0)
    with pytest.raises(DivergenceError, match="fine-tuning has diverged"):
        run(
            tmp_path / "2", world, pretrained, task, ["en"], context=watched,
            learning_rates=[100.0, 300.0], **given,
        )  # fmt: skip


def test_without_validation_the_last_weights_are_tested_and_no_rate_is_chosen(
    world, pretrained: Path, tmp_path: Path
) -> None:
    task = easy_task(tmp_path)
    facts = json.loads((task / "task.json").read_text())
    del facts["parts"]["validation"]
    (task / "task.json").write_text(json.dumps(facts))
    output = run(tmp_path / "1", world, pretrained, task, ["en"], epochs=2, selection="best")
    assert told(output)["tested_update"] == told(output)["updates"] == 12
    assert set(polars.read_parquet(output / "predictions.parquet")["split"]) == {"test"}
    with pytest.raises(InputError, match=r"learning_rates: expected a task with validation data"):
        run(tmp_path / "2", world, pretrained, task, ["en"], learning_rates=[1e-3, 1e-4])
