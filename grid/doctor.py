"""Checks what a study will meet on this machine: packages, cores, GPUs, the store, the site file.

Each line says what was found and, where something is not as it should be, what to do. A `problem`
is what a run would fail on; a `warning` is what it may.
"""

import errno
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grid.machine import cores, has_bf16, memory
from model.errors import InputError

if TYPE_CHECKING:
    import polars

    from grid.layers import Site

OK, WARNING, PROBLEM = "ok", "warning", "problem"

_PYTHON = ((3, 11), (3, 14))
_ROOT = Path(__file__).resolve().parent.parent
_NETWORK = ("nfs", "nfs4", "lustre", "gpfs", "cifs", "smb3", "beegfs", "ceph", "fuse.sshfs", "9p")
_LITTLE_MEMORY = 2e9
_LITTLE_SPACE, _NO_SPACE = 10e9, 200e6
_SKEW = 5.0
"""Seconds by which a file server's clock may differ."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One check."""

    check: str
    state: str
    found: str
    do: str = ""
    """What to do about it; empty if all is well."""


def examine(store: Path | None, site_file: Path | None) -> list[Line]:
    """Every check, in order. `store`: as a call names it; the rest is as in `grid.study.load`."""
    from grid.layers import read_site
    from grid.study import choose_store

    lines = [*_python(), *_packages(), *_torch(), *_machine()]
    of_site = None
    try:
        site = read_site(site_file)
        of_site = site.store
        lines += _site(site)
    except InputError as error:
        lines.append(Line(check="site file", state=PROBLEM, found=str(error), do="correct it"))
    return [*lines, *_store(choose_store(store, of_site)), *_launcher()]


def frame(lines: list[Line]) -> "polars.DataFrame":
    """One row for each check."""
    import polars

    names = ("check", "state", "found", "do")
    return polars.DataFrame(
        {name: [getattr(line, name) for line in lines] for name in names},
        schema=dict.fromkeys(names, polars.String),
    )


def _python() -> Iterator[Line]:
    low, high = _PYTHON
    right = low <= sys.version_info[:2] < high
    yield Line(
        check="python",
        state=OK if right else PROBLEM,
        found=f"{platform.python_version()} ({sys.executable})",
        do="" if right else f"use Python {low[0]}.{low[1]} to {high[0]}.{high[1] - 1}",
    )


def _packages() -> Iterator[Line]:
    """What pyproject.toml asks for, and the versions that constraints.txt was tested with."""
    tested = _tested()
    for requirement in _requirements():
        name = re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0]
        wanted = requirement.removeprefix(name)
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            do = f"install it: pip install '{requirement}'"
            yield Line(check=name, state=PROBLEM, found="not installed", do=do)
            continue
        right = _satisfies(version, wanted)
        told = tested.get(name.lower())
        note = "" if told in (None, version.partition("+")[0]) else f" (tested with {told})"
        yield Line(
            check=name,
            state=OK if right else WARNING,
            found=f"{version}{note}",
            do="" if right else f"expected {wanted}: pip install '{requirement}'",
        )


def _requirements() -> list[str]:
    project = _ROOT / "pyproject.toml"
    if project.is_file():
        return list(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"])
    found = importlib.metadata.requires("multilingual-grid") or []
    return [each for each in found if "extra ==" not in each]


def _tested() -> dict[str, str]:
    file = _ROOT / "constraints.txt"
    if not file.is_file():
        return {}  # installed without its sources
    pins = (line.partition("==") for line in file.read_text(encoding="utf-8").splitlines())
    return {name.strip().lower(): version.strip() for name, equals, version in pins if equals}


def _satisfies(version: str, wanted: str) -> bool:
    """Whether a version is in a range such as `>=1.2,<2`."""
    have = _numbers(version)
    for part in filter(None, wanted.replace(" ", "").split(",")):
        sign, limit = re.match(r"([<>=]+)(.*)", part).groups()  # type: ignore[union-attr]
        than = _numbers(limit)
        if not {">=": have >= than, "<": have < than, "<=": have <= than, "==": have == than}[sign]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part)  # type: ignore[index]


def _torch() -> Iterator[Line]:
    """Whether what trains can be imported: in a process of its own, for it takes seconds."""
    code = "import torch, deepspeed; print(torch.cuda.is_available(), torch.cuda.device_count())"
    status, output = _call([sys.executable, "-c", code], 300)
    last = (output.strip().splitlines() or ["no output"])[-1]
    if status != 0:
        do = "reinstall torch, then deepspeed"
        yield Line(check="training", state=PROBLEM, found=f"cannot be imported: {last}", do=do)
        return
    yield Line(check="training", state=OK, found="torch and deepspeed can be imported")
    available, count = last.split()
    smi = shutil.which("nvidia-smi")
    if smi is not None and available == "False":
        do = "install a build of torch for CUDA, or leave execution.device at cpu"
        yield Line(check="GPU", state=WARNING, found="torch sees none of this machine's", do=do)
    elif smi is None:
        yield Line(check="GPU", state=OK, found="none: execution.device is cpu here")
    else:
        query = "--query-gpu=name,memory.total,driver_version"
        _, told = _call([smi, query, "--format=csv,noheader"], 60)
        names = "; ".join(told.strip().splitlines())
        yield Line(check="GPU", state=OK, found=f"{count}: {names}")


