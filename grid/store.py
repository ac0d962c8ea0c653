"""The store: the folder that holds artifacts, what is under way, attempts and study outputs.

    artifacts/<stage>/<k2>/<key>/   an artifact: payload, config.json, manifest.json; never changes
    work/<stage>/<key>/             state from which an unfinished stage can go on
    work/<stage>/<key>.lease/       who works on it (grid/lease.py)
    attempts/<stage>/<key>/<n>/     job.json, log, progress.jsonl, outcome.json of the nth attempt
    studies/<study>/<scale>/        plan, results, figures, report
    checksums.json                  a cache: checksums of source files

<k2> is the first two digits of the key's hash, so that no folder grows beyond measure. What is
there is found with one listing for each kind of stage. Nothing is ever read from a name but the
key itself.
"""

import errno
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from grid import checksums, lease
from grid.artifact import CONFIG, MANIFEST, content, read_manifest
from grid.confine import listing, refuse_bytes, refuse_links, require_names
from grid.errors import StoreError
from grid.manifest import fault_of
from grid.publish import discard, publish, write_json

_ABANDONED = 3600.0
"""Seconds after which a temporary file of a study's outputs belongs to nobody."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_HELP = {
    **dict.fromkeys(
        _FULL,
        "no space is left. Free some, or choose another store with --store, and run the same "
        "command again: what is finished is kept",
    ),
    errno.EROFS: "the file system is read-only. Choose a store that can be written with --store",
    errno.EACCES: "permission denied. Choose a store that you may write to with --store",
    errno.EPERM: "permission denied. Choose a store that you may write to with --store",
    errno.ENOTDIR: "a file is where a folder should be. Choose another store with --store",
    errno.EIO: "the disk reports an input/output error",
}


class StorageError(StoreError):
    """The disk's fault: full, read-only or not permitted. Other stages would meet it as well."""


