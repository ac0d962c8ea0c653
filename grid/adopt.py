"""Takes artifacts that were made elsewhere into a store, each checked against its own manifest.

What counts is what the artifact says of itself and what can be computed again from its bytes: the
files are exactly those of the manifest, with their sizes and checksums, and the key is the one that
its configuration, version and inputs give. Whether it is any good, nobody can tell from outside, so
adopt from people you trust.
"""

from dataclasses import dataclass, field
from pathlib import Path

from grid.artifact import MANIFEST, files_of, read_record, verify
from grid.errors import StoreError
from grid.graph import StageId
from grid.publish import commit, discard
from grid.store import StorageError, Store
from grid.verify import places
from model.errors import InputError

_BLOCK = 1 << 20


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
    found = [folder] if (folder / MANIFEST).is_file() else list(places(folder))
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
        for name in sorted(files_of(place), key=lambda name: (name == MANIFEST, name)):
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


def _identity(folder: Path) -> StageId:
    _, manifest = read_record(folder)
    return manifest["stage"], manifest["key"]
