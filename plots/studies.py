"""Finds the studies of a store: what they declare, their results, and what would fill them."""

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars

from grid.artifact import content
from grid.confine import read_file, refuse_links_below
from grid.errors import StoreError
from grid.planned import FILE as PLANNED
from grid.provenance import FILE as PROVENANCE
from grid.score_types import require_type
from grid.store import Store
from grid.study_files import read_frame
from plots.errors import FigureError

EXAMPLE = "python -m grid run studies/curse_of_multilinguality.yaml"


@dataclass(kw_only=True, frozen=True)
class StudyOutput:
    """The folder `studies/<study>/<scale>` of a store, as `python -m grid run` leaves it."""

    folder: Path
    name: str
    scale: str
    figures: tuple[str, ...]
    tables: tuple[str, ...] = ()
    path: str
    """The study file, as the user named it."""
    store: Path

    @property
    def results_file(self) -> Path:
        return self.folder / "results.parquet"

    def results(self) -> polars.DataFrame:
        """The results frame. Raises FigureError if there is none, or none that can be read."""
        if not self.results_file.is_file():
            raise FigureError(
                f"{self.name} at scale {self.scale} has no results yet; fill it with: "
                f"{self.command()}"
            )
        return _read(self.results_file)

    def plan(self) -> polars.DataFrame | None:
        """Which cells the study has at this scale, finished or not; None if that is not kept."""
        file = self.folder / "plan.parquet"
        if not file.is_file():
            return None
        frame = _read(file)
        return frame if {"blocks", "seed", "n_languages"} <= set(frame.columns) else None

    def planned(self) -> polars.DataFrame | None:
        """What each cell is planned to be, with the columns of grid.planned; None if not kept."""
        file = self.folder / PLANNED
        return _read(file) if file.is_file() else None

    def provenance(self) -> polars.DataFrame:
        """The artifacts behind each cell: columns cell, role, stage, key.

        Empty where the study last ran before these were written down.
        """
        file = self.folder / PROVENANCE
        if not file.is_file():
            return polars.DataFrame(schema=dict.fromkeys(("cell", "role", "stage", "key"), str))
        return _read(file)

    def corpora(self) -> polars.DataFrame:
        """Bytes of each language's text in each cell: columns cell, language, bytes.

        Text is counted without duplicates, held-out documents included.
        """
        schema = {"cell": polars.String, "language": polars.String, "bytes": polars.Int64}
        return self._rows(
            "corpus",
            "corpus.json",
            schema,
            lambda content: [(content["language"], content["bytes"])],
        )

    def curves(self) -> polars.DataFrame:
        """Learning curves: columns cell, update, loss (nats a masked token, of all languages)."""
        schema = {"cell": polars.String, "update": polars.Int64, "loss": polars.Float64}
        return self._rows(
            "pretraining", "curve.json", schema, lambda curve: [point[:2] for point in curve]
        )

    def _rows(
        self, stage: str, name: str, schema: Mapping[str, Any], rows_of: Callable[[Any], list[Any]]
    ) -> polars.DataFrame:
        """The rows that each artifact of a stage gives, each after its cell."""
        rows = []
        for cell, payload in self._payloads(stage, name):
            try:
                found = [(cell, *each) for each in rows_of(payload)]
                for place, (column, kind) in enumerate(schema.items()):
                    require_type(column, kind, [row[place] for row in found])
            except (LookupError, TypeError, ValueError) as error:
                raise FigureError(
                    f"{name} of {stage} in the cell {cell} does not hold what it should "
                    f"({error!r}): `python -m grid verify` finds which are damaged"
                ) from None
            rows += found
        return polars.DataFrame(rows, schema=schema, orient="row")

    def _payloads(self, stage: str, name: str) -> Iterator[tuple[str, Any]]:
        """The JSON `name` of every finished artifact of a stage, with the cell it belongs to."""
        store, contents = Store(self.store), {}
        rows = self.provenance().filter(
            # Text that is only scored is not the cell's own.
            (polars.col("stage") == stage) & ~polars.col("role").str.starts_with("held_out/")
        )
        for cell, key in rows.select("cell", "key").iter_rows():
            if key not in contents:
                contents[key] = _json(store.path(stage, key), name)
            if contents[key] is not None:
                yield cell, contents[key]

    def prepare(self, folder: Path) -> None:
        """Makes a folder to write to. Raises StoreError if it is in the store, and leads out."""
        if folder.is_relative_to(self.store):
            refuse_links_below(self.store, folder)
        folder.mkdir(parents=True, exist_ok=True)

    def results_sha256(self) -> str:
        with self.results_file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def command(self, *overrides: str) -> str:
        """The command that runs what is missing of this study."""
        return command(self.path, self.scale, self.store, *overrides)


def command(path: str, scale: str, store: Path, *overrides: str) -> str:
    """The command that runs what is missing of a study file."""
    words = ["python", "-m", "grid", "run", path, *overrides, "--scale", scale]
    if store != Path("runs"):
        words += ["--store", str(store)]
    return shlex.join(words)


def find_studies(store: Path, study: str | None, scale: str | None) -> list[StudyOutput]:
    """The studies of a store by name and scale. Raises FigureError if none is there or fits."""
    if not store.is_dir():
        raise FigureError(f"{store}: no such store. A study fills one, for example: {EXAMPLE}")
    found = [_study(file, store) for file in sorted(store.glob("studies/*/*/study.json"))]
    if not found:
        raise FigureError(f"{store}: no study has run in this store. Run one: {EXAMPLE}")
    for option, wanted, names in (
        ("--study", study, [entry.name for entry in found]),
        ("--scale", scale, [entry.scale for entry in found]),
    ):
        if wanted is not None and wanted not in names:
            known = sorted(set(names))
            nearest = get_close_matches(wanted, known, n=1, cutoff=0.3)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            raise FigureError(f"{option} {wanted}: not in {store}.{hint} There: {', '.join(known)}")
    fitting = [
        entry for entry in found
        if study in (None, entry.name) and scale in (None, entry.scale)
    ]  # fmt: skip
    if not fitting:
        raise FigureError(f"{store}: {study} has not run at scale {scale}")
    return fitting


def _study(file: Path, store: Path) -> StudyOutput:
    try:
        content = json.loads(read_file(file))
        return StudyOutput(
            folder=file.parent,
            name=str(content["name"]),
            scale=str(content["scale"]),
            figures=tuple(content["figures"]),
            tables=tuple(content.get("tables", ())),
            path=str(content["path"]),
            store=store,
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FigureError(
            f"{file}: cannot be read as a study's description ({error!r}): remove the file and "
            "run the study again"
        ) from None


def _json(artifact: Path, name: str) -> Any:
    """What a file of an artifact says; None if the artifact is not there (yet, or any more)."""
    try:
        return json.loads(content(artifact, name))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, StoreError) as error:
        raise FigureError(
            f"{artifact / name}: the artifact is damaged ({error}): `python -m grid verify` finds "
            "all such, and `run` computes them anew"
        ) from None


def _read(file: Path) -> polars.DataFrame:
    try:
        return read_frame(file)
    except StoreError as error:
        raise FigureError(str(error)) from None
