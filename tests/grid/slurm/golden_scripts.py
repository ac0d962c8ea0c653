"""Job scripts that must not change unnoticed: `python -m tests.grid.slurm.golden_scripts` writes.

A changed script is a decision about what every site is asked; explain it in the commit that changes
tests/golden/*.sh.
"""

from pathlib import Path

from grid.execution import ExecutionConfig
from grid.slurm.resources import Resources
from grid.slurm.sending import scripts
from grid.slurm.settings import SlurmConfig, SlurmStage
from grid.slurm.submission import Array, Submission

FOLDER = Path(__file__).parents[2] / "golden"
STORE = Path("/scratch/lab/runs")
ID = "20260131-120000-0a1b"


def made() -> dict[str, str]:
    """A script that asks for little, and one in which everything is said."""
    slurm = SlurmConfig(
        partition="gpu",
        account="lab",
        qos="long",
        constraint="a100&nvlink",
        reservation="paper",
        exclude="node[7-8]",
        gres="gpu:a100:{gpus}",
        max_parallel=8,
        setup=["module load cuda/12.4", "source /scratch/lab/environment/bin/activate"],
        extra=["--licenses=scratch", "--exclusive"],
        mail_user="someone@lab.example",
        mail_type="END,FAIL",
        requeue=False,
        signal_seconds=300,
        python="python",
        stages={"shards": SlurmStage(partition="cpu")},
    )
    arrays = (
        Array(
            name="shards",
            resources=Resources(minutes=30, memory_mb=1500, placement=SlurmStage(partition="cpu")),
            shares=((("shards", "en-0"),),),
        ),
        Array(
            name="pretraining",
            resources=Resources(
                minutes=2880,
                memory_mb=240000,
                cpus=8,
                nodes=2,
                tasks_per_node=8,
                gpus_per_node=8,
                placement=slurm.of_stage("pretraining"),
            ),
            waits=(("shards", None), ("20260130-120000-ffff/text", (0, 3))),
            shares=tuple((("pretraining", f"{number}"),) for number in range(20)),
        ),
    )
    submission = Submission(
        folder=STORE / "studies" / "curse" / "paper" / "submissions" / ID,
        id=ID,
        created="2026-01-31T12:00:00+00:00",
        host="login",
        user="someone",
        study="curse",
        scale="paper",
        store=STORE,
        code=STORE / "snapshots" / "0123456789abcdef",
        revision="5f1d0e4b0c7c0b5c2f2c1d6f1a0f1e2d3c4b5a69",
        execution=ExecutionConfig(device="cuda", slurm=slurm),
        arrays=arrays,
    )
    texts = scripts(submission, {"20260130-120000-ffff/text": "1230"})
    return {"job_one_core.sh": texts["shards"], "job_two_nodes.sh": texts["pretraining"]}


if __name__ == "__main__":
    for name, text in made().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
