"""Checkpoints: read again by the same ranks exactly, and by other layouts of ranks."""

import hashlib
import json
import random
import shutil
import time
from pathlib import Path

import pytest
import torch

from model.config import EncoderConfig, PretrainingConfig, SamplingConfig
from model.context import Context
from model.encoder.encoder import build
from model.errors import InputError
from model.stages import PretrainingStage
from model.training import checkpoint, distributed, pretraining
from model.training.engine import Engine
from model.training.loop import parts_of
from tests.model.training.ranks import started, together
from tests.model.training.test_parallel import RATE, RECIPE, ROWS, batch, encoder

SAVED, LAST = 4, 8


def run(context: Context, first: int, last: int) -> list[float]:
    """Losses of updates `first` to `last` - 1; goes on from a checkpoint and ends with one."""
    config = encoder("pre")
    model = build(config, ROWS, seed=5, group=distributed.tensor_parallel_group())
    losses = []
    with Engine(model, RECIPE, context=context) as engine:
        state = checkpoint.restore(context.work, engine)
        assert (0 if state is None else state["step"]) == first
        for step in range(first, last):
            parts = parts_of(batch(step), distributed.data_parallel(), config)
            losses.append(float(engine.step(parts, RATE)))
        checkpoint.save(context.work, last, engine, {})
    return losses


def assert_alike(folder: Path) -> None:
    """What two tensor-parallel ranks hold alike is so to the last bit, moments included."""
    models, states = (
        [torch.load(path, weights_only=False) for path in sorted(folder.glob(pattern))]
        for pattern in ("mp_rank_*", "*_optim_states.pt")
    )
    whole = dict(build(encoder("pre"), ROWS, seed=5).named_parameters())
    compared = 0
    for group in range(len(models[0]["param_shapes"])):
        flat = [
            state["optimizer_state_dict"]["base_optimizer_state"]["state"][group]
            for state in states
        ]
        shapes = [model["param_shapes"][group] for model in models]
        first = 0
        for (name, one), two in zip(shapes[0].items(), shapes[1].values(), strict=True):
            if one != whole[name].shape:
                break  # of this group each rank has a part
            for moment in ("exp_avg", "exp_avg_sq"):
                ours, theirs = (each[moment][first : first + one.numel()] for each in flat)
                assert one == two and torch.equal(ours, theirs), (name, moment)
            first += one.numel()
            compared += 1
    assert compared > 4


@pytest.mark.slow
def test_a_checkpoint_is_continued_in_other_layouts(tmp_path: Path) -> None:
    def with_state(name: str) -> Path:
        shutil.copytree(tmp_path / "two" / "work", tmp_path / name / "work")
        return tmp_path / name

    together(run, tmp_path / "two", 0, SAVED, ranks=2, tensor_parallel=2)
    assert_alike(tmp_path / "two" / "work" / "checkpoints" / f"{SAVED:08d}" / "engine" / "state")
    undisturbed = together(run, with_state("same"), SAVED, LAST, ranks=2, tensor_parallel=2)[0]
    whole = together(run, tmp_path / "whole", 0, LAST, ranks=2, tensor_parallel=2)[0]
    assert undisturbed == whole[SAVED:], "an equal layout continues exactly"
    for ranks, degree in ((1, 1), (4, 4), (4, 2)):
        folder = with_state(f"{ranks}-{degree}")
        losses = together(run, folder, SAVED, LAST, ranks=ranks, tensor_parallel=degree)[0]
        assert losses == pytest.approx(undisturbed, abs=5e-6), (ranks, degree)
        assert not (folder / "work" / "universal").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "refused"), [(1 + 1e-6, False), (1.5, True)])
