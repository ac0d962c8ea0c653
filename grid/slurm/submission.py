"""A submission's folder: what was sent to Slurm by one call, and all that its jobs need to know.

    <study's folder>/submissions/<id>/
        submission.json    what was meant, before the first sbatch; job ids are added as they come
        stages.json        the stages, complete: jobs read this and never the study; private if
                           the site file gives a program variables
        <array>.sh         the job script of an array
        log/               what Slurm and the elements print
        elements/          what elements say as they start and end

An element is one job of an array, by its index k; its share is the stages that it is to run.
"""

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from grid.confine import read_file
from grid.errors import StoreError
from grid.execution import ExecutionConfig
from grid.graph import Graph, Stage, StageId
from grid.identity import plain
from grid.slurm.resources import Resources
from grid.slurm.settings import SlurmStage
from grid.store import explain, has_secrets
from grid.typed import name_of, named, rebuild

VERSION = 1
FOLDER, FILE, STAGES = "submissions", "submission.json", "stages.json"

Waits = tuple[str, tuple[int, ...] | None]
"""An array and which of its elements; None for all of them. An array of another submission is
`<id>/<array>`."""


@dataclass(frozen=True, kw_only=True)
class Array:
    """One sbatch call: elements that ask for the same and wait for the same."""

    name: str
    resources: Resources
    waits: tuple[Waits, ...] = ()
    shares: tuple[tuple[StageId, ...], ...]
    """The stages of each element, in the order of their work."""
    job: str | None = None
    """Slurm's number of the job; None until it is known to be submitted."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What one call sent, or was about to send when it ended."""

    folder: Path
    id: str
    created: str
    """UTC, as in 2026-01-31T12:00:00+00:00."""
    host: str
    user: str
    study: str
    scale: str
    store: Path
    code: Path
    """The snapshot of the code that jobs run."""
    revision: str | None = None
    """The git commit that the snapshot was made of."""
    cluster: str | None = None
    execution: ExecutionConfig
    arrays: tuple[Array, ...]
    failed: str | None = None
    """Why nothing of it runs: a later sbatch failed, and what was submitted was cancelled."""

    def array(self, name: str) -> Array:
        """The array of this name. Raises StoreError if there is none."""
        for array in self.arrays:
            if array.name == name:
                return array
        raise StoreError(f"{self.folder / FILE}: there is no array {name!r}")

    def with_job(self, name: str, job: str | None) -> "Submission":
        """The same with the job number of an array."""
        arrays = (replace(each, job=job) if each.name == name else each for each in self.arrays)
        return replace(self, arrays=tuple(arrays))

    @property
    def elements(self) -> Iterator[tuple[Array, int, tuple[StageId, ...]]]:
        """Every element: its array, its index and its share."""
        for array in self.arrays:
            for index, share in enumerate(array.shares):
                yield array, index, share

    def script(self, array: str) -> Path:
        """The job script of an array."""
        return self.folder / f"{array}.sh"

    def log(self, array: str, index: int | str, job: str) -> Path:
        """What Slurm and an element printed."""
        return self.folder / "log" / f"{array}-{job}_{index}.out"

    @property
    def elements_folder(self) -> Path:
        """Where elements write `<array>_<k>/<restart>.json`."""
        return self.folder / "elements"


def comment(id: str, array: str) -> str:
    """What a job's comment says: by it a job is known whose number was never written down."""
    return f"grid {id} {array}"


def mark(told: str, name: str) -> str | None:
    """Which array a job is, in the words of `comment`; None if it does not say.

    It says so in its comment or, at sites where comments mean something else, in its name.
    """
    return next((words for words in (told, name) if words.startswith("grid ")), None)


def write_submission(submission: Submission) -> None:
    """Writes submission.json, whole or not at all. Raises StoreError."""
    record = {
        "version": VERSION,
        "id": submission.id,
        "created": submission.created,
        "host": submission.host,
        "user": submission.user,
        "study": submission.study,
        "scale": submission.scale,
        "store": str(submission.store),
        "code": str(submission.code),
        "revision": submission.revision,
        "cluster": submission.cluster,
        "execution": asdict(submission.execution),
        "failed": submission.failed,
        "arrays": [
            {
                "name": array.name,
                "class": asdict(array.resources),
                "waits": [[name, which and list(which)] for name, which in array.waits],
                "shares": [[list(id) for id in share] for share in array.shares],
                "job": array.job,
            }
            for array in submission.arrays
        ],
    }
    _write(submission.folder / FILE, record)


