"""The command stage: a program of somebody's own, under the same keys, store and results."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import grid as grid_package
from tests.grid.own_trainer import ROOT, STUDY, environment, grid, write
from tests.grid.processes import wait_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def does(what: str) -> list[str]:
    return [f"cell.commands.mine.settings.does={what}"]


def test_its_scores_are_rows_of_the_results(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = grid(folder, "run", "own.yaml")
    assert result.returncode == 0, result.stderr
    assert "mine size" in result.stdout
    monkeypatch.chdir(folder)
    frame = grid_package.load("own.yaml").results()
    assert frame["task"].unique().to_list() == ["mine"]
    assert frame["language"].to_list() == ["en", "sw"] * 2
    assert frame["seen"].to_list() == [True] * 4 and frame["n"].to_list() == [1] * 4
    values = frame["value"].to_list()
    assert values[2:] == [2 * value for value in values[:2]], "the setting has reached the program"
    assert frame["tokens_seen"].null_count() == 4
    again = grid(folder, "run", "own.yaml")
    assert "0 stages run" in again.stderr and again.stdout == result.stdout
    log = grid(folder, "logs", "own.yaml", "command/mine").stdout
    assert "hello at rate 1" in log and "hello at rate 2" in log


@pytest.mark.parametrize(("form", "metrics"), [("lines", ["size"]), ("one", ["accuracy", "loss"])])
def test_metrics_may_be_lines_or_one_object(folder: Path, form: str, metrics: list[str]) -> None:
    assert grid(folder, "run", "own.yaml", *does(form)).returncode == 0
    (file,) = (folder / "runs" / "studies").glob("*/*/results.parquet")
    assert sorted(pl.read_parquet(file)["metric"].unique()) == metrics


def test_its_version_and_settings_are_its_identity_and_its_place_is_not(folder: Path) -> None:
    def key() -> str:
        return str(grid_package.load(folder / "own.yaml", site=folder / "grid.yaml").graph().cells)

    first, site = key(), (folder / "grid.yaml").read_text()
    (folder / "grid.yaml").write_text(site.replace("hello", "good day").replace("train", "other"))
    assert key() == first
    (folder / "grid.yaml").write_text(site.replace("version: 1", "version: 2"))
    assert key() != first


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (
            "fail",
            "the program mine ended with status 1; it printed last:\nhello at rate 2\nthe loss",
        ),
        ("silent", "the program mine ended well, but wrote no metrics.json into its output folder"),
        (
            "nan",
            "metrics.json[0] of the program mine: expected a finite number as value, found nan",
        ),
        ("odd", "metrics.json[0] of the program mine: expected an object with metric, value, lang"),
        ("reserved", "the output has a file config.json, which is a name that the store keeps for"),
    ],
)
def test_a_failure_says_what_the_program_said(folder: Path, what: str, told: str) -> None:
    result = grid(folder, "run", "own.yaml", *does(what))
    assert result.returncode == 1
    assert told in result.stderr
    kept = list((folder / "runs" / "artifacts" / "command").rglob("scores.json"))
    assert len(kept) == (1 if what == "fail" else 0), "the other cell is finished"


def test_a_program_that_is_not_there(folder: Path) -> None:
    site = (folder / "grid.yaml").read_text()
    (folder / "grid.yaml").write_text(site.replace('"{python}"', "no-such-trainer"))
    result = grid(folder, "run", "own.yaml")
    assert result.returncode == 1
    assert (
        f"commands.mine.run: 'no-such-trainer' cannot be started in {folder}: No such file or "
        "directory. Correct it in the site file"
    ) in result.stderr


def test_retry_runs_what_failed_and_nothing_else(folder: Path) -> None:
    failing = does("fail")
    assert grid(folder, "run", "own.yaml", *failing).returncode == 1
    status = grid(folder, "status", "own.yaml", *failing)
    assert status.returncode == 1 and "1 failed" in status.stdout
    assert grid(folder, "retry", "own.yaml", "tokenizer", *failing).stderr.startswith("nothing has")
    again = grid(folder, "retry", "own.yaml", *failing)
    assert again.returncode == 1, "the cause is still there"
    (folder / "fixed").touch()
    more = "axes.rates.product.commands.mine.settings.rate=[1, 2, 3]"
    fixed = grid(folder, "retry", "own.yaml", "command", *failing, more)
    assert fixed.returncode == 0 and "1 stages run" in fixed.stderr, fixed.stderr
    assert "1 to run" in grid(folder, "status", "own.yaml", *failing, more).stdout, "rate 3 waits"
    assert grid(folder, "retry", "own.yaml", *failing).stderr == "nothing has failed\n"


def test_a_killed_run_ends_its_program_and_the_next_goes_on(folder: Path) -> None:
    (folder / "own.yaml").write_text(STUDY.replace("[1, 2]", "[1]"))
    waiting = does("wait")
    process = subprocess.Popen(
        [sys.executable, "-m", "grid", "run", "own.yaml", *waiting],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    follower = None
    try:
        work = folder / "runs" / "work" / "command"
        wait_for(lambda: any(work.glob("*/program/attempt0")))
        (attempt,) = work.glob("*/program/attempt0")
        wait_for(lambda: attempt.read_text() != "")
        follower = subprocess.Popen(
            [sys.executable, "-m", "grid", "logs", "own.yaml", "command", "--follow", *waiting],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert follower.stdout is not None
        assert follower.stdout.readline().startswith("==> command mine-"), "it follows"
        program = int(attempt.read_text())
        os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: not _lives(program))
        told = follower.stdout.read()
        assert "hello at rate 1" in told, "it printed to the end, and ended"
    finally:
        for each in (process, follower):
            if each is not None and each.poll() is None:
                each.kill()
            if each is not None:
                each.communicate()
    (folder / "fixed").touch()
    assert grid(folder, "run", "own.yaml", *waiting).returncode == 0
    assert not work.exists() or not list(work.iterdir()), "its work folder went with publication"


SHELL = """run: [sh, -c, "'{python}' train.py '{config}'; exit $?"]"""
"""The shell ends at SIGTERM and does not pass it on."""


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_program_that_saves_when_it_is_asked_and_calls_that_a_success(
    folder: Path, wrapped: bool
) -> None:
    if wrapped:
        site = (folder / "grid.yaml").read_text()
        (folder / "grid.yaml").write_text(
            site.replace('run: ["{python}", train.py, "{config}"]', SHELL)
        )
        assert "sh, -c" in (folder / "grid.yaml").read_text()
    (folder / "own.yaml").write_text(STUDY.replace("[1, 2]", "[1]"))
    process = subprocess.Popen(
        [sys.executable, "-m", "grid", "run", "own.yaml", *does("saves")],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    logs = folder / "runs" / "attempts" / "command"
    wait_for(lambda: any("training" in log.read_text() for log in logs.rglob("log")))
    os.killpg(process.pid, signal.SIGINT)
    assert "failed" not in process.communicate(timeout=120)[1]
    (outcome,) = logs.rglob("outcome.json")
    assert json.loads(outcome.read_text())["state"] == "stopped"
    assert any((folder / "runs" / "work" / "command").glob("*/program/saved"))
    again = grid(folder, "run", "own.yaml", *does("saves"))
    assert again.returncode == 0, again.stderr


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_programs_come_from_the_site_file_only(folder: Path) -> None:
    (folder / "grid.yaml").unlink()
    result = grid(folder, "run", "own.yaml")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(
        "error: commands.mine: expected this program in the site file (grid.yaml, or --site FILE), "
        "found none."
    )
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("site", "message"),
    [
        ("commands: {mine: {version: 1}}\n", "grid.yaml:1: commands.mine: expected `run`"),
        ("commands: {mine: {run: [a]}}\n", "grid.yaml:1: commands.mine: expected `version`"),
        (
            "commands: {mine: {run: [a, '{cnfig}'], version: 1}}\n",
            "grid.yaml:1: commands.mine.run[1]: unknown place {cnfig} (did you mean config?); "
            "expected one of {config}, {output}, {metrics}, {work}, {python}",
        ),
        ("commands: {../x: {}}\n", "grid.yaml:1: commands.../x: expected a name of small letters"),
        (
            "commands: {mine: {run: [a], version: 1.5}}\n",
            "grid.yaml:1: commands.mine.version: expected a whole number or text, found 1.5",
        ),
        (
            "commands: {mine: {run: [a], version: 1, seconds: soon}}\n",
            "grid.yaml:1: commands.mine.seconds: expected seconds, a number more than 0, found "
            "'soon' (str)",
        ),
        (
            "commands: {mine: {run: a b, version: 1}}\n",
            "grid.yaml:1: commands.mine.run: expected a list, found 'a b' (str)",
        ),
    ],
)
def test_a_mistake_in_the_site_file_is_a_message(folder: Path, site: str, message: str) -> None:
    (folder / "grid.yaml").write_text(site)
    result = grid(folder, "plan", "own.yaml")
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {message}")


@pytest.mark.slow
def test_the_hugging_face_example(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    example = ROOT / "examples" / "hugging_face"
    arguments = [example / "study.yaml", "--site", example / "grid.yaml", "--store", tmp_path]
    result = grid(tmp_path, "run", *arguments)
    assert result.returncode == 0, result.stderr
    frame = pl.read_parquet(next(tmp_path.glob("studies/*/*/results.parquet")))
    assert frame["metric"].unique().to_list() == ["masked_loss"]
    assert all(0 < value < 6 for value in frame["value"])
    (weights,) = next(tmp_path.glob("artifacts/command/*")).glob("*/model/model.safetensors")
    assert json.loads((weights.parent / "config.json").read_text())["hidden_size"] == 16