def _machine() -> Iterator[Line]:
    yield Line(
        check="bf16",
        state=OK,
        found="the CPU has instructions for it"
        if has_bf16()
        else "the CPU has no instructions for it: it is as fast as fp32 here, no faster; for plans "
        "that know this machine, python -m grid.budget.calibrate",
    )
    yield Line(check="cores", state=OK, found=f"{cores()} of {os.cpu_count()} may be used")
    little = memory() < _LITTLE_MEMORY
    yield Line(
        check="memory",
        state=WARNING if little else OK,
        found=f"{memory() / 1e9:.1f} GB",
        do="run fewer stages side by side: --workers 1" if little else "",
    )


def _site(site: "Site") -> Iterator[Line]:
    if site.placed is None:
        yield Line(check="site file", state=OK, found="none (grid.yaml, or --site FILE)")
        return
    yield Line(check="site file", state=OK, found=str(site.file))
    locations = site.placed.find(("locations",))
    for name, node in (locations.value if locations and locations.value else {}).items():
        folder = node.origin.folder / Path(str(node.value)).expanduser()
        there = folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
        yield Line(
            check=f"locations.{name}",
            state=OK if there else PROBLEM,
            found=str(folder) if there else f"{folder} is no folder that can be read",
            do="" if there else f"correct it at {node.origin}",
        )
    for name, program in sorted(site.programs.items()):
        word = program.run[0]
        known = word == "{python}" or shutil.which(word, path=_path(program.environment))
        there = bool(known) or (Path(program.folder) / word).is_file()
        yield Line(
            check=f"commands.{name}",
            state=OK if there else PROBLEM,
            found=" ".join(program.run) if there else f"{word} is no program",
            do="" if there else "correct `run` in the site file, or install it",
        )


def _path(environment: object) -> str | None:
    return environment.get("PATH") if isinstance(environment, dict) else None


def _store(root: Path) -> Iterator[Line]:
    """Tries what the store relies on, in a folder that is removed again."""
    root = root.expanduser().absolute()
    above = next(path for path in (root, *root.parents) if path.exists())
    try:
        probe = Path(tempfile.mkdtemp(prefix=".doctor-", dir=above))
    except OSError as error:
        do = "choose another store with --store"
        found = f"{root}: {error.strerror or error}"
        yield Line(check="store", state=PROBLEM, found=found, do=do)
        return
    try:
        told = "" if above == root else " (made by the first run)"
        yield Line(check="store", state=OK, found=f"{root} can be written{told}")
        for check in (_rename, _links, _clock):
            yield _tried(check, probe)
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    yield _space(above)
    kind = _file_system(above)
    network = kind in _NETWORK
    yield Line(check="file system", state=OK, found=f"{kind}{', a network' if network else ''}")


def _tried(check: Callable[[Path], Line], probe: Path) -> Line:
    try:
        return check(probe)
    except OSError as error:
        name = check.__name__.strip("_")
        do = "choose a store on another file system with --store"
        return Line(check=name, state=PROBLEM, found=str(error), do=do)


def _rename(probe: Path) -> Line:
    """Publishing renames a folder, and must not replace one that is there."""
    for name in ("new", "old"):
        (probe / name).mkdir()
        (probe / name / "file").write_bytes(b"x")
    try:
        (probe / "new").rename(probe / "old")
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    else:
        do = "choose a store on another file system with --store"
        return Line(check="rename", state=PROBLEM, found="a rename replaced a folder", do=do)
    (probe / "new").rename(probe / "other")
    return Line(check="rename", state=OK, found="folders can be renamed, and are not replaced")


def _links(probe: Path) -> Line:
    (probe / "one").write_bytes(b"x")
    try:
        os.link(probe / "one", probe / "two")
    except OSError as error:
        found = f"no hard links ({error.strerror})"
        do = "leases are made by exclusive creation instead; let only one machine use this store"
        return Line(check="links", state=WARNING, found=found, do=do)
    return Line(check="links", state=OK, found="hard links, by which leases are taken")


def _clock(probe: Path) -> Line:
    before = time.time()
    (probe / "now").write_bytes(b"x")
    skew = (probe / "now").stat().st_mtime - before
    wrong = abs(skew) > _SKEW
    return Line(
        check="clock",
        state=WARNING if wrong else OK,
        found=f"the file system's is {skew:+.1f} s from this machine's",
        do="let both follow one time server; `prune --keep-days` goes by it" if wrong else "",
    )


def _space(folder: Path) -> Line:
    free = shutil.disk_usage(folder).free
    state = PROBLEM if free < _NO_SPACE else WARNING if free < _LITTLE_SPACE else OK
    do = "" if state == OK else "free some (python -m grid prune), or choose another store"
    return Line(check="space", state=state, found=f"{free / 1e9:.1f} GB free", do=do)


def _file_system(folder: Path) -> str:
    """The type of the file system that a folder lies on, by the longest mount point above it."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        _, point, name = line.split()[:3]
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, name
    return kind


def _launcher() -> Iterator[Line]:
    yield Line(check="launcher local", state=OK, found="always there")
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        yield Line(check="launcher slurm", state=OK, found="no sbatch here: local only")
        return
    status, output = _call([sbatch, "--version"], 30)
    yield Line(
        check="launcher slurm",
        # Slurm's programs without a cluster harm nobody who runs on this machine.
        state=OK if status == 0 else WARNING,
        found=output.strip() or f"sbatch ended with {status}",
        do=""
        if status == 0
        else "to use Slurm, ask who runs the cluster: `sbatch --version` fails",
    )


def _call(command: list[str], seconds: float) -> tuple[int, str]:
    """Status and output of a program; a program that does not end counts as failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return 1, f"{command[0]} did not answer in {seconds:.0f} s"
    return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr
