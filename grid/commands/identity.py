"""`why`: what makes two cells or two artifacts different ones."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from grid.cli import DONE
from grid.commands import STUDY_ENDINGS, load_study, open_store, say
from grid.errors import StudyError


def why(options: Namespace) -> int:
    """Prints the fields in which two things differ; says so if they are equal."""
    words: Sequence[str] = options.words
    studies = [word for word in words if word.endswith(STUDY_ENDINGS)]
    if studies == words[:1]:
        options.study = Path(words[0])
        if len(words) == 1:
            return _orphans(options)
        if len(words) == 2:
            raise StudyError(
                f"expected two cells of {words[0]}, found one: {words[1]}. For a study alone, "
                "`why` tells why its last run's artifacts are not used any more"
            )
        return _cells(options, words[1], words[2])
    if len(words) != 2 or studies:
        raise StudyError(
            f"expected STUDY CELL CELL, or two artifacts, found {' '.join(words)}; a study's name "
            "ends in .yaml"
        )
    return _artifacts(options, words[0], words[1])


def _cells(options: Namespace, a: str, b: str) -> int:
    from grid.why import cells, frame

    study = load_study(options)
    one, other = study.cell(a), study.cell(b)
    if one is other:
        say(f"{a} and {b} are one cell: {one.id}")
        return DONE
    return _print(frame(cells(one.config, other.config), (one.id, other.id)), options.format)


def _artifacts(options: Namespace, a: str, b: str) -> int:
    from grid.why import Records, artifacts, find, frame, of_folder, store_around

    store = open_store(options)
    folders = find(store, a), find(store, b)
    # An artifact outside this store brings its own: its inputs lie beside it.
    one, other = (Records(store=store_around(folder)) for folder in folders)
    names = [folder.absolute().name for folder in folders]
    found = artifacts(of_folder(folders[0]), of_folder(folders[1]), one, other)
    if not found:
        say(f"they are equal: {names[0]}")
        return DONE
    if names[0] == names[1]:
        names = [str(folder) for folder in folders]
    return _print(frame(found, (names[0], names[1])), options.format)


def _orphans(options: Namespace) -> int:
    from grid import tables, wanted
    from grid.why import orphans_frame

    study = load_study(options)
    graph, store = study.graph(), study.open_store()
    if wanted.recorded(study.folder) is None:
        say(f"{study.name} has not run at scale {study.scale} in the store {study.store}")
        return DONE
    orphans = wanted.orphaned(study, graph, store)
    if not orphans:
        say("every artifact of its last run is used")
        return DONE
    tables.write(orphans_frame(wanted.explain(study, graph, store, orphans)), options.format)
    return DONE


def _print(frame: object, format: str) -> int:
    from grid import tables

    tables.write(frame, format)  # type: ignore[arg-type]
    return DONE
