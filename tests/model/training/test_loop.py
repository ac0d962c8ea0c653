"""What a run does between its updates: reports, stops, divergence, milestones, monitors."""

import csv
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from model.encoder.encoder import build, derived_seed
from model.encoder.files import read_encoder, read_language_model
from model.errors import DivergenceError, InputError, Stopped
from model.stages import PretrainingStage
from model.text import tokenizer
from model.text.batches import Batches
from model.text.sampling import probabilities
from model.training import checkpoint
from model.training.engine import Engine
from model.training.loop import target_languages
from tests.model.training.runs import LANGUAGES, StopsAfter, checkpoints, run, stage


def curve(output: Path) -> list[list[Any]]:
    return json.loads((output / "curve.json").read_text())


def batches(world: Any, config: PretrainingStage) -> Batches:
    """The batches of the stage, made anew from its configuration."""
    facts = {
        code: json.loads((world.shards[code] / "shards.json").read_text()) for code in LANGUAGES
    }
    pieces = tokenizer.load(world.tokenizer)
    return Batches(
        world.shards,
        probabilities({code: facts[code]["sentences"] for code in LANGUAGES}, 0.5),
        batch_size=config.pretraining.batch_size,
        sequence_length=config.pretraining.sequence_length,
        mask_probability=config.pretraining.mask_probability,
        mixing="mixed",
        rows=pieces.rows,
        mask_id=pieces.mask,
        seed=derived_seed("batches", config.seed),
    )


def test_the_curve_says_the_loss_of_each_language(world, tmp_path: Path) -> None:
    config = stage(dropout=0.0, batch_size=16)
    found = curve(run(config, world, tmp_path))
    drawn = batches(world, config)
    batch = drawn.batch(0)
    model = build(config.encoder, tokenizer.load(world.tokenizer).rows, config.seed).eval()
    with torch.no_grad():
        logits_NV = model.logits(torch.from_numpy(batch.tokens), torch.from_numpy(batch.positions))
    losses_N = functional.cross_entropy(
        logits_NV, torch.from_numpy(batch.targets), reduction="none"
    ).numpy()
    rows_N = batch.positions // 16
    for index, code in enumerate(LANGUAGES):
        own = losses_N[batch.languages[rows_N] == index]
        assert len(own) > 1
        assert found[0][3][code] == pytest.approx(own.mean(), rel=1e-5)
    for step, mean, _, languages in found:
        counts = np.bincount(target_languages(drawn.batch(step - 1)), minlength=2)
        total = sum(
            languages.get(code, 0.0) * int(n) for code, n in zip(LANGUAGES, counts, strict=True)
        )
        assert total / counts.sum() == pytest.approx(mean, rel=1e-5)


def test_a_language_without_a_target_is_left_out_of_the_curve(world, tmp_path: Path) -> None:
    """One short sequence an update is of one language, and may have no target at all."""
    config = stage(batch_size=1, sequence_length=8, mask_probability=0.1)
    found = curve(run(config, world, tmp_path))
    drawn = batches(world, config)
    counts = {step: len(drawn.batch(step - 1).targets) for step in range(1, 31)}
    assert 0 in counts.values()
    assert [point[0] for point in found] == [step for step, count in counts.items() if count]
    assert all(len(point[3]) == 1 for point in found)


