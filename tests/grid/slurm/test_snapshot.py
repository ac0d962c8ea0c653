"""Snapshots: by content, whole, of what is imported, and deaf to later edits."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grid.errors import StoreError
from grid.slurm.snapshot import digest, snapshot
from tests.grid.processes import ROOT

TAKE = """
import sys
from pathlib import Path
from grid.slurm.snapshot import snapshot
import grid
print(grid.__file__)
print(snapshot(Path(sys.argv[1])))
"""


def taken(code: Path, store: Path) -> Path:
    """The snapshot that a process takes whose packages lie in `code`."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", TAKE, str(store)],
        env={"PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    imported, place = done.stdout.splitlines()
    assert Path(imported).is_relative_to(code)
    return Path(place)


def copied(folder: Path) -> Path:
    """This code in another folder, without a repository around it: as if installed."""
    for name in ("grid", "model", "plots"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_equal_code_has_one_snapshot_wherever_it_lies(tmp_path: Path) -> None:
    place = snapshot(tmp_path / "runs")
    assert place.name == digest() and snapshot(tmp_path / "runs") == place
    assert taken(copied(tmp_path / "installed"), tmp_path / "runs") == place
    assert sorted(path.name for path in place.iterdir()) == ["grid", "model", "plots"]
    assert (place / "grid/budget/calibration.json").is_file()
    assert (place / "model/languages.csv").is_file()
    assert not list(place.rglob("*.pyc")) and not list((tmp_path / "runs").rglob(".*~*"))
    # A snapshot is complete: it can take one of itself.
    assert taken(place, tmp_path / "runs") == place


def test_an_edit_makes_another_snapshot_and_leaves_the_first(tmp_path: Path) -> None:
    code = copied(tmp_path / "code")
    first = taken(code, tmp_path / "runs")
    edited = code / "model" / "languages.py"
    edited.write_text(edited.read_text() + "\n# edited\n")
    second = taken(code, tmp_path / "runs")
    assert first != second
    assert not (first / "model/languages.py").read_text().endswith("# edited\n")
    assert (second / "model/languages.py").read_text().endswith("# edited\n")


def test_a_snapshot_that_was_changed_is_not_used(tmp_path: Path) -> None:
    place = snapshot(tmp_path)
    (place / "grid" / "cli.py").write_text("")
    with pytest.raises(StoreError, match="files in it were changed"):
        snapshot(tmp_path)
