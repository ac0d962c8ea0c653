"""What `execution` refuses before anything runs."""

import pytest

from grid.execution import ExecutionConfig
from model.errors import InputError


@pytest.mark.parametrize(
    ("monitors", "message"),
    [
        ({"tensorbord": {}}, "execution.monitors: expected one of tensorboard, csv_monitor, wandb"),
        ({"wandb": {"entity": "x"}}, "execution.monitors.wandb: expected one of enabled, group"),
        (
            {"csv_monitor": {"job_name": 3}},
            "execution.monitors.csv_monitor.job_name: expected text, found 3",
        ),
    ],
)
def test_monitors_that_deepspeed_would_not_take(monitors: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        ExecutionConfig(monitors=monitors)
    assert str(caught.value).startswith(message)
