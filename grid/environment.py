"""The software that makes an artifact: what a manifest records of it, and where it lies."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = (
    "multilingual-grid",
    "deepspeed",
    "numpy",
    "omegaconf",
    "polars",
    "safetensors",
    "sentencepiece",
    "torch",
)


@cache
def environment() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on; the kind of machine."""
    versions = {"python": platform.python_version()}
    versions["system"] = f"{platform.system()} {platform.machine()}"
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@cache
def revision() -> str | None:
    """The git commit of this code, with `-dirty` if files differ; None outside a checkout.

    A copy of the code, from which jobs run, is told in GRID_REVISION what it was copied from.
    """
    if "GRID_REVISION" in os.environ:
        return os.environ["GRID_REVISION"]
    git = shutil.which("git")
    if git is None or not (_ROOT / ".git").exists():
        return None  # installed: a repository further up would be another project's
    # Without the index lock, which git leaves behind where it is killed, as with this process.
    command = [git, "--no-optional-locks", "status", "--porcelain=v2", "--branch"]
    try:
        result = subprocess.run(
            [*command, "--untracked-files=no"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = result.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), "")
    if result.returncode != 0 or not commit.isalnum():  # `(initial)`: nothing is committed yet
        return None
    changed = any(not line.startswith("#") for line in lines)
    return f"{commit}-dirty" if changed else commit


def python_path() -> str:
    """PYTHONPATH for other processes: they find this very grid, wherever they are started from."""
    given = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(_ROOT), *([given] if given else [])])
