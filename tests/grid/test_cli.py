"""The command line in real processes: exit status, what is printed where, and the messages."""

import errno
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

import grid
from grid import cli
from grid.commands import studies
from grid.errors import StudyError
from grid.select import select
from tests.plots import frames
from tests.plots.store import fill

ROOT = Path(__file__).resolve().parents[2]
CURSE = ROOT / "studies" / "curse_of_multilinguality.yaml"
HEAD = "cell:\n  languages: [en, de]\n"


def run_grid(*arguments: object, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("GRID_STORE", None)
    return subprocess.run(
        [sys.executable, "-m", "grid", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD + "  encoder:\n    wdith: 96\n",
            "error: study.yaml:4: cell.encoder.wdith: unknown key (did you mean width?); expected "
            "one of layers, width, heads",
        ),
        (
            "cell:\n  languages: [en, dee]\n",
            "error: study.yaml:2: cell.languages: unknown language 'dee' (did you mean",
        ),
        (
            HEAD + "  encoder: {width: 100, heads: 12}\n",
            "error: study.yaml:3: cell.encoder.width: expected a multiple of encoder.heads (12), "
            "found 100",
        ),
        (
            HEAD + "  sampling:\n    alpha: 1.3\n",
            "error: study.yaml:4: cell.sampling.alpha: expected 0 to 1, found 1.3",
        ),
        (
            HEAD + "  pretraining: {updates: many}\n",
            "error: study.yaml:3: cell.pretraining.updates: expected int, found 'many' (str)",
        ),
        ("cell:\n  languages: [en\n", "error: study.yaml:3: not valid YAML"),
        (
            HEAD + "axes: [{name: a, zip: {encoder.width: [8, 16], encoder.heads: [1]}}]\n",
            "error: study.yaml:3: axes[a].zip: expected as many values on every axis",
        ),
    ],
)
def test_a_mistake_in_the_study_is_a_message(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "study.yaml").write_text(text)
    for command in ("run", "plan"):
        result = run_grid(command, "study.yaml", cwd=tmp_path)
        assert result.returncode == 2
        assert result.stdout == b""
        assert result.stderr.decode().startswith(message)
        assert b"Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "gone.yaml"), "gone.yaml: no such file"),
        (("rnu", "study.yaml"), "invalid choice: 'rnu'"),
        (("run",), "required: STUDY"),
        (("run", "study.yaml", "--worker", "0"), "expected a number of at least 1"),
        (("plan", "study.yaml", "cell.encoder.layrs=3"), "(did you mean layers?)"),
        (("plan", "study.yaml", "--scale", "smoke"), "unknown scale 'smoke'"),
        (("plan", "study.yaml", "--site", "gone.yaml"), "gone.yaml: no such file"),
        (("show", "study.yaml", "7"), "expected a cell's id or its number in the plan, 1 to 1"),
        (
            ("results", "study.yaml", "cell.corpus.source=cc100"),
            "locations.cc100: expected the folder",
        ),
    ],
)
def test_a_mistake_in_the_call_is_a_message(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "study.yaml").write_text(HEAD)
    result = run_grid(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr.decode()
    assert b"Traceback" not in result.stderr


def test_plan_prints_cells_and_prices_them(tmp_path: Path) -> None:
    result = run_grid("plan", CURSE, "--scale", "smoke", "blocks=[fixed width]", cwd=tmp_path)
    assert result.returncode == 0
    lines = result.stdout.decode().splitlines()
    assert lines[0].startswith("in every cell: ") and "rows 562" in lines[0]
    assert lines[-5].split()[:2] == ["#", "cell"]
    assert [line.split()[0] for line in lines[-3:]] == ["1", "2", "3"]
    assert "priced for cpu" in result.stderr.decode()
    assert "without sharing" in result.stderr.decode()


def test_plan_needs_no_text(tmp_path: Path) -> None:
    result = run_grid("plan", CURSE, "--scale", "paper", "--format", "csv", cwd=tmp_path)
    assert result.returncode == 0
    assert len(pl.read_csv(BytesIO(result.stdout))) == 51
    assert "no location is set for wikipedia" in result.stderr.decode()


def test_options_and_overrides_come_in_any_order(tmp_path: Path) -> None:
    result = run_grid(
        "plan", "replicates.seed=[5]", "--format", "json", "--scale", "smoke", cwd=tmp_path
    )
    assert result.returncode == 2  # the first word is the study
    result = run_grid(
        "plan", CURSE, "blocks=wider", "--format", "parquet", "replicates.seed=[5, 6]",
        "--scale", "smoke", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert pl.read_parquet(BytesIO(result.stdout))["seed"].to_list() == [5, 6, 5, 6]


def test_show_tells_where_each_value_was_written(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        HEAD + "  encoder: {heads: 1}\naxes:\n  - name: a\n    product:\n"
        "      encoder.width: [8, 16]\n"
    )
    result = run_grid(
        "show", "study.yaml", "2", "cell.encoder.layers=3", "--format", "csv", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    rows = {row[0]: row[1:] for row in pl.read_csv(BytesIO(result.stdout)).rows()}
    assert rows["encoder.width"] == ("study.yaml:7", "16")
    assert rows["encoder.layers"] == ("command line", "3")
    assert rows["encoder.heads"] == ("study.yaml:3", "1")
    assert rows["encoder.dropout"] == ("default", "0.1")
    assert rows["tokenizer.languages"] == ("as `languages`", "2: de en")


def test_status_and_results_of_a_study_that_never_ran(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(HEAD)
    result = run_grid("status", "study.yaml", cwd=tmp_path)
    assert result.returncode == 0
    assert "to run" in result.stdout.decode()
    result = run_grid("results", "study.yaml", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stdout == b""
    assert "no results yet" in result.stderr.decode()
    result = run_grid("results", "study.yaml", "--tasks", cwd=tmp_path)
    assert result.returncode == 0
    assert "no task of this study has been scored" in result.stderr.decode()


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "grid", "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.split("|")[-1].strip() for line in result.stderr.splitlines()}
    assert not loaded & {"torch", "polars", "omegaconf", "yaml", "numpy", "rich"}
    assert "examples:" in result.stdout


def test_output_into_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "grid", "plan", str(CURSE), "--scale", "paper"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=120) == 0
    process.stderr.close()
    assert b"Traceback" not in errors and b"BrokenPipe" not in errors


def test_output_onto_a_full_disk_is_a_message(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "grid", "plan", str(CURSE), "--scale", "smoke"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"error: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EIO, "Input/output error"), "a disk or network: Input/output error"),
        (OSError(errno.EROFS, "Read-only file system", "/a"), "/a: Read-only file system"),
    ],
)
def test_a_disk_that_fails_is_a_message(tmp_path: Path, error: OSError, told: str) -> None:
    code = (
        "import sys\nfrom grid import cli\n"
        f"def fails(): raise OSError({error.errno}, {error.strerror!r}, {error.filename!r})\n"
        "sys.exit(cli._guarded(fails))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, f"error: {told}\n")


def test_a_file_that_may_not_be_read_is_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/data/en.txt")

    assert cli._guarded(refused) == cli.MISTAKE
    told = "error: /data/en.txt: permission denied. Make it readable for this user\n"
    assert capsys.readouterr().err == told


def test_figures_leave_a_table_of_data_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, frames.results())
    study = grid.load(CURSE, store=tmp_path)
    assert studies._draw(study, "csv")
    printed = capfd.readouterr()
    assert printed.out == "" and "xlmr_figure_2.png" in printed.err


def test_logs_of_a_cell_that_was_never_tried(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(HEAD)
    result = run_grid("logs", "study.yaml", "1", cwd=tmp_path)
    assert result.returncode == 0 and result.stdout == b""
    assert b"has been tried in the store runs" in result.stderr


def test_every_command_and_status_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    table = page.partition("## Commands")[2].partition("## Results")[0]
    shown = [name for name, command in cli.COMMANDS.items() if not command.hidden]
    assert [name for name in shown if f"| `{name}" not in table] == []
    for status in (cli.DONE, cli.FAILED, cli.MISTAKE, cli.INTERRUPTED):
        assert f"| {status} |" in table
    for name in shown:
        for flag in cli.command_parser(name)._option_string_actions:
            assert flag in {"-h", "--help"} or flag in table, f"{name} {flag}"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("plan", "study.yaml"), cli.DONE),
        (("why", "study.yaml", "1", "1"), cli.DONE),
        (("schema",), cli.DONE),
        (("completion", "zsh"), cli.DONE),
        (("--help",), cli.DONE),
        ((), cli.MISTAKE),
        (("completion", "fish"), cli.MISTAKE),
        (("logs", "study.yaml"), cli.MISTAKE),
        (("logs", "study.yaml", "no-such-stage"), cli.MISTAKE),
        (("retry", "study.yaml", "1", "2"), cli.MISTAKE),
        (("why", "study.yaml", "1"), cli.MISTAKE),
        (("why", "1", "2", "3"), cli.MISTAKE),
        (("prune", "--keep-days", "soon"), cli.MISTAKE),
        (("adopt", "nothing"), cli.MISTAKE),
    ],
)
def test_exit_status(tmp_path: Path, arguments: tuple[str, ...], status: int) -> None:
    (tmp_path / "study.yaml").write_text(HEAD)
    result = run_grid(*arguments, cwd=tmp_path)
    assert result.returncode == status, result.stderr
    assert b"Traceback" not in result.stderr
    assert bool(result.stderr) or status == cli.DONE, "a mistake is told"


def test_stages_are_chosen_by_cell_kind_role_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(HEAD + "replicates: {seed: [1, 2]}\n")
    study = grid.load("study.yaml")
    graph = study.graph()
    kinds = {"pretraining": 2, "corpus": 2, "shards/de": 1, "tokenizer": 1}
    for name, count in kinds.items():
        assert len(select(study, graph, name)) == count
    (key,) = (key for stage, key in graph.stages if stage == "tokenizer")
    for name in (key, f"tokenizer/{key}", key[:-3]):
        assert select(study, graph, name) == [("tokenizer", key)]
    for name in ("2", study.cells[1].id, study.cells[1].id[:-2]):
        assert set(select(study, graph, name)) == set(graph.cells[study.cells[1].id].values())
    for name, told in (
        ("pretrainig", r"did you mean pretraining\?"),
        ("3", "its number in the plan, 1 to 2"),
        ("shards/", "could be any of 2 stages"),
    ):
        with pytest.raises(StudyError, match=told):
            select(study, graph, name)