@pytest.mark.parametrize("rows", [3, 7])
def test_the_batch_is_the_studys_whatever_goes_through_the_model_at_once(
    world, tmp_path: Path, rows: int
) -> None:
    config = stage(dropout=0.0, batch_size=48)
    whole = curve(run(config, world, tmp_path / "whole", micro_batch=48))
    parts = curve(run(config, world, tmp_path / "parts", micro_batch=rows))
    for one, other in zip(whole, parts, strict=True):
        assert other[:3] == pytest.approx(one[:3], rel=1e-5)
        assert other[3] == pytest.approx(one[3], rel=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_learning_rate_of_ten_stops_the_run_and_keeps_a_good_checkpoint(
    world, tmp_path: Path, precision: str
) -> None:
    config = stage(learning_rate=10.0, warmup=0.5, updates=200, precision=precision)
    with pytest.raises(DivergenceError) as caught:
        run(config, world, tmp_path, spike=3.0, checkpoint_seconds=0.0)
    message = str(caught.value)
    assert message.startswith("pretraining has diverged: at update ")
    assert "Try a lower pretraining.learning_rate, a longer pretraining.warmup" in message
    kept = checkpoints(tmp_path)[-1]
    assert f"The checkpoint of update {kept} is kept" in message
    folder = tmp_path / "work" / "checkpoints" / f"{kept:08d}"
    watch = json.loads((folder / "state.json").read_text())["watch"]
    lowest = watch["lowest"] + watch["margin"]
    assert np.mean(watch["recent"]) <= lowest + 1.5 and watch["recent"][-1] <= lowest + 3
    assert not any((tmp_path / "output").iterdir())


def test_a_loss_that_is_not_finite_stops_every_run(world, tmp_path: Path) -> None:
    config = stage(learning_rate=1e30, clip=0.0)
    with pytest.raises(DivergenceError, match=r"the loss of update \d+ is nan\. Try a lower"):
        run(config, world, tmp_path, checkpoint_seconds=0.0)


def test_a_run_that_is_asked_to_stop_saves_and_says_where(world, tmp_path: Path) -> None:
    undisturbed = run(stage(), world, tmp_path / "undisturbed")
    with pytest.raises(Stopped, match=r"^stopped after update 1 of 30; the next attempt goes on"):
        run(stage(), world, tmp_path / "stopped", kind=StopsAfter, reported=0)
    assert checkpoints(tmp_path / "stopped") == [1]
    output = run(stage(), world, tmp_path / "stopped")
    for path in undisturbed.iterdir():
        assert (output / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_stop_at_the_last_update_comes_too_late(world, tmp_path: Path) -> None:
    output = run(stage(), world, tmp_path, kind=StopsAfter, reported=29, checkpoint_seconds=0.0)
    assert curve(output)[-1][0] == 30


def test_milestones_are_the_weights_that_the_run_had_then(world, tmp_path: Path) -> None:
    config = stage(milestones=[5, 12, 30])
    output = run(config, world, tmp_path / "whole")
    files = sorted(path.relative_to(output).as_posix() for path in output.rglob("*.safetensors"))
    assert files == [
        "milestones/00000005/model.safetensors",
        "milestones/00000012/model.safetensors",
        "milestones/00000030/model.safetensors",
        "model.safetensors",
    ]
    # A run that stops right after update 12, its state read into an engine of its own.
    with pytest.raises(Stopped, match="after update 12"):
        run(config, world, tmp_path / "part", kind=StopsAfter, reported=11, checkpoint_seconds=0.0)
    with Engine(
        build(config.encoder, tokenizer.load(world.tokenizer).rows, 1), config.pretraining
    ) as engine:
        assert checkpoint.restore(tmp_path / "part" / "work", engine)["step"] == 12
        weights = dict(engine.weights())
    kept = load_file(output / files[1])
    assert kept.keys() == weights.keys()
    assert all(torch.equal(kept[name], value) for name, value in weights.items())
    assert (output / files[2]).read_bytes() == (output / files[3]).read_bytes()
    first = tmp_path / "part" / "work" / files[0]
    written = first.stat().st_mtime_ns
    again = run(config, world, tmp_path / "part")
    assert all((again / name).read_bytes() == (output / name).read_bytes() for name in files)
    assert (again / files[0]).stat().st_mtime_ns == written, "a milestone is written once"


def test_a_milestone_is_read_like_the_finished_model(world, tmp_path: Path) -> None:
    output = run(stage(milestones=[5]), world, tmp_path)
    early = read_language_model(output, milestone=5).state_dict()
    late = read_language_model(output).state_dict()
    expected = load_file(output / "milestones" / "00000005" / "model.safetensors")
    assert all(torch.equal(early[name], value) for name, value in expected.items())
    assert not torch.equal(early["lm_head.bias"], late["lm_head.bias"])
    encoder = read_encoder(output, milestone=5).state_dict()
    assert torch.equal(
        encoder["embeddings.word_embeddings.weight"],
        early["encoder.embeddings.word_embeddings.weight"],
    )
    with pytest.raises(InputError, match=r"expected the weights after 6 updates, found 5; pretr"):
        read_encoder(output, milestone=6)


def test_a_milestone_beyond_the_end_is_refused(world, tmp_path: Path) -> None:
    config = stage(updates=10, counted_languages=["sw"], milestones=[10_000])
    with pytest.raises(InputError, match=r"pretraining.milestones: expected updates up to \d+, "):
        run(config, world, tmp_path)


MEASURES = ["train_loss", "train_learning_rate", "train_gradient_norm", "train_tokens_per_s"]


def test_the_csv_monitor_writes_what_is_reported(world, tmp_path: Path) -> None:
    config = stage(milestones=[10, 20], dropout=0.0)
    output = run(config, world, tmp_path, monitors={"csv_monitor": {}})
    folder = tmp_path / "csv_monitor"
    names = sorted(path.stem for path in folder.iterdir())
    assert names == sorted([*MEASURES, "loss_en", "loss_sw"])
    tables = {name: list(csv.reader((folder / f"{name}.csv").open())) for name in names}
    reported = [json.loads(line) for line in (tmp_path / "progress.jsonl").open()][1:]
    steps = [line["step"] for line in reported]
    assert {10, 20, 30} <= set(steps)
    for name, table in tables.items():
        assert table[0] == ["step", name.split("_", 1)[1]]
        assert [int(step) for step, _ in table[1:]] == steps
    points = curve(output)
    before = 0
    for (step, loss), (_, english) in zip(
        tables["train_loss"][1:], tables["loss_en"][1:], strict=True
    ):
        since = points[before : int(step)]
        assert float(loss) == pytest.approx(np.mean([point[1] for point in since]))
        if len(since) == 1:
            assert float(english) == pytest.approx(since[0][3]["en"])
        before = int(step)
    rates = [float(rate) for _, rate in tables["train_learning_rate"][1:]]
    assert rates[-1] == pytest.approx(3e-3 / 27), "the last update's"
    assert all(float(norm) > 0 for _, norm in tables["train_gradient_norm"][1:])


def test_tensorboard_gets_the_same_curves(world, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra `monitors` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monitors = {"tensorboard": {}, "csv_monitor": {"output_path": str(tmp_path / "mine")}}
    run(stage(milestones=[10]), world, tmp_path / "run", monitors=monitors)
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    found = events.Scalars("train/loss")
    table = list(csv.reader((tmp_path / "mine" / "work" / "train_loss.csv").open()))[1:]
    assert [each.step for each in found] == [int(step) for step, _ in table]
    assert [each.value for each in found] == pytest.approx([float(loss) for _, loss in table])
    assert {"loss/en", "loss/sw", "train/gradient_norm"} <= set(events.Tags()["scalars"])


def test_monitoring_changes_nothing(world, tmp_path: Path) -> None:
    plain = run(stage(), world, tmp_path / "plain")
    watched = run(stage(), world, tmp_path / "watched", monitors={"csv_monitor": {}})
    for path in plain.iterdir():
        assert (watched / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("monitors", "message"),
    [
        (
            {"tensorbord": {}},
            "execution.monitors: expected one of tensorboard, csv_monitor, wandb, found "
            "'tensorbord'",
        ),
        (
            {"csv_monitor": {"folder": "x"}},
            "execution.monitors.csv_monitor: expected one of enabled, output_path, job_name, "
            "found 'folder'",
        ),
        (
            {"csv_monitor": {"enabled": "yes"}},
            "execution.monitors.csv_monitor.enabled: expected true or false, found 'yes'",
        ),
        (
            {"csv_monitor": {"output_path": "curves"}},
            "execution.monitors.csv_monitor.output_path: expected a whole path, found 'curves'",
        ),
        pytest.param(
            {"wandb": {}},
            "execution.monitors.wandb: expected the package wandb, which is not installed here: "
            "install it, or leave this monitor out",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("wandb") is not None, reason="wandb is installed"
            ),
        ),
    ],
)
def test_a_monitor_that_cannot_be_had_is_refused_before_training(
    world, tmp_path: Path, monitors: dict, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        run(stage(), world, tmp_path, monitors=monitors)
    assert str(caught.value) == message
    assert not (tmp_path / "progress.jsonl").exists()
