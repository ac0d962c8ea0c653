"""An artifact's folder against its own manifest: is every byte of it what was published?

manifest.json lists every other file with its size and SHA-256, and holds a checksum of itself. A
file that was written to after the manifest has been changed; so `check` reads a file again only if
its times say so, and when all is right it sets the manifest's time to that of the check. What
changes below the file system, where no time tells, only `verify` finds: it reads every byte.
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from grid.confine import listing, read_file
from grid.errors import StoreError
from grid.graph import StageId
from grid.identity import stage_key

MANIFEST, CONFIG = "manifest.json", "config.json"
CHECKSUM = "checksum"
"""Of manifest.json itself, the checksum written as zeros."""
_ZEROS = "0" * 64
_FIELDS = {
    "stage", "key", "version", "environment", "execution", "revision", "wall_seconds", "finished",
    "files",
}  # fmt: skip
"""Of a manifest from before it had a checksum."""
_STAGE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})-([0-9a-f]{16})")
_TOLD = 5
_LOST = (errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
RESOLUTION = 2_000_000_000
"""Nanoseconds: a file changed so recently might change again within its time stamp's resolution."""


class ArtifactError(StoreError):
    """An artifact that is not what its manifest says."""


class StrayError(ArtifactError):
    """An artifact that is whole, and has files beside that are not its own."""

    def __init__(self, message: str, strays: list[str]) -> None:
        super().__init__(message)
        self.strays = strays


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """The content of manifest.json, with its checksum."""
    text = json_text({**manifest, CHECKSUM: _ZEROS})
    return text.replace(_ZEROS, _sha256(text.encode()))


def json_text(value: Any) -> str:
    """JSON as everywhere in the store: sorted keys, one value a line."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """An artifact's config.json and manifest.json, of the right form. Raises ArtifactError."""
    config, manifest = _json(folder / CONFIG), read_manifest(folder)
    inputs = config.get("inputs")
    legal = (
        _is_id(manifest.get("stage"), manifest.get("key"))
        and type(manifest.get("version")) is int
        and isinstance(manifest.get("files"), dict)
        and "config" in config
        and isinstance(config.get("config_type"), str)
        and isinstance(inputs, dict)
        and all(isinstance(id, list) and len(id) == 2 and _is_id(*id) for id in inputs.values())
    )
    if not legal:
        raise ArtifactError(
            f"{folder}: expected stage, key, version and files in manifest.json, and config, "
            "config_type and inputs in config.json"
        )
    return config, manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """An artifact's manifest, compared with its own checksum. Raises ArtifactError."""
    path = os.path.join(folder, MANIFEST)
    content = _content(path)
    manifest = _object(path, content)
    own = manifest.get(CHECKSUM)
    if own is None and not manifest.keys() <= _FIELDS:
        raise ArtifactError(f"{path}: expected its {CHECKSUM}, found none")
    if own is not None:
        made = _sha256(content.replace(str(own).encode(), _ZEROS.encode()))
        if own != made:
            raise ArtifactError(f"{path}: expected the {CHECKSUM} {own}, found {made}")
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
    present, strays = _present(folder, manifest["files"])
    for name in present:
        _compare(folder / name, manifest["files"][name])
    _refuse_strays(folder, strays)
    return stage, key


def verify_quickly(folder: Path) -> StageId:
    """Checks names and sizes of an artifact's files against its manifest, the only one it reads.

    Raises ArtifactError. What was changed at the same size, only `verify` finds.
    """
    manifest = read_manifest(folder)
    if not _is_id(manifest.get("stage"), manifest.get("key")):
        raise ArtifactError(f"{folder}: expected stage and key in {MANIFEST}")
    _, strays = _present(folder, _files_in(folder, manifest))
    _refuse_strays(folder, strays)
    return manifest["stage"], manifest["key"]


def check(folder: Path, id: StageId) -> None:
    """Raises ArtifactError unless the folder holds this artifact, as it was published.

    Files that were not written to since the last check are not read again.
    """
    if not os.path.isdir(folder):
        raise ArtifactError(f"{folder}: expected the folder of an artifact, found none")
    manifest = read_manifest(folder)
    if (manifest.get("stage"), manifest.get("key")) != id:
        raise ArtifactError(
            f"{folder}: expected the artifact {id[0]} {id[1]}, but manifest.json says "
            f"{manifest.get('stage')} {manifest.get('key')}"
        )
    files = _files_in(folder, manifest)
    checked = os.stat(os.path.join(folder, MANIFEST)).st_mtime_ns
    present, strays = _present(folder, files)
    if any(max(each.st_mtime_ns, each.st_ctime_ns) >= checked for each in present.values()):
        began = now(folder)
        for name in present:
            _compare(folder / name, files[name])
        settle(folder, began)
    _refuse_strays(folder, strays)


