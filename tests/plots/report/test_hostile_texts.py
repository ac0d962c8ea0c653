"""Texts that a study, an artifact, an attempt or a verdict can bring stay texts in the page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import grid
from grid.artifact import MANIFEST
from grid.study import Study
from plots.report.facts import gather
from plots.report.page import write
from tests.grid.signed import sign
from tests.plots.report import filled
from tests.plots.report.conftest import HOSTILE
from tests.plots.report.test_page import Elements

SURROGATE = "\ud800"


def each(folder: Path, pattern: str, change: Callable[[Any], None]) -> int:
    """Changes the JSON of each file; how many there are."""
    files = sorted(folder.glob(pattern))
    for file in files:
        value = json.loads(file.read_text(encoding="utf-8"))
        change(value)
        file.write_text(json.dumps(value), encoding="utf-8")
        if (file.parent / MANIFEST).is_file():
            sign(file.parent)  # whoever writes an artifact writes its manifest
    return len(files)


def manifest(value: dict[str, Any]) -> None:
    value |= {"revision": HOSTILE, "finished": HOSTILE + SURROGATE}
    value["environment"] = {HOSTILE: HOSTILE}
    value["execution"] = {"device": HOSTILE, "threads": 1}


def scores(value: list[dict[str, Any]]) -> None:
    for row in list(value):
        value += [{**row, name: HOSTILE} for name in ("language", "task", "metric")]


def outcome(value: dict[str, Any]) -> None:
    value |= {"kind": HOSTILE, "message": HOSTILE + SURROGATE, "host": HOSTILE}


def verdicts(value: Any, name: str = "") -> None:
    """Every text of it but those that choose what is shown."""
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(item, dict | list):
            verdicts(item, key if isinstance(key, str) else name)
        elif isinstance(item, str) and key not in ("kind", "verdict", "study", "scale"):
            value[key] = HOSTILE


STORES = {
    "manifests": ("artifacts/*/*/*/manifest.json", manifest),
    "scores": ("artifacts/*/*/*/scores.json", scores),
    "outcomes": ("attempts/*/*/*/outcome.json", outcome),
    "verdicts": ("studies/*/*/claims.json", verdicts),
}


def rendered(study: Study) -> Elements:
    text = write(gather(study, (HOSTILE,))).read_text(encoding="utf-8")
    read = Elements(text)
    assert HOSTILE not in text
    assert read.open == []
    assert not {name for name, _ in read.elements} & {"img", "iframe", "object", "embed", "base"}
    assert len([each for each, _ in read.scripts if "type" not in each]) == 1
    named = {name for _, attributes in read.elements for name in attributes}
    assert not [name for name in named if name.startswith("on") or name in ("src", "srcset")]
    return read


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = filled.study(tmp_path)
    last = made.cells[-1].id
    filled.fill(made, but=[last])
    filled.fail(made, last, "no such thing", "log")
    filled.judge(made)
    return made


@pytest.mark.parametrize("kind", STORES)
def test_what_a_store_says(kind: str, study: Study) -> None:
    assert study.store is not None
    assert each(Path(study.store), *STORES[kind]) >= 1
    assert rendered(study).text.count("<img src=x onerror=") >= 1


def test_what_a_study_says(tmp_path: Path) -> None:
    """Its source, its file's folder and its locations; the rest is in `hostile` of conftest.py."""
    folder = tmp_path / HOSTILE.replace("/", "")
    folder.mkdir()
    filled.study(folder)
    file = folder / "more.yaml"
    said = file.read_text(encoding="utf-8").replace("Conneau et al. 2020, Section 5.1", "HERE")
    said = said.replace('"HERE"', json.dumps(HOSTILE))
    file.write_text(f"{said}locations: {{cc100: {json.dumps('/data/' + HOSTILE)}}}\n", "utf-8")
    made = grid.load(file, store=folder / "runs")
    filled.fill(made)
    assert rendered(made).text.count("<img src=x onerror=") >= 1
