"""The page as a file: whole, well formed, nothing fetched, nothing let in."""

import base64
import hashlib
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from grid import cli
from grid.results import publish
from grid.study import Study
from grid.wanted import record
from plots.report.facts import gather
from plots.report.page import page as page_of
from plots.report.page import write
from tests.grid.slurm.written import submission
from tests.plots.report import filled
from tests.plots.report.conftest import HOSTILE
from tests.plots.report.test_markup import Reader

EMPTY = {"br", "input", "meta", "path", "hr"}


class Elements(Reader):
    """Notes what is opened and never closed, and the content of scripts."""

    def __init__(self, text: str) -> None:
        self.open: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        super().__init__(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            attributes, text = self.scripts.pop()
            self.scripts.append((attributes, text + data))
        super().handle_data(data)


@pytest.fixture(scope="module")
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_section_is_there(text: str) -> None:
    headings = re.findall(r'<h2 id="([\w-]+)-title">', text)
    assert headings == [
        "verdicts",
        "failures",
        "figures",
        "summary",
        "languages",
        "curves",
        "grid",
        "cells",
        "every-score",
        "cost",
        "settings-shared",
        "reproduce",
    ]
    assert re.findall(r'<li><a href="#([\w-]+)">', text)[: len(headings)] == headings


@pytest.mark.parametrize("which", ["page", "hostile"])
def test_it_is_well_formed(which: str, request: pytest.FixtureRequest) -> None:
    read = Elements(request.getfixturevalue(which).read_text(encoding="utf-8"))
    assert read.open == []
    ids = Counter(attributes["id"] for _, attributes in read.elements if "id" in attributes)
    assert max(ids.values()) == 1, ids.most_common(3)
    pointed = [
        value
        for _, attributes in read.elements
        for name, value in attributes.items()
        if name in ("aria-labelledby", "data-for", "data-source")
    ]
    pointed += [
        (attributes["href"] or "")[1:]
        for _, attributes in read.elements
        if (attributes.get("href") or "").startswith("#") and "#cell=" not in attributes["href"]  # type: ignore[operator]
    ]
    made_by_script = {"cell-title"}
    assert set(pointed) <= ids.keys() | made_by_script


def test_nothing_is_fetched_and_only_its_own_script_runs(text: str) -> None:
    read = Elements(text)
    named = {name for _, attributes in read.elements for name in attributes}
    assert not named & {"src", "srcset", "background", "action", "onclick", "onerror", "onload"}
    assert all(
        (attributes.get("href") or "#").startswith("#") for _, attributes in read.elements
    ), "every link stays in the page"
    assert not re.search(r"@import|url\((?!#)", text)
    policy = next(a["content"] for n, a in read.elements if n == "meta" and "http-equiv" in a)
    runs = [content for attributes, content in read.scripts if "type" not in attributes]
    assert len(runs) == 1
    digest = base64.b64encode(hashlib.sha256(runs[0].encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy and policy.startswith("default-src 'none'")


def test_figures_are_drawings_with_their_numbers_as_tables(text: str) -> None:
    figure = text[text.index('<figure class="figure"') : text.index("</figure>")]
    read = Elements(figure)
    drawings = [attributes for name, attributes in read.elements if name == "svg"]
    assert [each["role"] for each in drawings] == ["img", "img"], "for a wide and a narrow page"
    assert "XNLI accuracy" in (drawings[0]["aria-label"] or "")
    single = re.sub(r"light-dark\(#[0-9a-f]{6},#[0-9a-f]{6}\)", "", figure)
    assert not re.search(r"#[0-9a-fA-F]{6}", single), "every colour has its dark twin"
    headings = re.findall(r'<th scope="col">([^<]+)</th>', figure)
    assert headings[:5] == ["series", "languages in pretraining", "mean", "95 % interval", "seeds"]


def test_a_figure_that_cannot_be_drawn_says_why(hostile: Path) -> None:
    read = Elements(hostile.read_text(encoding="utf-8"))
    assert "xlmr_figure_2 is not drawn: Figure 2 shows the block 'fixed width'" in read.text


def test_texts_of_others_stay_texts(hostile: Path) -> None:
    written = hostile.read_text(encoding="utf-8")
    read = Elements(written)
    assert HOSTILE not in written
    assert read.text.count("<img src=x onerror=") > 5, "they are shown as what they are"
    assert not [name for name, _ in read.elements if name == "img"]
    for attributes, content in read.scripts:
        if attributes.get("type") == "application/json":
            json.loads(content)


def test_equal_facts_give_equal_bytes(study: Study, text: str) -> None:
    assert page_of(gather(study, ("--store", "runs"))) == text


def test_it_says_what_failed_and_how_to_go_on(text: str) -> None:
    read = Elements(text).text
    assert "ValueError: no such thing" in read
    assert "an error of the program: see the log" in read
    assert "python -m grid logs" in read and "python -m grid retry" in read


def test_it_says_how_each_number_is_made_again(study: Study, text: str) -> None:
    read = Elements(text)
    assert f"git checkout {filled.MANIFEST['revision']}" in read.text
    assert "torch 2.13.0+cpu" in read.text
    known = json.loads(next(c for a, c in read.scripts if a.get("id") == "cells-data"))
    assert list(known["cells"]) == [cell.id for cell in study.cells]
    first = known["cells"][study.cells[0].id]
    keys = {key for _, key in first["stages"]}
    own = study.graph().cells[study.cells[0].id]
    assert {own["pretraining"][1], own["evaluation"][1], own["tokenizer"][1]} <= keys


def test_before_anything_has_run(tmp_path: Path) -> None:
    study = filled.study(tmp_path)
    written = write(gather(study, ()))
    read = Elements(written.read_text(encoding="utf-8"))
    assert read.open == []
    assert "Not judged yet" in read.text and "0/12" in read.text
    assert 'id="scores"' not in written.read_text(encoding="utf-8")


def test_the_command_prints_the_path(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.file.parent)
    assert cli.main(["report", "more.yaml", "--store", "runs"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == "runs/studies/more/laptop/report.html"
    assert told.err.startswith("More languages: 12 cells, ")
    assert Path(told.out.strip()).is_file()


def test_where_the_text_is_elsewhere_the_last_results_are_shown(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    for language in filled.LANGUAGES:
        file = tmp_path / "text" / f"{language}.txt"
        file.write_text("Some text.\nAnd more of it.\n" * 300, encoding="utf-8")
    axes = "{languages: [xlm-7], encoder.width: [16, 24]}"
    overrides = ["cell.corpus.source=cc100", "cell.tasks.xnli=null", "blocks=[fixed width]"]
    here = filled.study(tmp_path, axes, overrides=[*overrides, f"locations.cc100={tmp_path}/text"])
    filled.fill(here)
    publish(here, here.graph())
    record(here, here.graph())
    submission(here.store, here.graph(), {"a1": [list(here.graph().stages)]}, study="more")
    shutil.rmtree(tmp_path / "text")

    elsewhere = filled.study(tmp_path, axes, overrides=overrides)
    read = Elements(page_of(gather(elsewhere, ())))
    assert read.open == []
    assert "these are the stages as they were submitted" in read.text
    assert "6 cells, in the order of the plan" in read.text.replace("\u00a0", " ")
