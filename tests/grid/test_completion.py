"""Completion in a real bash, and what it is made from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grid.cli import COMMANDS
from grid.completion import candidates
from tests.grid.own_trainer import environment, write

# What bash itself does on TAB: finds the function of the command, fills in its variables, calls it.
ASK = """
set -u
source <("$PYTHON" -m grid completion bash)
words=("$PYTHON" -m grid "$@")
specification=$(complete -p python)
function=${specification#* -F }
COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
compopt() { local IFS=" "; echo "compopt $*"; }
"${function%% *}" "$PYTHON" "${words[-1]}" "${words[-2]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def tab(folder: Path, *words: str) -> list[str]:
    """What a real bash offers after these words, the last of which is being typed."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("NOT TESTED: there is no bash here")
    done = subprocess.run(
        [bash, "--norc", "-c", ASK, "bash", *words],
        cwd=folder,
        env={**environment(), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_completes_commands_options_files_and_cells(tmp_path: Path) -> None:
    write(tmp_path)
    assert tab(tmp_path, "re") == ["results", "report", "retry"]
    assert tab(tmp_path, "plan", "o") == ["own.yaml"]
    assert tab(tmp_path, "prune", "own.yaml", "--k") == ["--keep-days"]
    assert tab(tmp_path, "plan", "own.yaml", "--format", "c") == ["csv"]
    assert tab(tmp_path, "show", "own.yaml", "rate2") == tab(tmp_path, "logs", "own.yaml", "rate2")
    (cell,) = tab(tmp_path, "show", "own.yaml", "rate2")
    assert cell.startswith("rate2-s1-")
    assert tab(tmp_path, "run", "own.yaml", "cell.encoder.wi") == [
        "compopt -o nospace",
        "cell.encoder.width=",
    ]


def test_other_python_commands_are_left_alone(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("NOT TESTED: there is no bash here")
    other = ASK.replace('"$PYTHON" -m grid "$@"', '"$PYTHON" -m pytest "$@"')
    done = subprocess.run(
        [bash, "--norc", "-c", other, "bash", "te"],
        cwd=tmp_path,
        env={**environment(), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == "", "bash then completes file names, as without us"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path)
    (tmp_path / "scaled.yaml").write_text("extends: base.yaml\n")
    (tmp_path / "base.yaml").write_text("cell: {}\nscales: {laptop: {}, paper: {}}\n")
    (tmp_path / "broken.yaml").write_text("cell: [\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], [name for name in COMMANDS if name != "complete"]),
        (
            ["plan", ""],
            ["base.yaml", "broken.yaml", "grid.yaml", "own.yaml", "scaled.yaml", "sub/"],
        ),
        (["plan", "scaled.yaml", "--scale", ""], ["laptop", "paper"]),
        (["plan", "broken.yaml", "--scale", ""], []),
        (["show", "broken.yaml", ""], []),
        (["plan", "gone.yaml", "--scale", ""], []),
        (["completion", ""], ["bash", "zsh"]),
        (["completion", "z"], ["zsh"]),
        (["logs", "own.yaml", "pre"], ["pretraining"]),
        (["plan", "own.yaml", "--store", "s"], ["sub/", "scaled.yaml"]),
        (["plan", "own.yaml", "repl"], ["replicates="]),
        (["plan", "own.yaml", "ce"], ["cell."]),
        (["plan", "own.yaml", "cell.seed=3", "cell.seed=1"], []),
        (["plan", "--scale", "laptop", "ow"], ["own.yaml"]),
        (["adopt", "su"], ["sub/"]),
        (["no such command", ""], []),
        (["doctor", "x"], []),
        ([], [name for name in COMMANDS if name != "complete"]),
    ],
)
def test_what_may_come_next(folder: Path, words: list[str], expected: list[str]) -> None:
    assert sorted(candidates(words)) == sorted(expected)


def test_completion_imports_nothing_heavy(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "grid", "complete", "pl"],
        cwd=tmp_path,
        env=dict(os.environ) | environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.split("|")[-1].strip() for line in result.stderr.splitlines()}
    assert not loaded & {"torch", "polars", "omegaconf", "numpy", "rich"}
    assert result.stdout == "plan\n"
