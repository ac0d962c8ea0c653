"""Takes artifacts that were made elsewhere into a store, each checked against its own manifest.

What counts is what the artifact says of itself and what can be computed again from its bytes: the
files are exactly those of the manifest, with their sizes and checksums, and the key is the one that
its configuration, version and inputs give. Whether it is any good, nobody can tell from outside, so
adopt from people you trust.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from grid.confine import read_file, refuse_links
from grid.errors import StoreError
from grid.graph import StageId
from grid.identity import stage_key
from grid.publish import commit, discard
from grid.store import StorageError, Store, listing
from model.errors import InputError

_STAGE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})-([0-9a-f]{16})")
_BLOCK = 1 << 20
_TOLD = 5
_LARGEST_RECORD = 1 << 28
"""Bytes of a manifest.json; one that lists a million files has about half of that."""


@dataclass(kw_only=True)
class Adopted:
    """What became of the folders that were offered."""

    taken: list[StageId] = field(default_factory=list)
    there: list[StageId] = field(default_factory=list)
    """In the store already: left as they are."""
    busy: list[StageId] = field(default_factory=list)
    """Being computed in this store just now."""
    unneeded: list[StageId] = field(default_factory=list)
    """Not asked for."""
    refused: dict[Path, str] = field(default_factory=dict)


def adopt(store: Store, folder: Path, *, only: set[StageId] | None = None) -> Adopted:
    """Takes an artifact's folder, or every artifact of another store.

    only: takes no others. A folder that fails a check is refused with the reason, and the others
    are taken. Raises StoreError if there is nothing to adopt, or the store cannot be written.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder}: there is no such folder to adopt from")
    found = list(_artifacts(folder))
    if not found:
        raise StoreError(
            f"{folder}: expected the folder of an artifact (with manifest.json and config.json) or "
            "of a store (with artifacts/), found neither"
        )
    store.prepare()
    result = Adopted()
    for place in found:
        if only is not None and place != folder:  # in a store, whose places tell without a look
            at = (place.parts[-3], place.name)
            if at not in only:
                result.unneeded.append(at)
                continue
        try:
            _adopt(store, place, result, only)
        except StorageError:
            raise
        except InputError as error:
            result.refused[place] = str(error)
    return result


class ArtifactError(StoreError):
    """An artifact that is not what its manifest says."""


