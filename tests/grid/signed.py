"""Manifests for artifacts that a test has written or changed by hand."""

import hashlib
import json
from pathlib import Path

from grid.artifact import CHECKSUM, MANIFEST

ZEROS = "0" * 64


def sign(place: Path) -> None:
    """Makes the manifest say what is there: no checksum can tell that it is a lie."""
    path = place / MANIFEST
    manifest = {"stage": place.parents[1].name, "key": place.name, "version": 1}
    if path.is_file():
        manifest = json.loads(path.read_text(encoding="utf-8"))
    files = {
        file.relative_to(place).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in sorted(place.rglob("*"))
        if file.is_file() and file != path
    }
    # In ASCII, for a liar may spell what is no text.
    text = json.dumps({**manifest, "files": files, CHECKSUM: ZEROS})
    checksum = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(text.replace(ZEROS, checksum), encoding="ascii")
