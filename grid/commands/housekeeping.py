"""`adopt`, `verify`, `prune` and `doctor`: what comes in, what leaves, and is all well?"""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from grid.cli import DONE, FAILED
from grid.commands import existing_store, open_store, say, size
from grid.errors import StudyError
from grid.graph import StageId

if TYPE_CHECKING:
    from grid.study import Study
    from grid.verify import Dependents

_NAMED = 12
"""Names of each kind that a message gives."""


def adopt(options: Namespace) -> int:
    """Takes artifacts into the store; names those that it refuses, with the reason."""
    from grid.adopt import adopt as take

    store = open_store(options)
    overrides = [str(path) for path in options.folders if "=" in str(path) and not path.exists()]
    if overrides and options.study is None:
        raise StudyError(f"command line: {overrides[0]}: is no folder, and there is no --study")
    only = None if options.study is None else _needed(options.study, options, *overrides)
    refused = 0
    for folder in (path for path in options.folders if str(path) not in overrides):
        result = take(store, folder, only=only)
        for stage, key in result.taken:
            print(f"{stage} {key}")
        say(
            f"{folder}: {len(result.taken)} taken, {len(result.there)} there already"
            + (f", {len(result.unneeded)} not needed by the study" if result.unneeded else "")
            + (f", {len(result.busy)} being computed here" if result.busy else "")
        )
        for message in result.refused.values():
            say(f"refused: {message}")
        refused += len(result.refused)
    return FAILED if refused else DONE


def verify(options: Namespace) -> int:
    """Checks every artifact and result in the store, by default every byte; names the damaged ones.

    As a table, each with what depends on it; in the other formats one row for each such thing.
    """
    from grid import tables
    from grid.verify import dependents, frame, verify_store, verify_studies

    store = existing_store(options)
    whole, damaged = verify_store(store, quick=options.quick)
    files = verify_studies(store)
    depends = dependents(store, whole, damaged)
    if options.format != "table":
        tables.write(frame({**damaged, **files}, depends), options.format)
    else:
        for place, message in damaged.items():
            print(message)
            _print_dependents(depends[place])
        for message in files.values():
            print(message)
    told = f"; {len(files)} files of results are not what was written" if files else ""
    say(f"store {store.root}: {len(whole)} artifacts are whole, {len(damaged)} are not{told}")
    if damaged:
        say("`run` on a study computes anew what it needs of them, and keeps what was there")
    return FAILED if damaged or files else DONE


def _print_dependents(found: "Dependents") -> None:
    """What is made from a damaged artifact: the first of each kind by name."""
    kinds: dict[str, list[str]] = {}
    for stage, key in found.artifacts:
        kinds.setdefault(stage, []).append(key)
    for kind, names in kinds.items():
        print(f"  made from it: {kind} {_some(names)}")
    for study, cells in found.cells.items():
        print(f"  cells of {study}: {_some(cells)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def prune(options: Namespace) -> int:
    """Prints what is kept and what is not, in bytes; with --delete removes the latter."""
    from grid import tables
    from grid.prune import delete, frame, studies, survey, unlisted

    store = existing_store(options)
    wanted, unknown = studies(store)
    for file in options.studies:
        study = _load(file, options)
        name = f"{study.name} ({study.scale})"
        wanted[name] = wanted.get(name, set()) | set(study.graph().stages)
        unknown = [folder for folder in unknown if folder != store.study(study.name, study.scale)]
    if unknown:
        raise unlisted(unknown)
    found = survey(store, wanted, keep_days=options.keep_days)
    tables.write(frame(found), options.format)
    removable = found.removable
    total = size(sum(item.bytes for item in removable))
    if not options.delete:
        say(f"{len(removable)} folders, {total}, would be removed by --delete; nothing was")
        return DONE
    gone = delete(store, removable)
    left = len(removable) - len(gone)
    say(
        f"removed {len(gone)} folders, {size(sum(item.bytes for item in gone))}"
        + (f"; {left} are worked on since, and stay" if left else "")
    )
    return DONE


def doctor(options: Namespace) -> int:
    """Prints one line for each check; status 1 if anything would make a run fail."""
    from grid import tables
    from grid.doctor import PROBLEM, WARNING, examine, frame

    lines = examine(options.store, options.site)
    tables.write(frame(lines), options.format)
    states = [line.state for line in lines]
    say(f"{len(lines)} checks: {states.count(PROBLEM)} problems, {states.count(WARNING)} warnings")
    return FAILED if PROBLEM in states else DONE


def _needed(file: Path, options: Namespace, *overrides: str) -> set[StageId]:
    return set(_load(file, options, *overrides).graph().stages)


def _load(file: Path, options: Namespace, *overrides: str) -> "Study":
    from grid.study import load

    return load(file, *overrides, scale=options.scale, store=options.store, site=options.site)
