"""The page in headless Chromium: it sorts, filters, turns dark, fits a phone, and says no error."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from grid.study import Study
from plots.report.facts import gather
from plots.report.page import write
from tests.plots.report import filled
from tests.plots.report.browser import Browser, until

pytestmark = pytest.mark.browser
CHECKS = Path(__file__).with_name("checks.js").read_text(encoding="utf-8")
ENTER, ESCAPE, TAB, SPACE = "\ue007", "\ue00c", "\ue004", " "
DESKTOP, PHONE = (1280, 900), (360, 740)


@pytest.fixture(autouse=True)
def _quiet(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does, the console stays empty."""
    chromium: Browser = request.getfixturevalue("chromium")
    chromium.resize(*DESKTOP)
    chromium.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
    yield
    assert chromium.messages() == []


def column(chromium: Browser, table: str, name: str) -> list[str]:
    """What a table shows in one of its columns."""
    texts: list[str] = chromium.run(
        """const table = document.getElementById(arguments[0]);
        const titles = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
        const place = titles.indexOf(arguments[1]);
        return [...table.tBodies[0].rows].map((row) => row.cells[place].textContent);""",
        table,
        name,
    )
    return texts


def heading(chromium: Browser, table: str, name: str) -> str:
    """The selector of a column's button."""
    place = chromium.run(
        """const cells = [...document.getElementById(arguments[0]).tHead.rows[0].cells];
        return cells.findIndex((cell) => cell.textContent === arguments[1]) + 1;""",
        table,
        name,
    )
    return f"#{table} th:nth-child({place}) > button"


def choose(chromium: Browser, select: str, text: str) -> None:
    chromium.run(
        """const select = document.querySelector(arguments[0]);
        select.selectedIndex = [...select.options].findIndex((each) => each.text === arguments[1]);
        select.dispatchEvent(new Event("change"));""",
        select,
        text,
    )


