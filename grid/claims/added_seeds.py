"""Seeds that were added to a study to settle its claims: `seeds.json` in the study's folder.

From then on the study has them wherever it is run, collected, judged or drawn in this store, unless
the command line sets `replicates`. How many seeds it declared before is kept with them, for that is
where its claims were looked at first.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from grid.confine import read_file
from grid.errors import StoreError

FILE = "seeds.json"


@dataclass(frozen=True, kw_only=True)
class AddedSeeds:
    """What the file says."""

    declared: int
    """Seeds that the study declared when the first one was added."""
    added: tuple[int, ...]
    """In the order in which they were added."""


def read(folder: Path) -> AddedSeeds | None:
    """What was added to the study of a folder; None if nothing was. Raises StoreError."""
    path = folder / FILE
    try:
        written = json.loads(read_file(path))
        declared, added = written["declared"], written["added"]
        if type(declared) is not int or any(type(seed) is not int for seed in added):
            raise ValueError("expected whole numbers")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise StoreError(
            f"{path}: cannot be read ({error}). Without it the study has only the seeds that it "
            "declares: remove the file, and settle its claims again"
        ) from None
    return AddedSeeds(declared=declared, added=tuple(added))


def write(folder: Path, seeds: AddedSeeds) -> None:
    """Raises StoreError if the file cannot be written."""
    from grid.study_files import replace_file

    text = json.dumps({"declared": seeds.declared, "added": list(seeds.added)}) + "\n"
    replace_file(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))