def read_submission(folder: Path) -> Submission:
    """The submission of a folder. Raises StoreError if it cannot be read."""
    record = _read(folder / FILE)
    if record.get("version") != VERSION:
        raise StoreError(
            f"{folder / FILE}: expected version {VERSION}, found {record.get('version')!r}: it was "
            "written by another version of this program"
        )
    try:
        return Submission(
            folder=folder,
            **{name: record[name] for name in ("id", "created", "host", "user", "study", "scale")},
            **{name: record[name] for name in ("revision", "cluster", "failed")},
            store=Path(record["store"]),
            code=Path(record["code"]),
            execution=ExecutionConfig.of(record["execution"]),
            arrays=tuple(_array(array) for array in record["arrays"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{folder / FILE} is damaged: {error!r}") from None


def _array(record: Mapping[str, Any]) -> Array:
    resources = dict(record["class"])
    placement = SlurmStage(**resources.pop("placement"))
    if record["job"] is not None and not str(record["job"]).isdecimal():
        raise ValueError(f"expected a job's number, found {record['job']!r}")  # scancel is given it
    return Array(
        name=record["name"],
        resources=Resources(placement=placement, **resources),
        waits=tuple(
            (name, None if which is None else tuple(which)) for name, which in record["waits"]
        ),
        shares=tuple(tuple((stage, key) for stage, key in share) for share in record["shares"]),
        job=record["job"],
    )


def submissions(study_folder: Path) -> list[Path]:
    """The folders of a study's submissions, oldest first: those whose submission.json is there."""
    folder = study_folder / FOLDER
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return []
    return [folder / name for name in names if (folder / name / FILE).is_file()]


def write_stages(folder: Path, graph: Graph) -> None:
    """Writes stages.json: the stages of a graph in its order. Raises StoreError."""
    stages = [
        {
            "name": stage.name,
            "key": stage.key,
            "module": stage.module,
            "version": stage.version,
            "config_type": name_of(type(stage.config)),
            "config": plain(stage.config),
            "inputs": {role: list(id) for role, id in stage.inputs.items()},
            "needs_torch": stage.needs_torch,
            "threads": stage.threads,
            "ranks": stage.ranks,
            "tensor_parallel": stage.tensor_parallel,
            "micro_batch": stage.micro_batch,
            "resumable": stage.resumable,
            "seconds": stage.seconds,
            "locations": dict(stage.locations),
            "command": None if stage.command is None else dict(stage.command),
        }
        for stage in graph.stages.values()
    ]
    targets = [list(id) for id in graph.stages if id in graph.targets]
    private = any(has_secrets(stage.command) for stage in graph.stages.values())
    record = {"version": VERSION, "stages": stages, "targets": targets}
    _write(folder / STAGES, record, private=private)


def read_stages(folder: Path, only: Iterable[StageId] | None = None) -> Graph:
    """The graph of a submission: no cells, for jobs know stages only. Raises StoreError.

    only: these stages and their inputs, with these as targets; an input's own inputs are left out.
    """
    record = _read(folder / STAGES)
    wanted = None if only is None else set(only)
    graph = Graph()
    try:
        needed = None if wanted is None else set(wanted)
        if wanted is not None and needed is not None:
            for each in record["stages"]:
                if (each["name"], each["key"]) in wanted:
                    needed.update((name, key) for name, key in each["inputs"].values())
        for each in record["stages"]:
            id = (each["name"], each["key"])
            if needed is None or id in needed:
                graph.add(_stage(each, bare=wanted is not None and id not in wanted))
        targets = {(name, key) for name, key in record["targets"]}
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{folder / STAGES} is damaged: {error!r}") from None
    graph.targets = targets if wanted is None else wanted & graph.stages.keys()
    return graph


def _stage(record: Mapping[str, Any], *, bare: bool) -> Stage:
    """A stage as it was written; a bare one without its inputs."""
    fields = dict(record)
    config_type, inputs = fields.pop("config_type"), fields.pop("inputs")
    fields["config"] = rebuild(named(config_type), fields["config"])
    kept = {} if bare else {role: (name, key) for role, (name, key) in inputs.items()}
    return Stage(inputs=kept, **fields)


def _write(path: Path, value: Any, *, private: bool = False) -> None:
    """Compact JSON, beside its place and then renamed. private: nobody else may read it."""
    temporary = path.with_name(f".{path.name}~{uuid.uuid4().hex[:12]}")
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            temporary.touch(0o600, exist_ok=False)
        temporary.write_text(text + "\n", encoding="utf-8")
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise explain(error, path.parent, f"writing {path.name}") or StoreError(
            f"{path}: cannot be written: {error}"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(read_file(path)))
    except FileNotFoundError:
        raise StoreError(f"{path}: there is none") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: cannot be read: {error}") from None