def test_tables_sort_both_ways(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    button = heading(chromium, "cells-table", "bits/byte all")
    chromium.click(button)
    rising = column(chromium, "cells-table", "bits/byte all")
    state = "return document.querySelector('#cells-table [aria-sort]').getAttribute('aria-sort')"
    assert chromium.run(state) == "ascending"
    assert rising[:-1] == sorted(rising[:-1], key=float), "numbers as numbers"
    assert rising[-1] == "–", "what has not run comes last"
    chromium.click(button)
    falling = column(chromium, "cells-table", "bits/byte all")
    assert chromium.run(state) == "descending"
    assert falling[:-1] == rising[:-1][::-1] and falling[-1] == "–"


def test_every_score_sorts_with_the_keyboard_alone(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    button = heading(chromium, "scores", "value")
    chromium.run("document.querySelector(arguments[0]).focus()", button)
    chromium.press(ENTER)
    values = [float(text.replace(",", "")) for text in column(chromium, "scores", "value")]
    assert len(values) == 25 and values == sorted(values)
    chromium.press(SPACE)
    values = [float(text.replace(",", "")) for text in column(chromium, "scores", "value")]
    assert values == sorted(values, reverse=True) and values[0] >= 320_000


def test_filters_narrow_and_say_how_far(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    told = "return document.querySelector('.tools[data-for=scores] output').textContent"
    whole = chromium.run(told)
    selects = chromium.run(
        """return [...document.querySelectorAll('.tools[data-for=scores] label')]
        .map((label) => label.firstChild.textContent)"""
    )
    place = {
        name: f".tools[data-for=scores] label:nth-child({index})"
        for index, name in enumerate(selects, start=1)
    }
    choose(chromium, f"{place['metric']} select", "accuracy")
    choose(chromium, f"{place['language']} select", "ur")
    assert set(column(chromium, "scores", "metric")) == {"accuracy"}
    assert set(column(chromium, "scores", "language")) == {"ur"}
    assert chromium.run(told) == f"11 of {whole.removesuffix(' rows')} rows"
    chromium.type(f"{place['Find']} input", "XLM-30")
    assert all("xlm-30" in cell for cell in column(chromium, "scores", "cell"))
    assert chromium.run(told).startswith("5 of ")


def test_pages_turn(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    first = column(chromium, "scores", "cell")
    chromium.click("#every-score .pager button:nth-child(2)")
    assert column(chromium, "scores", "cell") != first
    where = "return document.querySelector('#every-score .pager span').textContent"
    assert chromium.run(where) == "26 to 50"
    chromium.click("#every-score .pager button:nth-child(1)")
    assert column(chromium, "scores", "cell") == first


def test_a_table_is_saved_as_it_is_shown(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    chromium.run(
        """window.saved = null;
        URL.createObjectURL = (blob) => {
            blob.text().then((text) => { window.saved = text; });
            return "#";
        };
        URL.revokeObjectURL = () => {};"""
    )
    chromium.click(heading(chromium, "results", "languages"))
    chromium.click(".tools[data-for=results] > button")
    until(lambda: chromium.run("return window.saved !== null"))
    lines = chromium.run("return window.saved").splitlines()
    assert lines[0].startswith('"block","languages","width","seeds"')
    assert len(lines) == 1 + 5 and lines[1].split(",")[1] == '"xlm-7"'


def test_a_cell_opens_from_its_id_and_closes_with_escape(
    chromium: Browser, page: Path, study: Study
) -> None:
    chromium.open(page)
    cell = study.cells[0].id
    chromium.click("#cells-table a.cell")
    until(lambda: chromium.run("return document.getElementById('cell').open"))
    told = chromium.run("return document.getElementById('cell').innerText")
    assert cell in told and "encoder.width" in told
    assert f"python -m grid show {study.file} {cell} --store runs" in told
    key = study.graph().cells[cell]["pretraining"][1]
    assert (
        study.open_store()
        .path("pretraining", key)
        .as_posix()
        .endswith(
            next(line for line in told.splitlines() if line.startswith("artifacts/pretraining/"))
        )
    )
    chromium.press(ESCAPE)
    until(lambda: not chromium.run("return document.getElementById('cell').open"))
    assert chromium.run("return location.hash") == ""
    chromium.open(page, f"#cell={study.cells[1].id}")
    assert (
        chromium.run("return document.querySelector('#cell h2').textContent") == study.cells[1].id
    )


def test_the_heat_map_shows_each_metric_and_block(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    texts = "return [...document.querySelectorAll(arguments[0])].map((cell) => cell.textContent)"
    assert chromium.run(texts, "#heat thead th") == ["en", "ru", "de", "fr", "zh", "ur", "sw"]
    assert chromium.run("return document.querySelectorAll('#heat tbody tr').length") == 3
    choose(chromium, "#heat-tools label:nth-child(2) select", "wider")
    choose(
        chromium,
        "#heat-tools label:nth-child(1) select",
        "Gain over the own-language unigram, bits per byte",
    )
    assert chromium.run("return document.getElementById('heat').caption.textContent") == (
        "Gain over the own-language unigram, bits per byte, block wider, mean over seeds"
    )
    assert chromium.run(texts, "#heat tbody th") == ["xlm-7, width 16", "xlm-30, width 24"]


def test_a_key_shows_its_curves_alone(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    drawn = "return document.querySelectorAll('.curve:first-child path[data-cell]').length"
    assert chromium.run(drawn) == 9
    chromium.click(".curve:first-child .keys button:nth-child(2)")
    alone = """return [...document.querySelectorAll('.curve:first-child path.on')]
        .map((path) => path.dataset.point)"""
    assert chromium.run(alone) == ["xlm-15"] * 3
    pressed = "return document.querySelectorAll('.curve:first-child [aria-pressed=true]').length"
    assert chromium.run(pressed) == 1
    chromium.click(".curve:first-child .keys button:nth-child(2)")
    assert chromium.run(alone) == [] and chromium.run(pressed) == 0


def test_the_curve_under_the_pointer_tells_itself(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    box = chromium.run(
        """const svg = document.querySelector('.curve svg');
        svg.scrollIntoView({ block: "center", behavior: "instant" });
        const box = svg.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];"""
    )
    chromium.devtools("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    until(lambda: chromium.run("return !document.querySelector('.curve .tip').hidden"))
    told = chromium.run("return document.querySelector('.curve .tip').textContent")
    assert told.startswith("xlm-") and told.endswith("updates")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_readable_and_fits(
    chromium: Browser, page: Path, theme: str, size: tuple[int, int]
) -> None:
    chromium.resize(*size)
    chromium.prefer(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
    chromium.open(page)
    chromium.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert chromium.run(f"{CHECKS}\nreturn faintWords()") == []
    assert chromium.run(f"{CHECKS}\nreturn tooWide()") == []
    assert chromium.run(f"{CHECKS}\nreturn smallTargets()") == []
    assert chromium.run("return document.documentElement.scrollWidth <= innerWidth")
    paper = chromium.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(", "))) < 150) == (theme == "dark")


def test_everything_has_a_name_and_a_way_with_the_keyboard(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    assert chromium.run(f"{CHECKS}\nreturn nameless()") == []
    assert chromium.run("return document.querySelectorAll('main, nav, footer').length") == 3
    levels = chromium.run(
        "return [...document.querySelectorAll('h1, h2, h3')].map((each) => Number(each.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    chromium.press(TAB)
    assert chromium.run("return document.activeElement.textContent") == "Skip to the content"
    chromium.press(ENTER)
    until(lambda: chromium.run("return document.activeElement.id") == "main")
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    chromium.press(TAB)
    assert chromium.run(outline) == "solid"


def test_the_reader_chooses_dark(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = chromium.run(paper)
    chromium.click("nav button")
    assert chromium.run(paper) != light
    assert chromium.run("return document.querySelector('nav button').textContent") == "Light"
    chromium.click("nav button")
    assert chromium.run(paper) == light


def test_on_paper_whole_tables_are_there_and_no_tool(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    chromium.devtools("Emulation.setEmulatedMedia", media="print")
    shown = "return document.querySelector(arguments[0]).checkVisibility()"
    assert not chromium.run(shown, ".tools[data-for=settings]")
    assert not chromium.run(shown, "nav") and not chromium.run(shown, "#scores")
    assert chromium.run(shown, "#settings")
    whole = "return document.querySelector('.tools[data-for=settings] output').textContent"
    assert len(column(chromium, "settings", "key")) == 25
    chromium.run("dispatchEvent(new Event('beforeprint'))")
    assert chromium.run(whole) == f"{len(column(chromium, 'settings', 'key'))} rows" != "25 rows"
    chromium.run("dispatchEvent(new Event('afterprint'))")
    assert len(column(chromium, "settings", "key")) == 25
    chromium.devtools("Emulation.setEmulatedMedia", media="")


def test_hostile_texts_do_nothing(chromium: Browser, hostile: Path) -> None:
    chromium.open(hostile)
    assert chromium.run("return document.title").startswith("<script>document.title=")
    assert chromium.run("return document.querySelectorAll('img').length") == 0
    chromium.click("#cells-table a.cell")
    until(lambda: chromium.run("return document.getElementById('cell').open"))
    assert "<script>" in chromium.run("return document.getElementById('cell').innerText")
    assert chromium.run("return document.querySelectorAll('img').length") == 0
    choose(chromium, "#heat-tools label:nth-child(2) select", "wider")


def test_a_thousand_cells_stay_small_and_quick(chromium: Browser, tmp_path: Path) -> None:
    study = filled.study(tmp_path, filled.MANY, figures="[xlmr_figure_2, xlmr_figure_4]")
    filled.fill(study)
    filled.judge(study)
    page = write(gather(study, ()))
    assert len(study.cells) == 1014
    assert page.stat().st_size < 5_000_000
    chromium.devtools("Performance.enable", timeDomain="threadTicks")
    chromium.open(page)
    ready = cpu_seconds(chromium)
    assert ready < 2, "until everything answers"
    chromium.click(heading(chromium, "scores", "value"))
    chromium.type(".tools[data-for=scores] input", "xlm-100")
    assert len(column(chromium, "scores", "value")) == 25
    assert cpu_seconds(chromium) - ready < 2, "to sort 37,518 scores, and to filter them 7 times"


def cpu_seconds(chromium: Browser) -> float:
    """Of the page's main thread since it was opened: the same however busy the machine is."""
    found = chromium.devtools("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in found if each["name"] == "TaskDuration")
