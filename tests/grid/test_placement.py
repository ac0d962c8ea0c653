"""What `execution` says of ranks and GPUs: checked before anything runs, and in no key."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import grid
from grid.errors import StudyError
from grid.execution import ExecutionConfig
from grid.launch.gpus import Pool, gpus, listed, visible
from grid.results import publish, refuse_foreign
from grid.study import Study
from model.errors import InputError
from tests.grid.rank_stages import stage

ROOT = Path(__file__).parents[2]
STUDY = """\
title: Two widths
cell:
  languages: [en, sw]
  encoder: {layers: 1, heads: 6}
  pretraining: {batch_size: 8}
axes:
  - name: widths
    product: {encoder.width: [24, 36]}
"""
NVIDIA_SMI = """\
GPU 0: NVIDIA H200 (UUID: GPU-1)
GPU 1: NVIDIA H200 (UUID: GPU-2)
  MIG 1g.18gb     Device  0: (UUID: MIG-3)
  MIG 1g.18gb     Device  1: (UUID: MIG-4)
GPU 2: NVIDIA H200 (UUID: GPU-5)
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return lambda *overrides: grid.load("study.yaml", *overrides, store=tmp_path / "runs")


def test_ranks_are_for_pretraining_alone_and_in_no_key(study: Callable[..., Study]) -> None:
    alone = study().graph()
    placed = study(
        "execution.tensor_parallel=2",
        "execution.data_parallel=4",
        "execution.micro_batch=1",
        "execution.activation_checkpointing=true",
        "execution.spike=null",
        "execution.monitors={csv_monitor: {enabled: true}}",
        "execution.device=cuda:1",
        "execution.stop_seconds=1",
    ).graph()
    assert list(placed.stages) == list(alone.stages) and placed.cells == alone.cells
    assert {stage.ranks for stage in alone.stages.values()} == {1}
    ranks = {(name, stage.ranks) for (name, _), stage in placed.stages.items()}
    assert {name for name, count in ranks if count == 8} == {"pretraining"}
    assert {count for name, count in ranks if name != "pretraining"} == {1}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "execution.tensor_parallel=4",
            r"command line: execution.tensor_parallel: expected a divisor of encoder.heads \(6\), "
            r"found 4; this encoder can be cut in 1, 2, 3, 6 \(cell 1, ",
        ),
        (
            "execution={tensor_parallel: 3, data_parallel: 9}",
            r"command line: execution.data_parallel: expected at most pretraining.batch_size "
            r"\(8\), for each copy of the model needs a sequence, found 9",
        ),
    ],
)
def test_a_model_that_cannot_be_dealt_out(
    study: Callable[..., Study], override: str, message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        study(override).check_placement()


def test_the_error_names_the_value_and_where_it_was_written(tmp_path: Path) -> None:
    text = STUDY.replace("heads: 6", "heads: 4, feed_forward: 50")
    (tmp_path / "study.yaml").write_text(text + "execution:\n  tensor_parallel: 4\n")
    for command in ("plan", "run"):
        done = subprocess.run(
            [sys.executable, "-m", "grid", command, "study.yaml"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2 and done.stdout == ""
        assert (
            "error: study.yaml:10: execution.tensor_parallel: expected a divisor of "
            "encoder.feed_forward (50), found 4; this encoder can be cut in 1, 2 (cell 1, "
        ) in done.stderr
    assert not (tmp_path / "runs").exists()


def test_more_ranks_than_gpus(study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    wide = ["execution.tensor_parallel=2", "execution.data_parallel=4"]
    with pytest.raises(StudyError, match=r"is 8 ranks of one GPU each, but cuda has 2 on this"):
        study(*wide, "execution.device=cuda").check_placement()
    study(*wide).check_placement()  # on the CPU there is no such limit
    study("execution.tensor_parallel=2", "execution.device=cuda").check_placement()
    study("execution.device=cuda:1").check_placement()
    with pytest.raises(StudyError, match="found cuda:2, but this machine has no such GPU"):
        study("execution.device=cuda:2").check_placement()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(StudyError, match=r"execution.device: found cuda, but this machine has no"):
        study("execution.device=cuda").check_placement()


def test_gpus_are_counted_as_cuda_counts_them() -> None:
    assert listed(NVIDIA_SMI) == ["0", "MIG-3", "MIG-4", "2"]
    assert visible("3, GPU-1,5") == ["3", "GPU-1", "5"]
    assert visible("0,-1,1") == ["0"] and visible("") == [] and visible("NoDevFiles") == []
    assert gpus({"CUDA_VISIBLE_DEVICES": "7"}) == ["7"]


def test_a_pool_deals_each_gpu_once() -> None:
    pool = Pool(ExecutionConfig(device="cuda"), ["0", "1", "2"])
    pair, one = stage("a", ranks=2, needs_torch=True), stage("b", ranks=1, needs_torch=True)
    first, second = pool.take(pair), pool.take(one)
    assert first == ["0", "1"] and second == ["2"] and not pool.has_room(one)
    assert pool.take(stage("c", ranks=1)) == [], "one that needs none is shown none"
    pool.give_back(pair, first)
    assert pool.has_room(pair) and pool.take(one) == ["0"] and not pool.has_room(pair)
    assert pool.needs(stage("d", ranks=8, needs_torch=True)) == 3, "it would wait for ever"
    assert Pool(ExecutionConfig(device="cuda:1"), ["4", "7"]).names == ("7",)
    assert Pool(ExecutionConfig(), ["0"]).take(one) is None, "on the CPU nothing is said"


def test_small_stages_share_a_gpu_as_far_as_the_plan_says_that_they_fit() -> None:
    pool = Pool(ExecutionConfig(device="cuda", stages_per_gpu=3), ["0", "1"])
    stages = [stage(name, ranks=1, needs_torch=True) for name in "abcdef"]
    small = [replace(each, gpu_share=0.1) for each in stages]
    assert Pool(ExecutionConfig(device="cuda", stages_per_gpu=3), ["0"]).has_room(stages[0])
    large = replace(stage("large", ranks=1, needs_torch=True), gpu_share=0.6)
    assert [pool.take(each) for each in small[:3]] == [["0"], ["1"], ["0"]], "the emptiest first"
    assert pool.take(large) == ["1"] and not pool.has_room(large)
    assert pool.take(small[3]) == ["0"] and not pool.has_room(small[4]), "three thirds fill it"
    pool.give_back(small[0], ["0"])
    pair = stage("pair", ranks=2, needs_torch=True)
    assert pool.has_room(small[4]) and not pool.has_room(pair), "several ranks share with nobody"
    with pytest.raises(InputError, match=r"execution.stages_per_gpu: expected 1 to 64, found 0"):
        ExecutionConfig(stages_per_gpu=0)


def test_two_studies_of_one_name_do_not_share_a_folder(tmp_path: Path) -> None:
    files = [tmp_path / name / "study.yaml" for name in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(STUDY)
    first, second = (grid.load(file, store=tmp_path / "runs") for file in files)
    refuse_foreign(first)
    publish(first, first.graph())
    refuse_foreign(first)
    refuse_foreign(second)  # a copy is the same study
    files[1].write_text(STUDY.replace("Two", "Other"))
    with pytest.raises(StudyError, match=r"b/study.yaml: expected a file name that no other study"):
        refuse_foreign(second)
    files[0].unlink()
    refuse_foreign(second)  # moved and edited


@pytest.mark.parametrize("name", ["../../../outside", "a/b", "..", "a\\b"])
def test_a_scale_is_a_folder_s_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "study.yaml").write_text(STUDY + f"scales: {{'{name}': {{}}}}\n")
    with pytest.raises(StudyError, match="scale: expected a name that can be a folder's"):
        grid.load(tmp_path / "study.yaml", scale=name)
