"""What a study's results were made from, so that they are collected again only if that has changed.

They follow from its cells, from the artifacts that hold scores, and from this package's code.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from grid.artifact import MANIFEST
from grid.confine import read_file
from grid.errors import StoreError
from grid.graph import StageId
from grid.over_cores import over_cores
from grid.scores import READ
from grid.store import Store

if TYPE_CHECKING:
    from grid.graph import Graph
    from grid.study import Study


def made_from(study: "Study", graph: "Graph", frames: Mapping[str, bytes]) -> str:
    """A checksum of all of it, in hexadecimal.

    frames: the study's other files by name, which say what its cells are and what they are made of.
    An artifact is known by the checksums in its manifest, so that one which was made again, to the
    same bits, is the same. A file that was changed since is not found here, but before a run
    (grid.damage).
    """
    store = study.open_store()
    read = {
        id
        for roles in graph.cells.values()
        for role, id in roles.items()
        if role.partition("/")[0] in READ
    }
    published = {name: store.published(name) for name in {name for name, _ in read}}
    there = sorted(id for id in read if id[1] in published[id[0]])
    members = {
        block: [cell.id for cell in cells] for block, cells in study.expansion.members.items()
    }
    parts = {
        "code": _code(),
        "study": [study.name, study.scale, list(study.paths)],
        "members": list(members.items()),  # in their order, which is that of the rows
        "frames": {name: _sha256(content) for name, content in frames.items()},
        "artifacts": list(
            zip(there, over_cores(partial(_payload, store), there), strict=True),
        ),
    }
    return _sha256(json.dumps(parts, sort_keys=True).encode())


def _payload(store: Store, id: StageId) -> str | None:
    """Sizes and checksums of an artifact's files, in one; None if it is not to be read any more."""
    try:
        manifest = json.loads(read_file(os.path.join(store.path(*id), MANIFEST)))
        return _sha256(json.dumps(manifest["files"], sort_keys=True).encode())
    except (OSError, StoreError, ValueError, KeyError, TypeError, RecursionError):
        return None


@cache
def _code() -> str:
    """Of the files of this package as they are now: results of other code are collected anew."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return _sha256(b"".join(file.read_bytes() for file in files))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
