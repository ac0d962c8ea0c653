"""claims.json in a study's folder: written when it says something new, and only then."""

from pathlib import Path

import pytest

import grid
from grid.claims import UNDECIDED, read, record
from grid.claims.verdicts import CLAIMS
from grid.results import publish
from grid.study import Study
from tests.grid.claims.made_up import NARROW, WIDE, study
from tests.grid.claims.test_judge import expect


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of which nothing has run: its results are a frame without rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRID_STORE", raising=False)
    made = study(tmp_path, expect(f"of: {WIDE}, above: {NARROW}"))
    publish(made, made.graph())
    return made


def test_what_has_not_run_is_named_with_the_command_that_runs_it(made: Study) -> None:
    verdicts = record.publish(made)
    assert verdicts is not None and verdicts == read(made.folder)
    (claim,) = verdicts.claims
    assert claim.verdict == UNDECIDED
    assert len(claim.missing) == 6
    assert "python -m grid run made.yaml --scale laptop" in claim.why
    assert verdicts.seeds == (1, 2, 3)
    assert made.verdicts().claims == verdicts.claims


def test_a_file_that_says_the_same_is_left_untouched(made: Study) -> None:
    record.publish(made)
    before = (made.folder / CLAIMS).stat().st_mtime_ns
    again = record.publish(made)
    assert (made.folder / CLAIMS).stat().st_mtime_ns == before
    assert again == read(made.folder)
    (made.folder / CLAIMS).write_text("damaged")
    assert record.publish(made) == read(made.folder)


def test_verdicts_go_with_the_claims(made: Study) -> None:
    record.publish(made)
    text = made.file.read_text()
    made.file.write_text(text[: text.index("claims:")])
    assert record.publish(grid.load(made.file, store=made.store)) is None
    assert read(made.folder) is None
