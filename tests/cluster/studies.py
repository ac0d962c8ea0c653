"""Whole studies on the test cluster, through the command line as a user has it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.daemons import Cluster
from tests.grid.processes import ROOT

SECONDS = 600.0
SMALL = ("execution.slurm.memory_gb=0.3", "execution.slurm.signal_seconds=50")
"""What jobs ask for: so that the nodes of the test cluster have room for many."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A stage that a job works on now."""

    id: str
    """The job, as scancel knows it."""
    node: str
    ranks: Mapping[int, int]
    """The processes of its ranks, where it has several."""


class Study:
    """A study file with a store of its own, in a folder."""

    scale = "small"

    def __init__(self, folder: Path, text: str, cluster: Cluster | None, *overrides: str) -> None:
        """cluster: None for the local launcher. overrides: for every command."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.cluster = cluster
        self.store = folder / "runs"
        self.overrides = overrides
        (folder / "study.yaml").write_text(f"{text}scales:\n  small: {{}}\n")

    @property
    def environment(self) -> Mapping[str, str]:
        own = {} if self.cluster is None else self.cluster.environment
        return {**os.environ, **own, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def start(self, command: str, *arguments: str) -> "subprocess.Popen[str]":
        """A command on the study, in a session of its own."""
        command_line = [sys.executable, "-m", "grid", command, "study.yaml", "--scale", self.scale]
        return subprocess.Popen(
            [*command_line, *self.overrides, *arguments],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def call(self, command: str, *arguments: str, status: int = 0) -> str:
        """What a command says; it must end with this status."""
        process = self.start(command, *arguments)
        said = process.communicate(timeout=SECONDS)[0]
        assert process.returncode == status, f"{said}\n{self.logs()}"
        return said

    def submit(self, *arguments: str) -> str:
        return self.call("run", "--launcher", "slurm", *arguments)

    def finish(self, *arguments: str, status: int = 0) -> str:
        """Submits what is missing and waits until nothing more happens by itself."""
        self.submit(*arguments)
        return self.call("wait", *arguments, status=status)

    def payloads(self, *kinds: str) -> dict[str, dict[str, str]]:
        """Checksums, computed anew, of every file of every artifact but its manifest."""
        return {
            f"{folder.parent.parent.name} {folder.name}": {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(folder.rglob("*"))
                if path.is_file() and path.name != "manifest.json"
            }
            for folder in sorted((self.store / "artifacts").glob("*/*/*"))
            if not kinds or folder.parent.parent.name in kinds
        }

    def outcomes(self, kind: str) -> dict[str, list[str]]:
        """How each attempt at the stages of a kind ended, by key: `done`, or the cause."""
        found: dict[str, list[str]] = {}
        files = (self.store / "attempts" / kind).glob("*/*/job.json")
        for attempt in sorted((file.parent for file in files), key=lambda path: int(path.name)):
            try:
                outcome = json.loads((attempt / "outcome.json").read_text())
                ended = outcome["kind"] or outcome["state"]
            except FileNotFoundError:
                ended = "silent"
            found.setdefault(attempt.parent.name, []).append(ended)
        return found

    def steps(self, kind: str = "pretraining") -> int:
        """Lines of progress that all attempts at a kind of stage have reported."""
        files = (self.store / "attempts" / kind).rglob("progress.jsonl")
        return sum(len(file.read_text().splitlines()) for file in files)

    def work(self, kind: str = "pretraining") -> dict[str, Work]:
        """What jobs work on, of those stages of a kind that have reported progress: by key."""
        assert self.cluster is not None
        lines = self.cluster.call("squeue", "-h", "-r", "-t", "R", "-o", "%A %i %N").splitlines()
        jobs = {number: (id, node) for number, id, node in map(str.split, lines)}
        found = {}
        for file in (self.store / "attempts" / kind).glob("*/*/progress.jsonl"):
            attempt = file.parent
            batch = json.loads((attempt / "job.json").read_text())["batch"]
            if batch["job"] in jobs and not (attempt / "outcome.json").exists():
                id, node = jobs[batch["job"]]
                found[attempt.parent.name] = Work(id=id, node=node, ranks=ranks_of(attempt))
        return found

    def leftovers(self) -> list[Path]:
        """What should have been removed: resumable state, leases of stages, temporary files."""
        return [
            *(self.store / "artifacts").rglob(".*"),
            *(each for each in (self.store / "work").glob("*/*")),
        ]

    def logs(self) -> str:
        """What every job printed."""
        files = sorted(self.store.rglob("submissions/*/log/*.out"))
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')}" for file in files)


def ranks_of(folder: Path) -> dict[int, int]:
    """The living ranks that srun started for the attempts in a folder: process by rank."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
            environment = (place / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended meanwhile
        ours = any(word.startswith(str(folder)) for word in command)
        if "grid.rank" in command and ours and not command[0].endswith("srun"):
            for word in environment:
                if word.startswith("SLURM_PROCID="):
                    found[int(word.partition("=")[2])] = int(place.name)
    return found
