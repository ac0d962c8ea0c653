"""A snapshot of this very code, by its content: what jobs run, whatever is edited after them.

`<store>/snapshots/<hash>/` holds the packages `grid`, `model` and `plots` as they are imported
here, from a checkout with all its edits or from an installation. Submissions of the same code share
one.
"""

import hashlib
import importlib.util
import os
import shutil
import uuid
from pathlib import Path

from grid.confine import refuse_links_below
from grid.errors import StoreError
from grid.publish import discard
from grid.store import explain

PACKAGES = ("grid", "model", "plots")
FOLDER = "snapshots"


def digest() -> str:
    """The name of this code's snapshot: 16 hexadecimal digits."""
    return _digest(_files())


def snapshot(store: Path) -> Path:
    """The folder of this code's snapshot, copied if it is not there. Raises StoreError."""
    files = _files()
    place = store / FOLDER / _digest(files)
    if place.is_dir():
        _forget_compiled(store, place)
        kept = {name: place / name for name in _names(place)}
        if _digest(kept) != place.name:
            raise StoreError(
                f"{place}: expected the code as it was copied, but files in it were changed. "
                "Remove the folder once no job runs from it, and submit again"
            )
        return place
    temporary = place.with_name(f".{place.name}~{uuid.uuid4().hex[:12]}")
    try:
        for name, file in files.items():
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        try:
            os.rename(temporary, place)
        except FileExistsError:
            discard(temporary)  # another submission was faster
    except OSError as error:
        discard(temporary)
        raise explain(error, store, "copying the code for its jobs") or StoreError(
            f"{place}: the code cannot be copied: {error}"
        ) from error
    return place


def _forget_compiled(store: Path, place: Path) -> None:
    """Removes what Python has compiled there: it would be run in place of the code that is checked,
    or be imported in place of a package. Jobs compile it again."""
    refuse_links_below(store, place)
    for path in place.rglob("*.pyc"):
        path.unlink(missing_ok=True)


def _files() -> dict[str, Path]:
    """Every file of the packages, by its name in the snapshot."""
    files = {}
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise StoreError(f"the package {package} is not to be found, which jobs need")
        folder = Path(next(iter(spec.submodule_search_locations)))
        files.update({f"{package}/{name}": folder / name for name in _names(folder)})
    return files


def _names(folder: Path) -> list[str]:
    """The files of a package's or snapshot's folder, without what Python or an editor leaves."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".pyc"
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _digest(files: dict[str, Path]) -> str:
    whole = hashlib.sha256()
    for name, file in sorted(files.items()):
        with file.open("rb") as stream:
            own = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{name} {own}\n".encode())
    return whole.hexdigest()[:16]
