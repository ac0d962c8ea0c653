"""Judges a study on its results and keeps the verdicts in its folder."""

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grid.claims.judge import PROCEDURE, judge
from grid.claims.significance import ALPHA
from grid.claims.verdicts import CLAIMS, Verdicts, read, text
from grid.errors import StoreError
from grid.results import RESULTS, results_sha256
from grid.study_files import read_frame, replace_file
from grid.tree import shown

if TYPE_CHECKING:
    import polars

    from grid.study import Study


def verdicts_on(study: "Study", frame: "polars.DataFrame") -> Verdicts:
    """The verdicts on a study's claims by these results."""
    judged = judge(
        study.bound_claims, frame, study.seeds, study.declared_seeds, fill=run_command(study)
    )
    return Verdicts(
        study=study.name,
        scale=study.scale,
        judged_at=datetime.now(UTC).isoformat(timespec="seconds"),
        results_sha256=results_sha256(study),
        seeds=study.seeds,
        alpha=ALPHA,
        procedure=PROCEDURE,
        claims=judged,
    )


def publish(study: "Study") -> Verdicts | None:
    """Judges the results in the study's folder and writes claims.json beside them.

    None, and no such file, for a study without claims. A file that says the same but for its date
    is left untouched. Raises StoreError.
    """
    path = study.folder / CLAIMS
    if not study.claims:
        _remove(path)
        return None
    verdicts = verdicts_on(study, read_frame(study.folder / RESULTS))
    try:
        before = read(study.folder)
    except StoreError:
        before = None  # damaged: written anew
    if before is not None and replace(before, judged_at=verdicts.judged_at) == verdicts:
        return before
    content = text(verdicts)
    replace_file(path, lambda temporary: temporary.write_text(content, encoding="utf-8"))
    return verdicts


def _remove(path: Path) -> None:
    """Verdicts on claims that the study does not make any more are of no use."""
    if path.is_file():
        try:
            path.unlink()
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed: {error}") from error


def run_command(study: "Study") -> str:
    """The call that runs what is missing of a study."""
    from grid.study import DEFAULT_STORE

    words = ["python", "-m", "grid", "run", shown(study.file), "--scale", study.scale]
    if str(study.store) != DEFAULT_STORE:
        words += ["--store", str(study.store)]
    return shlex.join(words)
