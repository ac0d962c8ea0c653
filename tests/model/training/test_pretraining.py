"""The pretraining stage: its files, its exposure counts, and exact resume after SIGKILL."""

import json
import signal
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from model.config import PretrainingConfig
from model.encoder.encoder import build, derived_seed
from model.text import tokenizer
from model.text.batches import Batches
from model.text.sampling import probabilities
from model.training import checkpoint, micro_batch
from model.training.engine import Engine
from tests.model.training.runs import LANGUAGES, checkpoints, run, stage, start

FILES = ["curve.json", "exposure.json", "model.json", "model.safetensors"]


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(stage(), world, tmp_path_factory.mktemp("undisturbed"))


def test_a_second_run_writes_the_same_bytes(world, undisturbed: Path, tmp_path: Path) -> None:
    again = run(stage(), world, tmp_path)
    assert sorted(path.name for path in again.iterdir()) == FILES
    for name in FILES:
        assert (again / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_it_learns_and_reports(undisturbed: Path) -> None:
    curve = json.loads((undisturbed / "curve.json").read_text())
    assert [point[0] for point in curve] == list(range(1, 31))
    assert curve[-1][2] == 30 * 8 * 14
    assert sum(point[1] for point in curve[-5:]) / 5 < curve[0][1] - 0.2
    lines = (undisturbed.parent / "progress.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert (last["step"], last["total"]) == (30, 30)
    assert last["loss"] == curve[-1][1] and last["tokens_per_s"] > 0


def test_exposure_counts_what_was_drawn(world, undisturbed: Path) -> None:
    exposure = json.loads((undisturbed / "exposure.json").read_text())
    facts = {
        code: json.loads((world.shards[code] / "shards.json").read_text()) for code in LANGUAGES
    }
    shares = probabilities({code: facts[code]["sentences"] for code in LANGUAGES}, 0.5)
    pieces = tokenizer.load(world.tokenizer)
    batches = Batches(
        world.shards,
        shares,
        batch_size=8,
        sequence_length=16,
        mask_probability=0.15,
        mixing="mixed",
        rows=pieces.rows,
        mask_id=pieces.mask,
        seed=derived_seed("batches", 7),
    )
    drawn = [code for step in range(30) for code in batches.batch(step).languages.tolist()]
    for index, code in enumerate(LANGUAGES):
        counted = exposure["languages"][code]
        assert counted["sequences"] == drawn.count(index)
        assert counted["tokens"] == drawn.count(index) * 14
        assert counted["epochs"] == pytest.approx(counted["tokens"] / facts[code]["tokens"])
    assert exposure["updates"] == 30 and exposure["tokens"] == 30 * 8 * 14


def test_no_updates_leave_the_initialisation(world, tmp_path: Path) -> None:
    output = run(stage(updates=0), world, tmp_path)
    config = stage()
    model = build(config.encoder, tokenizer.load(world.tokenizer).rows, 7)
    weights = load_file(output / "model.safetensors")
    for name, value in model.named_parameters():
        assert (weights[name] == value.detach().numpy()).all()
    exposure = json.loads((output / "exposure.json").read_text())
    assert exposure["tokens"] == 0 and exposure["languages"]["sw"]["epochs"] == 0


def test_counted_languages_get_their_updates(world, tmp_path: Path) -> None:
    output = run(stage(updates=10, counted_languages=["sw"]), world, tmp_path)
    exposure = json.loads((output / "exposure.json").read_text())
    share = exposure["languages"]["sw"]["sequences"] / (exposure["updates"] * 8)
    assert exposure["updates"] > 10
    assert share * exposure["updates"] == pytest.approx(10, rel=0.35)


def test_a_killed_run_ends_with_the_same_bytes(world, undisturbed: Path, tmp_path: Path) -> None:
    process = start(stage(), world, tmp_path)
    while not any(step >= 8 for step in checkpoints(tmp_path)):
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = checkpoints(tmp_path)[-1]
    assert 8 <= reached < 30 and not any((tmp_path / "output").iterdir())
    output = run(stage(), world, tmp_path, progress_file=tmp_path / "second.jsonl")
    first = json.loads((tmp_path / "second.jsonl").read_text().splitlines()[0])
    assert first["step"] == reached
    for name in FILES:
        assert (output / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_a_broken_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = stage()
    with Engine(build(config.encoder, 40, 1), config.pretraining) as engine:
        for step in (10, 20, 30):
            checkpoint.save(tmp_path, step, engine, {"note": step})
        kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
        assert kept == ["00000020", "00000030"]
        state = checkpoint.restore(tmp_path, engine)
        assert state == {"step": 30, "note": 30}
        victim = next((tmp_path / "checkpoints" / "00000030" / "engine").rglob("*optim*"))
        victim.write_bytes(victim.read_bytes()[:-1] + b"?")
        state = checkpoint.restore(tmp_path, engine)
        assert state == {"step": 20, "note": 20}
        assert "00000030 is broken" in capsys.readouterr().err
        (tmp_path / "checkpoints" / "00000020" / "checksums.json").unlink()
        assert checkpoint.restore(tmp_path, engine) is None


def test_large_vocabularies_shrink_the_micro_batch() -> None:
    recipe = PretrainingConfig(sequence_length=512)
    assert micro_batch.sequences_at_once(recipe, 10_000, "cpu") == 64
    assert micro_batch.sequences_at_once(recipe, 10_000, "cuda") == 256
    for device, scores in micro_batch.MICRO_BATCH_SCORES.items():
        count = micro_batch.sequences_at_once(recipe, 250_002, device)
        assert 1 < count <= scores / (0.15 * 512 * 250_002) < count + 1
    assert micro_batch.sequences_at_once(recipe, 10**9, "cpu") == 1