def _files_in(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise ArtifactError(f"{folder}: expected files in {MANIFEST}")
    return files


def now(folder: Path) -> int:
    """Nanoseconds by the clock that stamps an artifact's files, which may be a file server's; 0
    without rights to it."""
    manifest = folder / MANIFEST
    with suppress(OSError):
        found = manifest.stat()
        os.utime(manifest, ns=(found.st_atime_ns, found.st_mtime_ns))
        return manifest.stat().st_ctime_ns
    return 0


def settle(folder: Path, began: int) -> None:
    """Notes that all of it was right at a time, in nanoseconds; without rights it is not noted."""
    time = began - RESOLUTION
    with suppress(OSError):
        os.utime(folder / MANIFEST, ns=(time, time))


def content(folder: Path, name: str) -> bytes:
    """What a file of an artifact holds, compared with its checksum.

    Raises ArtifactError, and FileNotFoundError if there is no such artifact.
    """
    path = os.path.join(folder, name)  # joined without Path, as there may be very many
    try:
        value = read_file(path)
        changed = os.stat(os.path.join(folder, MANIFEST)).st_mtime_ns
        listed = _listed(folder, changed).get(name)
    except FileNotFoundError:
        if not folder.is_dir():
            raise
        raise ArtifactError(f"{folder}: files missing: {name}") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if listed is None:
        raise ArtifactError(f"{folder}: files not in the manifest: {name}")
    _compare_size(folder, name, len(value), listed)
    _require_equal(path, listed, _sha256(value))
    return value


@lru_cache(maxsize=8)
def _listed(folder: Path, changed: int) -> Mapping[str, Any]:
    """The files of an artifact, of which several may be read one after the other.

    changed: the time of its manifest, for what is computed anew has another one.
    """
    files = read_manifest(folder).get("files")
    return files if isinstance(files, dict) else {}


def files_of(folder: Path) -> dict[str, os.stat_result]:
    """Every file of an artifact by its path in it, manifest.json too, with one listing a folder.

    Raises ArtifactError for anything else.
    """
    found: dict[str, os.stat_result] = {}
    folders = [""]
    while folders:
        prefix = folders.pop()
        for entry in listing(os.path.join(folder, prefix), hidden=True):
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                found[f"{prefix}{entry.name}"] = entry.stat(follow_symlinks=False)
            else:
                raise ArtifactError(f"{entry.path}: an artifact holds files and folders only")
    return found


def _present(
    folder: Path, listed: Mapping[str, Any]
) -> tuple[dict[str, os.stat_result], list[str]]:
    """The files that the manifest lists, of the sizes that it says, and the names of others."""
    present = files_of(folder)
    present.pop(MANIFEST, None)
    missing = sorted(listed.keys() - present.keys())
    if missing:
        raise ArtifactError(f"{folder}: files missing: {_some(missing)}")
    strays = sorted(present.keys() - listed.keys())
    for name in sorted(listed):
        _compare_size(folder, name, present[name].st_size, listed[name])
    return {name: present[name] for name in sorted(listed)}, strays


def _refuse_strays(folder: Path, strays: list[str]) -> None:
    if strays:
        raise StrayError(f"{folder}: files not in the manifest: {_some(strays)}", strays)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def _compare_size(folder: Path, name: str, size: int, listed: Any) -> None:
    if not isinstance(listed, dict):
        raise ArtifactError(f"{folder / name}: expected its bytes and sha256 in manifest.json")
    if size != listed.get("bytes"):
        raise ArtifactError(f"{folder / name}: expected {listed.get('bytes')} bytes, found {size}")


def _compare(path: Path, listed: Mapping[str, Any]) -> None:
    try:
        with path.open("rb") as stream:
            checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None
    _require_equal(path, listed, checksum)


def _require_equal(path: Path | str, listed: Mapping[str, Any], checksum: str) -> None:
    if checksum != listed.get("sha256"):
        raise ArtifactError(
            f"{path}: expected the SHA-256 {listed.get('sha256')}, found {checksum}"
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(path: Path) -> dict[str, Any]:
    return _object(path, _content(path))


def _content(path: Path | str) -> bytes:
    try:
        return read_file(path)
    except FileNotFoundError:
        folder, name = os.path.split(path)
        raise ArtifactError(f"{folder}: expected {name}, found no such file") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path | str, error: OSError) -> StoreError:
    """What cannot be read any more is damaged; what cannot be read now, or by us, may be whole."""
    kind = ArtifactError if error.errno in _LOST else StoreError
    return kind(f"{path}: cannot be read: {error}")


def _object(path: Path | str, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
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
