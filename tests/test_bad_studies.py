"""Broken study files, each with one mistake and with the exact message that a user gets.

`tests/bad_studies/NAME.yaml` has the mistake that its name says, `NAME.txt` the message. A message
that was changed on purpose is written anew by `python -m tests.test_bad_studies`: read the diff.
"""

import os
from pathlib import Path

import pytest

from tests.fuzz_studies import BROKEN, fuzz, load

FILES = sorted(BROKEN.glob("*.yaml"))


def message(file: Path, store: Path) -> str:
    """What loading, planning and keying a study says; paths are relative to its folder."""
    os.chdir(file.parent)
    told = load(Path(file.name), None, store)
    assert told is not None, f"{file.name} has no mistake"
    return told.replace(f"{file.parent}{os.sep}", "") + "\n"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_broken_study_has_its_message(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # comes back afterwards
    monkeypatch.delenv("GRID_STORE", raising=False)
    expected = file.with_suffix(".txt").read_text(encoding="utf-8")
    assert message(file, tmp_path / "runs") == expected


def test_there_are_many_of_them_and_each_has_its_message() -> None:
    assert len(FILES) >= 60
    assert {file.stem for file in FILES} == {file.stem for file in BROKEN.glob("*.txt")}


def test_mutated_studies_end_in_a_result_or_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    findings = list(fuzz(tmp_path, seed=20, seconds=60, most=120))
    assert not findings, f"{findings[0].told}\n{findings[0].text}"


def _write() -> None:
    for file in FILES:
        text = message(file, file.parent / "runs")
        file.with_suffix(".txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
