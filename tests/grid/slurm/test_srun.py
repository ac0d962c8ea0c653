"""What srun says of the ranks that it started."""

import signal

import pytest

from grid.slurm.srun import cause, failed_first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("srun: error: node1: task 1: Killed\nsrun: error: node1: task 0: Killed\n", {1: -9}),
        ("srun: error: node7: tasks 0,2-3: Exited with exit code 1\n", {0: 1, 2: 1, 3: 1}),
        ("srun: error: a: task 5: Segmentation fault (core dumped)", {5: -signal.SIGSEGV}),
        ("srun: error: a: task 0: Out Of Memory", {0: -signal.SIGKILL}),
        ("srun: error: Unable to create step for job 5: Invalid node name", {}),
        ("", {}),
    ],
)
def test_the_ranks_that_failed_first(text: str, expected: dict[int, int]) -> None:
    assert failed_first(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("srun: error: Node failure on node4", "node"),
        (
            "srun: forcing job termination\nslurmstepd: error: *** STEP 4.0 ON n CANCELLED AT",
            "killed",
        ),
        ("srun: error: Unable to create step for job 5: Invalid node name", "crash"),
    ],
)
def test_why_srun_itself_ended(text: str, expected: str) -> None:
    assert cause(text) == expected
