"""Finds what is damaged in a store, and what depends on it."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from grid.artifact import ArtifactError, now, read_record, settle, verify, verify_quickly
from grid.confine import listing, refuse_links
from grid.errors import StoreError
from grid.graph import StageId
from grid.over_cores import over_cores
from grid.provenance import FILE as PROVENANCE
from model.errors import InputError

if TYPE_CHECKING:
    import polars

    from grid.store import Store


@dataclass(frozen=True, kw_only=True)
class Dependents:
    """What is made from an artifact, directly or not."""

    artifacts: list[StageId] = field(default_factory=list)
    """In this store."""
    cells: dict[str, list[str]] = field(default_factory=dict)
    """By study and scale, the cells that its last run made from it."""


def places(root: Path) -> Iterator[Path]:
    """Where a store has artifacts, or something else that is not hidden: that is being written."""
    found = [os.fspath(root / "artifacts")]
    for _ in range(3):  # the stage, the first digits of the key, the key
        entries = [entry for folder in found for entry in listing(folder)]
        found = sorted(each.path for each in entries if each.is_dir(follow_symlinks=False))
        folders = set(found)
        yield from (Path(each.path) for each in entries if each.path not in folders)
    yield from map(Path, found)


def verify_store(store: "Store", *, quick: bool = False) -> tuple[list[StageId], dict[Path, str]]:
    """The artifacts of a store that are whole, and what is wrong with each of the others.

    quick: as `verify_quickly`, otherwise every byte.
    """
    whole: list[StageId] = []
    damaged: dict[Path, str] = {}
    every = list(places(store.root))
    groups = [list(group) for _, group in groupby(every, key=attrgetter("parent"))]
    work = partial(_verified, store, quick)
    found = chain.from_iterable(over_cores(work, groups, things=len(every)))
    for place, one in zip(every, found, strict=True):
        if isinstance(one, str):
            damaged[place] = one
        else:
            whole.append(one)
    return whole, damaged


def _verified(store: "Store", quick: bool, group: Sequence[Path]) -> list[StageId | str]:
    """Which artifacts are whole at places of one folder, or what is wrong with each."""
    once = lru_cache(maxsize=1)(refuse_links)  # for the folder of them all
    return [_verified_one(store, quick, place, once) for place in group]


def _verified_one(
    store: "Store", quick: bool, place: Path, refuse_links_once: Callable[[Path, Path], None]
) -> StageId | str:
    began = 0 if quick else now(place)
    try:
        refuse_links_once(store.root, place.parent)
        if os.path.islink(place):
            refuse_links(store.root, place)
        if not quick and not place.is_dir():
            raise ArtifactError(f"{place}: expected the folder of an artifact, found a file")
        id = verify_quickly(place) if quick else verify(place)
        if store.path(*id) != place:
            raise ArtifactError(f"{place}: expected it at {store.path(*id)}, by its key")
        if not quick:
            settle(place, began)
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"{place}: cannot be read: {error}"
    return id


def verify_studies(store: "Store") -> dict[Path, str]:
    """The files of results in the studies' folders that are not what was written."""
    from grid.study_files import damaged_files

    found: dict[Path, str] = {}
    for folder in sorted((store.root / "studies").glob("*/*")):
        found |= damaged_files(folder)
    return found


def dependents(
    store: "Store", whole: Collection[StageId], damaged: Collection[Path]
) -> dict[Path, Dependents]:
    """What depends on each damaged artifact, by where it lies."""
    if not damaged:
        return {}
    consumers = _consumers(store, whole)
    cells = _cells(store)
    found = {}
    for place in damaged:
        id = identity(place)
        reached, left = {id}, [id]
        while left:
            more = consumers.get(left.pop(), set()) - reached
            reached |= more
            left += more
        found[place] = Dependents(artifacts=sorted(reached - {id}), cells=cells.get(id, {}))
    return found


def identity(place: Path) -> StageId:
    """The artifact that belongs at a place: what is there may say anything."""
    return place.parent.parent.name, place.name


def frame(damaged: Mapping[Path, str], depends: Mapping[Path, Dependents]) -> "polars.DataFrame":
    """One row for each damaged artifact and each thing that depends on it."""
    import polars

    rows: list[tuple[str, str, str | None, str | None]] = []
    for place, message in damaged.items():
        own = depends.get(place, Dependents())
        things = [("artifact", " ".join(id)) for id in own.artifacts]
        things += [(study, cell) for study, cells in own.cells.items() for cell in cells]
        rows += [(str(place), message, kind, name) for kind, name in things]
        if not things:
            rows.append((str(place), message, None, None))
    schema = dict.fromkeys(("path", "damage", "of", "dependent"), polars.String)
    return polars.DataFrame(rows, schema=schema, orient="row")


def _consumers(store: "Store", whole: Collection[StageId]) -> dict[StageId, set[StageId]]:
    consumers: dict[StageId, set[StageId]] = {}
    every = {*whole, *(identity(place) for place in places(store.root))}
    for id in every:
        try:
            config, _ = read_record(store.path(*id))
        except (InputError, OSError):
            continue  # it is damaged itself
        for stage, key in config["inputs"].values():
            consumers.setdefault((stage, key), set()).add(id)
    return consumers


def _cells(store: "Store") -> dict[StageId, dict[str, list[str]]]:
    """By artifact, the cells that are made from it, of each study that has run here."""
    from grid.study_files import read_frame

    found: dict[StageId, dict[str, list[str]]] = {}
    for file in sorted((store.root / "studies").glob(f"*/*/{PROVENANCE}")):
        name = f"{file.parent.parent.name} ({file.parent.name})"
        try:
            rows = read_frame(file).select("stage", "key", "cell").unique(maintain_order=True)
        except StoreError:
            continue  # told as damaged itself
        for stage, key, cell in rows.iter_rows():
            found.setdefault((stage, key), {}).setdefault(name, []).append(cell)
    return found
