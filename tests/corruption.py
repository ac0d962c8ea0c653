"""Damages finished stores in every way that a disk or a person does, and looks who notices.

    python -m tests.corruption --times 200 --seed 1

Fills a store with a small study of every kind of stage, once. Then, as often as asked, one thing in
a copy of it is damaged: `verify` has to name that artifact and nothing else, and what a run checks
before it reads has to refuse it. Status 1 if either does not.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grid import artifact
from grid.artifact import ArtifactError, StrayError, check
from grid.store import Store
from grid.verify import identity, verify_store
from tests.test_killed import STUDY, Run


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """What was done, and where it is to be seen."""

    kind: str
    told: str
    places: frozenset[Path]
    """What `verify` has to name."""
    artifacts: frozenset[Path]
    """Those of them that are not what they should be any more; of others there is only too much."""


def flip(file: Path, other: Path, draw: random.Random) -> None:
    """One bit."""
    content = bytearray(file.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    file.write_bytes(content)


def flip_unseen(file: Path, other: Path, draw: random.Random) -> None:
    """One bit, with the file's times put back."""
    before = file.stat()
    flip(file, other, draw)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate(file: Path, other: Path, draw: random.Random) -> None:
    """Any part of its end."""
    os.truncate(file, draw.randrange(file.stat().st_size))


def delete(file: Path, other: Path, draw: random.Random) -> None:
    """The whole file."""
    file.unlink()


def zero(file: Path, other: Path, draw: random.Random) -> None:
    """A block that was never written, as after a crash."""
    content = bytearray(file.read_bytes())
    content[draw.randrange(len(content)) :] = b""
    file.write_bytes(content.ljust(file.stat().st_size + 1, b"\0"))


def replaced(file: Path, other: Path, draw: random.Random) -> None:
    """By a file of the same name of another artifact."""
    shutil.copy2(other, file)


PAYLOAD: tuple[Callable[[Path, Path, random.Random], None], ...] = (
    flip, flip_unseen, truncate, delete, zero, replaced,
)  # fmt: skip
MORE = ("swap files", "swap artifacts", "copy inside", "copy artifact", "file for artifact")
KINDS = (*(each.__name__ for each in PAYLOAD), *MORE)


def spoil(root: Path, kind: str, draw: random.Random, spared: set[Path] | None = None) -> Spoilt:
    """Damages something in a store in one way; artifacts that are spared stay as they are."""
    found = sorted(set((root / "artifacts").glob("*/*/*")) - (spared or set()))
    place = draw.choice(found)
    alike = [each for each in found if each.parts[-3] == place.parts[-3] and each != place]
    while not alike:
        place = draw.choice(found)
        alike = [each for each in found if each.parts[-3] == place.parts[-3] and each != place]
    twin = draw.choice(alike)
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.stat().st_size)
    file = draw.choice(files)
    name = file.relative_to(place)
    if not (twin / name).exists():
        name = Path("config.json")
        file = place / name
    both = frozenset({place, twin})
    if kind == "swap files":
        exchange(file, twin / name)
        return Spoilt(kind=kind, told=f"{place} {name}", places=both, artifacts=both)
    if kind == "swap artifacts":
        exchange(place, twin)
        return Spoilt(kind=kind, told=f"{place}", places=both, artifacts=both)
    own = frozenset({place})
    if kind == "copy inside":
        shutil.copy2(file, file.with_name(f"copy of {file.name}"))
        return Spoilt(kind=kind, told=f"{place} {name}", places=own, artifacts=frozenset())
    if kind == "copy artifact":
        copy = draw.choice([place.with_name(f"{place.name}-copy"), twin.parent / place.name])
        if copy == place:
            copy = place.with_name(f"{place.name}-copy")
        shutil.copytree(place, copy)
        places = frozenset({copy})
        return Spoilt(kind=kind, told=f"{copy}", places=places, artifacts=frozenset())
    if kind == "file for artifact":
        shutil.rmtree(place)
        place.write_text("")
        return Spoilt(kind=kind, told=f"{place}", places=own, artifacts=own)
    act = next(each for each in PAYLOAD if each.__name__ == kind)
    before = file.read_bytes()
    act(file, twin / name, draw)
    same = file.is_file() and file.read_bytes() == before
    changed = frozenset() if same else own  # a file that both have alike
    return Spoilt(kind=kind, told=f"{place} {name}", places=changed, artifacts=changed)


def exchange(one: Path, other: Path) -> None:
    """Two files or folders change places."""
    if one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes():
        one = one.with_name("manifest.json")  # these differ always
        other = other.with_name("manifest.json")
    aside = one.with_name(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def unnoticed(store: Store, spoilt: Spoilt) -> Iterator[str]:
    """What neither `verify` nor the check before reading has found, or has found in vain."""
    checked = {
        place: refusal(place)
        for place in (store.root / "artifacts").glob("*/*/*")
        if place == store.path(*identity(place))  # nobody reads from anywhere else
    }
    _, damaged = verify_store(store)
    if set(damaged) != spoilt.places:
        yield f"{spoilt.kind}: {spoilt.told}: verify names {sorted(damaged)}"
    for place, fault in checked.items():
        whole = fault is None or (isinstance(fault, StrayError) and place not in spoilt.artifacts)
        if whole is (place in spoilt.artifacts):
            yield f"{spoilt.kind}: {spoilt.told}: at {place} a run finds {fault}"


def refusal(place: Path) -> ArtifactError | None:
    """Why a run would not read what lies at a place."""
    try:
        check(place, identity(place))
    except ArtifactError as error:
        return error
    return None


def fill(folder: Path) -> Run:
    """A finished store of every kind of stage that the program has."""
    (folder / "all.yaml").write_text(STUDY)
    run = Run(folder, "whole")
    run.finish(run.start())
    return run


def main() -> int:
    """The command `python -m tests.corruption`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    artifact.RESOLUTION = 50_000_000
    draw, counts, faults = random.Random(options.seed), Counter[str](), []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        whole = fill(folder).store
        for number in range(options.times):
            copy = folder / "copy"
            shutil.copytree(whole, copy)
            time.sleep(2 * artifact.RESOLUTION / 1e9)
            for place in copy.glob("artifacts/*/*/*"):
                check(place, identity(place))  # as after a run: what is right is known to be
            kind = KINDS[number % len(KINDS)]
            spoilt = spoil(copy, kind, draw)
            counts[kind] += bool(spoilt.places)
            faults += unnoticed(Store(copy), spoilt)
            shutil.rmtree(copy)
    print(", ".join(f"{kind}: {count}" for kind, count in counts.items()))
    print(f"{sum(counts.values())} damages, {len(faults)} not found, or found where there is none")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
