"""`python -m plots` as a user calls it: what it writes, what it says, and its exit status."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import polars
import pytest

from plots import cli
from tests.plots import frames
from tests.plots.store import fill

ROOT = Path(__file__).parents[2]


def run(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plots", "--store", str(store), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_draws_what_the_study_declares(tmp_path: Path) -> None:
    folder = fill(tmp_path, frames.results())
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    printed = [Path(line) for line in done.stdout.splitlines()]
    assert sorted(printed) == sorted(
        folder / "figures" / f"{name}.{suffix}"
        for name in ("xlmr_figure_2", "xlmr_figure_4")
        for suffix in ("png", "svg", "pdf", "json")
    )
    assert all(path.stat().st_size > 1000 for path in printed)
    assert "blocks=all" in done.stderr, "the control blocks can be added"

    beside = json.loads((folder / "figures" / "xlmr_figure_2.json").read_text(encoding="utf-8"))
    sha256 = hashlib.sha256((folder / "results.parquet").read_bytes()).hexdigest()
    assert beside["results_sha256"] == sha256
    assert beside["seeds"] == [1, 2, 3] and len(beside["cells"]) == 15
    assert beside["synthetic"] == "synthetic text"
    assert set(beside["versions"]) == {"python", "matplotlib", "numpy", "polars"}
    assert all(row["source"] and row["confidence"] for row in beside["reference"])
    low = beside["rows"][0][0]["series"][2]
    assert low["role"] == "low" and len(low["points"]) == 5
    assert set(low["points"][1]["seeds"]) == {"1", "2", "3"}
    assert str(tmp_path) not in json.dumps(beside)


def test_one_figure_elsewhere_and_what_is_missing(tmp_path: Path) -> None:
    frame = frames.results(blocks=tuple(frames.BLOCKS)).filter(
        ~((polars.col("n_languages") == 60) & (polars.col("seed") == 3))
    )
    fill(tmp_path / "store", frame)
    done = run(tmp_path / "store", "xlmr_figure_2", "--output", str(tmp_path / "here"))
    assert done.returncode == 0, done.stderr
    assert "60 languages: 2 of 3 seeds" in done.stderr
    assert "python -m grid run studies/curse_of_multilinguality.yaml --scale laptop" in done.stderr
    assert len(list((tmp_path / "here").iterdir())) == 4


def test_a_misspelt_figure_names_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["xlmr_fig_2", "--store", str(tmp_path)]) == 2
    assert "Did you mean xlmr_figure_2?" in capsys.readouterr().err


def test_an_empty_store_names_the_command_that_fills_it(tmp_path: Path) -> None:
    for store in (tmp_path, tmp_path / "absent"):
        done = run(store)
        assert done.returncode == 2
        assert "python -m grid run studies/curse_of_multilinguality.yaml" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_study_without_results_names_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, None, scale="smoke")
    assert cli.main(["--store", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "grid run studies/curse_of_multilinguality.yaml --scale smoke --store" in error


def test_unknown_study_and_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, frames.results())
    assert cli.main(["--store", str(tmp_path), "--study", "curse"]) == 2
    assert "Did you mean curse_of_multilinguality?" in capsys.readouterr().err
    assert cli.main(["--store", str(tmp_path), "--scale", "laptob"]) == 2
    assert "Did you mean laptop?" in capsys.readouterr().err


def test_output_wants_one_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, frames.results())
    fill(tmp_path, frames.results(), scale="smoke")
    assert cli.main(["--store", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    assert "choose with --study and --scale" in capsys.readouterr().err


def test_results_without_the_blocks_are_a_failure_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = frames.results(blocks=("fixed width",))
    fill(tmp_path, frame, figures=("xlmr_figure_4", "xlmr_figure_9"))
    assert cli.main(["--store", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "'wider'" in error and "xlmr_figure_9, which is unknown here" in error


def test_damaged_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fill(tmp_path, frames.results())
    (folder / "results.parquet").write_bytes(b"PAR1 cut short")
    assert cli.main(["--store", str(tmp_path)]) == 1
    assert "results.parquet: cannot be read" in capsys.readouterr().err
    (folder / "study.json").write_text("{", encoding="utf-8")
    assert cli.main(["--store", str(tmp_path)]) == 2
    assert "study.json: cannot be read" in capsys.readouterr().err


def test_help_is_instant_and_nothing_imports_torch() -> None:
    code = (
        "import sys, plots.cli, plots.registry, plots.output;"
        "heavy = {'torch', 'deepspeed', 'grid.study', 'matplotlib.pyplot'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    light = "import sys, plots.cli; print('matplotlib' in sys.modules or 'polars' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", light], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_link_in_a_stranger_s_store_is_not_drawn_through(tmp_path: Path) -> None:
    folder, private = fill(tmp_path / "store", frames.results()), tmp_path / "private"
    private.mkdir()
    (folder / "figures").symlink_to(private)
    done = run(tmp_path / "store", "xlmr_figure_2")
    assert done.returncode == 2
    assert "figures is a link" in done.stderr and not list(private.iterdir())