def test_what_earlier_versions_rounded_otherwise_is_read(
    factor: float, refused: bool, tmp_path: Path
) -> None:
    """Ranks that hold the same moment, but for a rounding; more than that is damage."""
    together(run, tmp_path, 0, SAVED, ranks=2, tensor_parallel=2)
    folder = tmp_path / "work" / "checkpoints" / f"{SAVED:08d}"
    (path,) = folder.glob("engine/state/*mp_rank_01_optim_states.pt")
    state = torch.load(path, weights_only=False)
    moments = state["optimizer_state_dict"]["base_optimizer_state"]["state"]
    for group in moments.values():
        group["exp_avg_sq"] *= factor
    torch.save(state, path)
    checksums = folder / "checksums.json"
    listed = json.loads(checksums.read_text())
    listed[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    checksums.write_text(json.dumps(listed))
    if refused:
        with pytest.raises(AssertionError):
            together(run, tmp_path, SAVED, LAST)
    else:
        assert len(together(run, tmp_path, SAVED, LAST)[0]) == LAST - SAVED


@pytest.mark.slow
def test_a_single_process_checkpoint_is_continued_by_several(tmp_path: Path) -> None:
    together(run, tmp_path, 0, SAVED)
    whole = together(run, tmp_path / "whole", 0, LAST)[0]
    losses = together(run, tmp_path, SAVED, LAST, ranks=2, tensor_parallel=2)[0]
    assert losses == pytest.approx(whole[SAVED:], abs=5e-6)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    with Engine(build(encoder("pre"), ROWS, seed=5), RECIPE) as engine:
        checkpoint.save(tmp_path, 3, engine, {})
    wider = EncoderConfig(layers=2, width=64, heads=8, max_positions=12, norm="post")
    with (
        Engine(build(wider, ROWS + 1, seed=5), RECIPE) as engine,
        pytest.raises(InputError, match="found another: ") as caught,
    ):
        checkpoint.restore(tmp_path, engine)
    for text in ("norm 'pre' instead of 'post'", "rows 1003 instead of 1004", "width 32 instead"):
        assert text in str(caught.value)
    assert "layers" not in str(caught.value)


def test_saving_takes_a_twentieth_of_the_time_at_most() -> None:
    now = [100.0]
    pace = checkpoint.Pace(10.0, clock=lambda: now[0])
    now[0] = 109.0
    assert not pace.due()
    now[0] = 111.0
    assert pace.due()
    now[0] = 113.0  # it took 2 seconds
    pace.saved(111.0)
    now[0] = 113.0 + 37.0
    assert not pace.due()
    now[0] = 113.0 + 38.0
    assert pace.due()
    pace.saved(now[0])
    now[0] += 11.0
    assert pace.due(), "a quick save goes back to the seconds that were asked for"


UPDATES, KILLS = 40, 10


def stage() -> PretrainingStage:
    return PretrainingStage(
        languages=["en", "sw"],
        sampling=SamplingConfig(alpha=0.5),
        encoder=EncoderConfig(layers=1, width=16, heads=2, max_positions=16),
        pretraining=PretrainingConfig(updates=UPDATES, batch_size=6, sequence_length=16),
        seed=7,
    )


def pretrain(context: Context, inputs: dict[str, Path], output: Path) -> None:
    pretraining.run(stage(), inputs, output, context)


def checksums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.slow
def test_ranks_killed_at_random_steps_end_with_the_same_weights(world, tmp_path: Path) -> None:
    """In bf16 with dropout, as studies are run."""
    two = {"ranks": 2, "tensor_parallel": 2}
    for name in ("undisturbed", "killed"):
        (tmp_path / name / "output").mkdir(parents=True)
    inputs = world.pretraining_inputs
    output = tmp_path / "undisturbed" / "output"
    together(pretrain, tmp_path / "undisturbed", inputs, output, **two, checkpoint_seconds=1e9)

    folder, chance = tmp_path / "killed", random.Random(11)
    output = folder / "output"
    for after in sorted(chance.sample(range(1, UPDATES - 1), KILLS)):
        given = (pretrain, folder, inputs, output)
        with started(*given, **two, checkpoint_seconds=0.0) as processes:
            deadline = time.monotonic() + 120
            while reached(folder) < after:
                assert all(process.is_alive() for process in processes)
                assert time.monotonic() < deadline
                time.sleep(0.005)
            time.sleep(chance.random() * 0.05)
        assert not any(output.iterdir()), "it ended before it was killed"
    together(pretrain, folder, inputs, output, **two, checkpoint_seconds=1e9)
    assert checksums(output) == checksums(tmp_path / "undisturbed" / "output")
    assert {"model.safetensors", "curve.json"} <= checksums(output).keys()


def reached(folder: Path) -> int:
    """Updates of the newest checkpoint."""
    names = [path.name for path in (folder / "work" / "checkpoints").glob("[0-9]*")]
    return max((int(name) for name in names if name.isdigit()), default=0)