def explain(
    error: BaseException, root: Path, doing: str, *, own: bool = True
) -> StorageError | None:
    """A clear error if `error` is the fault of the store's disk; None if it is not.

    `own` says that only the store's files were touched: a stage also reads files of the user's.
    Also knows a full disk by its text, for libraries that raise errors of their own type.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code not in _HELP and "No space left on device" in str(error):
        code = errno.ENOSPC
    if code is None or code not in _HELP:
        return None
    place = Path(error.filename if isinstance(error, OSError) and error.filename else root)
    if not own and code not in _FULL and not place.is_relative_to(root):
        return None  # a file of the user's own, which a stage reads
    if code == errno.ENOTDIR:
        place = next((path for path in (place, *place.parents) if path.is_file()), place)
    return StorageError(f"store {root}: {doing}: {_HELP[code]} (at {place})")


class Store:
    """A store at a folder, which need not exist yet."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).expanduser().absolute()
        refuse_bytes(self.root)

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def path(self, stage: str, key: str) -> Path:
        """The folder of an artifact, whether or not it is there."""
        require_names(self.root, stage, key)
        return self.root.joinpath("artifacts", stage, key.rpartition("-")[2][:2], key)

    def published(self, stage: str) -> set[str]:
        """The keys of all artifacts of a stage, by one listing."""
        require_names(self.root, stage)
        keys: set[str] = set()
        folder = self.root / "artifacts" / stage
        refuse_links(self.root, folder)
        with self._errors("listing its artifacts"):
            for group in listing(folder):
                self._refuse_link(group)
                for entry in listing(group.path):
                    self._refuse_link(entry)
                    if entry.name.rpartition("-")[2][:2] == group.name:
                        keys.add(entry.name)
        return keys

    def has(self, stage: str, key: str) -> bool:
        """Whether an artifact is there. For many, `published` is cheaper."""
        place = self.path(stage, key)
        if not place.is_dir():
            return False
        refuse_links(self.root, place)
        return True

    def manifest(self, stage: str, key: str) -> dict[str, Any]:
        """An artifact's manifest: files, sizes, checksums, environment, execution, wall time.

        Raises StoreError if a value of it is not of its type.
        """
        place = self.path(stage, key)
        self._require(place, stage, key)
        found = read_manifest(place)
        if fault := fault_of(found):
            raise StoreError(f"store {self.root}: {place / MANIFEST} is damaged: {fault}")
        return found

    def config(self, stage: str, key: str) -> dict[str, Any]:
        """An artifact's `config` and `inputs`."""
        place = self.path(stage, key)
        self._require(place, stage, key)
        return dict(json.loads(content(place, CONFIG)))

    def work(self, stage: str, key: str) -> Path:
        """The folder of a stage's resumable state."""
        require_names(self.root, stage, key)
        return self.root / "work" / stage / key

    def lease_folder(self, stage: str, key: str) -> Path:
        """Where a stage's lease is."""
        require_names(self.root, stage, key)
        return self.root / "work" / stage / f"{key}.lease"

    def study(self, study: str, scale: str) -> Path:
        """The folder of a study's outputs at one scale."""
        return self.root / "studies" / study / scale

    def attempts(self, stage: str, key: str) -> list[Path]:
        """The attempts at a stage, oldest first."""
        folder = self.root.joinpath("attempts", stage, key)
        return [folder / str(number) for number in _numbers(folder)]

    def new_attempt(self, stage: str, key: str, job: Mapping[str, Any]) -> Path:
        """A new attempt's folder, with its job.json."""
        with self._errors(f"writing an attempt at {stage} {key}"):
            parent = self.root / "attempts" / stage / key
            refuse_links(self.root, parent)
            parent.mkdir(parents=True, exist_ok=True)
            number = max(_numbers(parent), default=0) + 1
            while True:
                folder = parent / str(number)
                try:
                    folder.mkdir()
                    break
                except FileExistsError:
                    number += 1
            write_json(folder / "job.json", dict(job), private=has_secrets(job.get("command")))
            return folder

    def acquire(
        self, stage: str, key: str, *, stale: lease.Seen | None = None
    ) -> lease.Lease | None:
        """A stage's lease, its dead leftovers removed; None if another process holds it."""
        with self._errors(f"taking the lease of {stage} {key}"):
            folder = self.lease_folder(stage, key)
            for place in (folder, self.work(stage, key), self.path(stage, key)):
                refuse_links(self.root, place)
            held = lease.acquire(folder, stage=stage, key=key, stale=stale)
            if held is not None:
                for leftover in self._leftovers(stage, key):
                    discard(leftover)
            return held

    def temporary(self, stage: str, key: str) -> Path:
        """A new folder beside an artifact's place, to write it in."""
        with self._errors(f"starting {stage} {key}"):
            place = self.path(stage, key)
            refuse_links(self.root, place)
            place.parent.mkdir(parents=True, exist_ok=True)
            folder = place.with_name(f".{key}~{uuid.uuid4().hex[:12]}")
            folder.mkdir()
            return folder

    def publish(
        self,
        temporary: Path,
        stage: str,
        key: str,
        *,
        config: Mapping[str, Any],
        manifest: Mapping[str, Any],
        held: lease.Lease,
    ) -> bool:
        """Makes a temporary folder the artifact, whole or not at all; the work folder goes.

        False if the lease was lost: the copy is discarded, for the artifact is another's to
        publish. The lease is given back in either case. Raises StoreError if the disk is full;
        then the temporary folder is removed and the work folder stays.
        """
        place = self.path(stage, key)
        try:
            with self._errors(f"publishing {stage} {key}"):
                ours = publish(temporary, place, config=config, manifest=manifest, held=held)
        except BaseException:
            discard(temporary)
            raise
        if ours:
            self.finish(stage, key, held)
        return ours

    def finish(self, stage: str, key: str, held: lease.Lease) -> None:
        """After an artifact is there: removes what was kept to go on, then the lease.

        Not if the lease was lost meanwhile: both are another's then.
        """
        # What is left by a failure here is harmless and is removed by `clean`.
        with suppress(OSError):
            if not held.lost():
                shutil.rmtree(self.work(stage, key), ignore_errors=True)
            held.remove()

    def prepare(self) -> None:
        """Makes the store's folders and tries to write. Raises StoreError if that cannot be."""
        with self._errors("preparing it"):
            for name in ("artifacts", "work", "attempts", "studies"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
                # Without a name where the system can: a process killed here leaves nothing.
                with tempfile.TemporaryFile(dir=self.root / name, prefix=".probe-") as probe:
                    probe.write(b"probe")
                    probe.flush()

    def clean(self) -> None:
        """Removes what killed processes of this machine left: temporary folders, finished work."""
        with self._errors("cleaning it"):
            self._clean()
            self._clean_outputs()

    def _clean_outputs(self) -> None:
        """Files that were to take the place of others, and that nobody can be writing still."""
        oldest = time.time() - _ABANDONED
        for pattern in (".checksums.json~*", "studies/*/*/.*~*"):
            for path in self.root.glob(pattern):
                with suppress(OSError):  # removed meanwhile, or not ours to remove
                    if path.lstat().st_mtime < oldest:
                        refuse_links(self.root, path.parent)
                        path.unlink()

    def _clean(self) -> None:
        refuse_links(self.root, self.root / "work")
        for stage in listing(self.root / "work"):
            self._refuse_link(stage)
            for entry in listing(stage.path):
                if not entry.name.endswith(".lease"):
                    continue
                self._refuse_link(entry)
                seen = lease.read(Path(entry.path))
                if seen is None:
                    lease.sweep(Path(entry.path))
                    continue
                if seen.holder is None or not (seen.dead or seen.released):
                    continue
                # By the lease's place: what it says of itself may be anything.
                stage_key = (stage.name, entry.name.removesuffix(".lease"))
                refuse_links(self.root, self.path(*stage_key))
                leftovers = self._leftovers(*stage_key)
                if lease.read(Path(entry.path)) != seen:
                    continue  # taken over just now: the new holder's folder may be among them
                for folder in leftovers:
                    discard(folder)
                if self.has(*stage_key):
                    shutil.rmtree(self.work(*stage_key), ignore_errors=True)
                    lease.remove(Path(entry.path), seen.generation)

    def checksums(self, files: Iterable[Path]) -> dict[Path, tuple[int, str]]:
        """Size and SHA-256 of source files, from the cache where they have not changed."""
        return checksums.checksums(files, self.root / "checksums.json")

    def _leftovers(self, stage: str, key: str) -> list[Path]:
        """The temporary folders of an artifact."""
        entries = listing(self.path(stage, key).parent, hidden=True)
        return [Path(entry.path) for entry in entries if entry.name.startswith(f".{key}~")]

    def _refuse_link(self, entry: os.DirEntry[str]) -> None:
        if entry.is_symlink():  # known from the listing
            refuse_links(self.root, Path(entry.path))

    def _require(self, place: Path, stage: str, key: str) -> None:
        if not place.is_dir():
            raise StoreError(f"store {self.root}: there is no artifact {stage} {key}")

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            explained = explain(error, self.root, doing)
            if explained is None:
                raise
            raise explained from error


def has_secrets(command: Mapping[str, Any] | None) -> bool:
    """Whether a program is given variables by the site file: their values may be secrets."""
    return command is not None and bool(command["environment"])


def _numbers(folder: Path) -> list[int]:
    return sorted(int(entry.name) for entry in listing(folder) if entry.name.isdigit())
