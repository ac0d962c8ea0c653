"""What is recorded of the software, by git itself in repositories made for the purpose."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from grid import environment

_GIT = shutil.which("git") or pytest.skip("NOT TESTED: there is no git", allow_module_level=True)


def git(folder: Path, *arguments: str) -> str:
    command = [_GIT, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("GRID_REVISION", raising=False)
    monkeypatch.setattr(environment, "_ROOT", tmp_path)
    environment.revision.cache_clear()
    git(tmp_path, "init")
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", ".")
    yield tmp_path
    environment.revision.cache_clear()


def test_a_revision_is_a_commit_and_whether_files_differ(checkout: Path) -> None:
    assert environment.revision() is None, "nothing is committed yet"
    git(checkout, "commit", "-m", "first")
    commit = git(checkout, "rev-parse", "HEAD").strip()
    (checkout / "untracked").touch()
    for content, expected in (("1", commit), ("2", f"{commit}-dirty")):
        (checkout / "code.py").write_text(content)
        environment.revision.cache_clear()
        assert environment.revision() == expected


def test_to_look_at_a_checkout_leaves_no_lock_in_it(checkout: Path) -> None:
    """A git that is killed while it holds the lock leaves it, and no commit can be made then."""
    git(checkout, "commit", "-m", "first")
    index = checkout / ".git" / "index"
    os.utime(checkout / "code.py", (1e9, 1e9))  # git would write down that this is no change
    before = index.stat().st_ino, index.read_bytes()
    environment.revision.cache_clear()
    assert environment.revision() == git(checkout, "rev-parse", "HEAD").strip()
    assert (index.stat().st_ino, index.read_bytes()) == before