def read_record(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """An artifact's config.json and manifest.json, of the right form. Raises ArtifactError."""
    config, manifest = _json(folder / "config.json"), _manifest(folder)
    inputs = config.get("inputs")
    legal = (
        "config" in config
        and isinstance(config.get("config_type"), str)
        and isinstance(inputs, dict)
        and all(isinstance(id, list) and len(id) == 2 and _is_id(*id) for id in inputs.values())
    )
    if not legal:
        raise ArtifactError(f"{folder}: expected config, config_type and inputs in config.json")
    return config, manifest


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = _json(folder / "manifest.json")
    legal = (
        _is_id(manifest.get("stage"), manifest.get("key"))
        and type(manifest.get("version")) is int
        and isinstance(manifest.get("files"), dict)
    )
    if not legal:
        raise ArtifactError(f"{folder}: expected stage, key, version and files in manifest.json")
    return manifest


def verify(folder: Path) -> StageId:
    """Checks an artifact's folder against its manifest, every byte of it; returns its identity.

    Raises ArtifactError.
    """
    config, manifest = read_record(folder)
    stage, key = manifest["stage"], manifest["key"]
    slug = _KEY.fullmatch(key)
    keys = {role: id[1] for role, id in config["inputs"].items()}
    made = stage_key(stage, manifest["version"], config["config"], keys, slug[1] if slug else "")
    if made != key:
        raise ArtifactError(
            f"{folder}: its configuration, version {manifest['version']} and inputs give the key "
            f"{made}, but manifest.json says {key}"
        )
    listed = manifest["files"]
    _check_sizes(folder, listed)
    for name in sorted(listed):
        _check_content(folder / name, listed[name])
    return stage, key


def verify_quickly(folder: Path) -> StageId:
    """Checks names and sizes of an artifact's files against its manifest, the only one it reads.

    Raises ArtifactError. What was changed at the same size, only `verify` finds.
    """
    manifest = _manifest(folder)
    _check_sizes(folder, manifest["files"])
    return manifest["stage"], manifest["key"]


def verify_store(store: Store, *, quick: bool = False) -> tuple[list[StageId], dict[Path, str]]:
    """The artifacts of a store that are whole, and what is wrong with each of the others.

    quick: as `verify_quickly`.
    """
    whole, damaged = [], {}
    check = verify_quickly if quick else verify
    links = lru_cache(maxsize=1)(refuse_links)  # artifacts come folder by folder
    for place in _artifacts(store.root):
        try:
            links(store.root, place.parent)
            if os.path.islink(place):
                refuse_links(store.root, place)
            id = check(place)
            if store.path(*id) != place:
                raise ArtifactError(f"{place}: expected it at {store.path(*id)}, by its key")
            whole.append(id)
        except InputError as error:
            damaged[place] = str(error)
    return whole, damaged


def _adopt(store: Store, place: Path, result: Adopted, only: set[StageId] | None) -> None:
    stage, key = id = _identity(place)
    if only is not None and id not in only:
        result.unneeded.append(id)
        return
    if store.has(stage, key):
        result.there.append(id)
        return
    held = store.acquire(stage, key)
    if held is None:
        result.busy.append(id)
        return
    temporary = None
    try:
        temporary = store.temporary(stage, key)
        for name in sorted(_sizes(place)):
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(place / name, target)
        # The copy is what is checked: the original may change, and a network may spoil it.
        verify(temporary)
        ours = commit(temporary, store.path(stage, key), held)
    except BaseException:
        if temporary is not None:
            discard(temporary)
        held.release()
        raise
    if ours:
        store.finish(stage, key, held)
        result.taken.append(id)
    else:
        result.busy.append(id)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(_BLOCK):
            writer.write(block)


def _check_sizes(folder: Path, listed: Mapping[str, Any]) -> None:
    """Compares the names and sizes of an artifact's files with its manifest: one listing a folder.

    Raises ArtifactError.
    """
    present = _sizes(folder)
    present.pop("manifest.json", None)
    for told, names in (
        ("missing", listed.keys() - present.keys()),
        ("not in the manifest", present.keys() - listed.keys()),
    ):
        if names:
            more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
            some = ", ".join(sorted(names)[:_TOLD])
            raise ArtifactError(f"{folder}: files {told}: {some}{more}")
    for name, size in present.items():
        record = listed[name]
        if not isinstance(record, dict):
            raise ArtifactError(f"{folder / name}: expected its bytes and sha256 in manifest.json")
        if size != record.get("bytes"):
            told = f"expected {record.get('bytes')} bytes, found {size}"
            raise ArtifactError(f"{folder / name}: {told}")


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file below a folder, by its path there."""
    sizes: dict[str, int] = {}
    folders = [""]
    while folders:
        prefix = folders.pop()
        for entry in listing(os.path.join(folder, prefix), hidden=True):
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                sizes[f"{prefix}{entry.name}"] = entry.stat(follow_symlinks=False).st_size
            else:
                raise ArtifactError(f"{entry.path}: an artifact holds files and folders only")
    return sizes


def _check_content(path: Path, record: Mapping[str, Any]) -> None:
    with path.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    if checksum != record.get("sha256"):
        raise ArtifactError(
            f"{path}: expected the SHA-256 {record.get('sha256')}, found {checksum}"
        )


def _artifacts(folder: Path) -> Iterator[Path]:
    """The artifact folders at or below a folder, without those that are still being written."""
    if (folder / "manifest.json").is_file():
        yield folder
        return
    place = folder / "artifacts"
    places = [os.fspath(place)] if place.is_dir() else []
    for _ in range(3):  # the stage, the first digits of the key, the key
        places = [each.path for place in places for each in listing(place) if each.is_dir()]
    yield from map(Path, sorted(places))


def _identity(folder: Path) -> StageId:
    _, manifest = read_record(folder)
    return manifest["stage"], manifest["key"]


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_file(path, _LARGEST_RECORD))
    except FileNotFoundError:
        raise ArtifactError(f"{path.parent}: expected {path.name}, found no such file") from None
    except (ValueError, OSError, RecursionError) as error:
        raise ArtifactError(f"{path}: cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise ArtifactError(f"{path}: expected a JSON object")
    return value


def _is_id(stage: object, key: object) -> bool:
    return (
        isinstance(stage, str)
        and isinstance(key, str)
        and _STAGE.fullmatch(stage) is not None
        and _KEY.fullmatch(key) is not None
    )
