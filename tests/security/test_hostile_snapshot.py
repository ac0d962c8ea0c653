"""Jobs run the code that was submitted, also from a store that somebody else has prepared."""

import importlib.util
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from grid.errors import StoreError
from grid.slurm.snapshot import snapshot

EVIL = "raise SystemExit(99)"


def imported(place: Path, name: str) -> int:
    """The exit status of a program that imports a module with the snapshot before all else."""
    code = f"import sys; sys.path.insert(0, {str(place)!r}); import {name}"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def compiled(tmp_path: Path, to: Path) -> None:
    """Bytecode that Python runs without a look at the source beside it."""
    (tmp_path / "evil.py").write_text(EVIL)
    to.parent.mkdir(exist_ok=True)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(tmp_path / "evil.py"), cfile=str(to), invalidation_mode=mode)


@pytest.mark.parametrize("name", ["grid.errors", "yaml"])
def test_compiled_code_in_a_snapshot_is_not_run(tmp_path: Path, name: str) -> None:
    place = snapshot(tmp_path / "store")
    if name == "yaml":  # which is no part of the snapshot
        compiled(tmp_path, place / "yaml.pyc")
    else:
        source = place / "grid" / "errors.py"
        compiled(tmp_path, Path(importlib.util.cache_from_source(str(source))))
    assert imported(place, name) == 99, "the attack works"
    assert snapshot(tmp_path / "store") == place
    assert imported(place, name) == 0


@pytest.mark.parametrize("name", ["yaml.py", "grid/errors.py", "yaml/__init__.py", "yaml.so"])
def test_other_code_in_a_snapshot_is_refused(tmp_path: Path, name: str) -> None:
    place = snapshot(tmp_path / "store")
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text(EVIL)
    with pytest.raises(StoreError, match="files in it were changed"):
        snapshot(tmp_path / "store")


def test_a_link_in_a_snapshot_is_refused(tmp_path: Path) -> None:
    place = snapshot(tmp_path / "store")
    (place / "grid" / "errors.py").rename(tmp_path / "errors.py")
    (place / "grid" / "errors.py").symlink_to(tmp_path / "errors.py")
    with pytest.raises(StoreError, match="is a link"):
        snapshot(tmp_path / "store")
