"""Ends for want of memory: told by exceptions, by the kernel's counts, and by Slurm's words."""

import errno
import json
import resource
from pathlib import Path

import pytest

from grid.memory import kills, lacked, told
from grid.outcome import MEMORY
from grid.store import Store
from tests.grid.test_launch import launch
from tests.grid.tiny_stages import graph, stage


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOENT, "No such file or directory"), False),
        (RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory: you"), True),
        (RuntimeError("CUDA out of memory"), False),
    ],
)
def test_what_an_exception_says(error: BaseException, expected: bool) -> None:
    assert lacked(error) is expected


@pytest.mark.parametrize(
    ("line", "counter", "text"),
    [
        ("0::/slurm/job_7/step_0", "slurm/job_7/step_0/memory.events", "low 0\noom 2\noom_kill 1"),
        ("0::/slurm/job_7/step_0", "slurm/job_7/memory.events", "oom_kill 1\n"),
        ("4:memory:/own", "memory/own/memory.oom_control", "under_oom 0\noom_kill 1\n"),
    ],
)
def test_the_kernel_s_count_of_the_group_and_its_job(
    tmp_path: Path, line: str, counter: str, text: str
) -> None:
    process = tmp_path / "cgroup"
    process.write_text(f"3:cpu:/elsewhere\n{line}\n")
    file = tmp_path / "groups" / counter
    file.parent.mkdir(parents=True)
    file.write_text("oom_kill 0\n")
    assert kills(process, tmp_path / "groups") == 0
    file.write_text(text)
    assert kills(process, tmp_path / "groups") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "slurmstepd-node1: error: StepId=1.batch exceeded memory limit (1 > 0), being killed",
            True,
        ),
        (
            "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of the step tasks",
            True,
        ),
        ("slurmstepd: error: Exceeded job memory limit", True),
        ("srun: error: node3: task 1: Out Of Memory", True),
        ("srun: error: node3: task 1: Killed", False),
        ("my own program: memory limit exceeded", False),
    ],
)
def test_what_slurm_says(text: str, expected: bool) -> None:
    assert told(f"some output\n{text}\nmore") is expected


def test_a_stage_that_runs_out_of_memory_says_so(tmp_path: Path) -> None:
    made = stage("a", does="memory")
    limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4_000_000_000, limit[1]))
    try:
        report, _ = launch(graph(made), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)
    (failure,) = report.failed
    assert failure.kind == MEMORY
    (attempt,) = Store(tmp_path).attempts(*made.id)
    assert json.loads((attempt / "outcome.json").read_text())["kind"] == MEMORY
