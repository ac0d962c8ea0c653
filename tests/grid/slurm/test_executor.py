"""Job scripts: what sites are asked, word for word, and what sbatch is kept from seeing."""

from dataclasses import replace
from pathlib import Path

import pytest

from grid.execution import ExecutionConfig
from grid.slurm.executor import Executor, environment
from grid.slurm.resources import Resources
from grid.slurm.settings import SlurmConfig, SlurmStage
from grid.slurm.submission import Array, comment
from tests.grid.slurm.golden_scripts import FOLDER, made
from tests.grid.slurm.test_submission import made as submission_in


@pytest.mark.parametrize("name", made())
def test_job_scripts_are_golden(name: str) -> None:
    assert made()[name] == (FOLDER / name).read_text(encoding="utf-8")


def script(
    folder: Path, slurm: SlurmConfig, *, arrays: bool = True, **resources: object
) -> list[str]:
    asked = Resources(minutes=30, placement=slurm.of_stage("pretraining"), **resources)  # type: ignore[arg-type]
    one = Array(name="one", resources=asked, waits=(("first", (0,)),), shares=((("tiny", "a-0"),),))
    submission = replace(submission_in(folder), execution=ExecutionConfig(slurm=slurm))
    return Executor(submission, arrays=arrays).script(one, {"first": "7"}).splitlines()


def options(lines: list[str]) -> dict[str, str]:
    words = [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def folder_of(tmp_path: Path) -> Path:
    return tmp_path / "studies" / "tiny" / "smoke" / "submissions" / "20260131-120000-0a1b"


@pytest.mark.parametrize(
    ("slurm", "expected"),
    [
        (SlurmConfig(), {"gpus-per-node": "4"}),
        (SlurmConfig(gpu_type="h100"), {"gpus-per-node": "h100:4"}),
        (SlurmConfig(gres="gpu:{gpus}"), {"gres": "gpu:4"}),
        (SlurmConfig(gres="gpu:h100:{gpus},nvme:1"), {"gres": "gpu:h100:4,nvme:1"}),
    ],
)
def test_gpus_are_asked_for_as_the_site_wants_it(
    tmp_path: Path, slurm: SlurmConfig, expected: dict[str, str]
) -> None:
    told = options(script(folder_of(tmp_path), slurm, gpus_per_node=4, tasks_per_node=4))
    assert {name: told[name] for name in told if name in ("gres", "gpus-per-node")} == expected


def test_sites_without_comments_arrays_or_memory(tmp_path: Path) -> None:
    slurm = SlurmConfig(comment=False)
    told = options(script(folder_of(tmp_path), slurm, arrays=False, memory_mb=None))
    assert "comment" not in told and "array" not in told and "mem" not in told
    own = comment("20260131-120000-0a1b", "one")
    assert told["job-name"] == f"'{own}'" and told["dependency"] == "afterany:7"
    assert told["output"].endswith("/log/one-%j_0.out")
    assert options(script(folder_of(tmp_path), slurm, memory_mb=0))["mem"] == "0"


def test_an_array_of_one_element_is_an_array(tmp_path: Path) -> None:
    told = options(script(folder_of(tmp_path), SlurmConfig(), memory_mb=1500))
    assert told["array"] == "0-0" and told["dependency"] == "afterany:7_0"
    assert told["mem"] == "1500M" and told["output"].endswith("/log/one-%A_%a.out")
    assert "gres" not in told and "gpus-per-node" not in told


def test_more_options_do_not_replace_what_the_launcher_needs(tmp_path: Path) -> None:
    slurm = SlurmConfig(extra=["--hold", "--array=0-99", "--nice=100"])
    told = options(script(folder_of(tmp_path), slurm))
    assert told["hold"] == "" and told["nice"] == "100" and told["array"] == "0-0"


def test_setup_comes_before_the_code_is_chosen(tmp_path: Path) -> None:
    lines = script(folder_of(tmp_path), SlurmConfig(setup=["module load x"]))
    order = ["module load x", "export PYTHONPATH=", "cd ", "exec "]
    at = [next(n for n, line in enumerate(lines) if line.startswith(word)) for word in order]
    assert at == sorted(at)


def test_what_a_job_says_of_itself_does_not_reach_sbatch() -> None:
    given = {"PATH": "/bin", "SLURM_CONF": "/etc/slurm.conf", "SLURM_MEM_PER_CPU": "100",
             "SLURM_JOB_ID": "1", "SBATCH_ACCOUNT": "lab", "SBATCH_SIGNAL": "USR1"}  # fmt: skip
    assert environment(given) == {
        "PATH": "/bin",
        "SLURM_CONF": "/etc/slurm.conf",
        "SBATCH_ACCOUNT": "lab",
    }


def test_kinds_of_stages_ask_for_what_is_their_own() -> None:
    slurm = SlurmConfig(
        partition="gpu", account="lab", stages={"corpus": SlurmStage(partition="cpu", hours=1.0)}
    )
    assert slurm.of_stage("corpus") == SlurmStage(partition="cpu", account="lab", hours=1.0)
    assert slurm.of_stage("pretraining") == SlurmStage(partition="gpu", account="lab")
