"""What Slurm's commands print, read; against real daemons: tests/cluster/test_queue.py."""

from pathlib import Path

import pytest

from grid.slurm.queue import Job, Queue, QueueError, _folded, parse

PRINTED = """\
12|0|14|RUNNING|None|node[1-2]|main|study-a1|grid 20261120-1530-ab12 a1
12|1|12|PENDING|JobArrayTaskLimit||main|study-a1|grid 20261120-1530-ab12 a1
13|N/A|13|NODE_FAIL|NodeDown|node3|main|study-a1|a comment | with a bar
12|2-4,9%2|12|PENDING|Resources||main|study-a1|(null)
CLUSTER: other
"""


def test_jobs_are_read_from_what_squeue_prints() -> None:
    jobs = parse(PRINTED)

    assert jobs[0] == Job(
        array="12",
        index=0,
        number="14",
        state="RUNNING",
        reason="",
        node="node[1-2]",
        partition="main",
        name="study-a1",
        comment="grid 20261120-1530-ab12 a1",
    )
    assert [job.id for job in jobs] == ["12_0", "12_1", "13", "12_2", "12_3", "12_4", "12_9"]
    assert [job.ended for job in jobs] == [False, False, True, False, False, False, False]
    assert jobs[2].comment == "a comment | with a bar" and jobs[3].comment == ""


def test_elements_of_an_array_are_cancelled_in_one_word() -> None:
    assert _folded(["7_1", "7_2", "7_3", "9", "7_8"]) == ["7_[1-3,8]", "9"]
    assert _folded(["7_1", "7"]) == ["7"] and _folded([]) == []


def test_a_machine_without_slurm_is_told_once_and_asked_again_later() -> None:
    queue = Queue({"PATH": "/nonexistent"})

    for _ in range(3):
        with pytest.raises(QueueError, match="squeue: command not found"):
            queue.jobs()

    assert queue.calls == 1
    queue.forget()
    with pytest.raises(QueueError):
        queue.jobs()
    assert queue.calls == 2


def test_a_command_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    program = tmp_path / "squeue"
    program.write_text("#!/bin/sh\necho 'slurm_load_jobs error: connect failure' >&2\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(QueueError, match="squeue --array: Slurm says: slurm_load_jobs error"):
        Queue({"PATH": str(tmp_path)}).jobs()
