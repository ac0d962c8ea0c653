"""Pages and a browser for the tests, once for each file of them.

Without Debian's chromium and chromium-driver the tests marked `browser` are skipped, saying so;
with GRID_TEST_BROWSER set, as in CI, they fail instead.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from grid.study import Study
from plots.report.facts import gather
from plots.report.page import write
from tests.plots.report import filled
from tests.plots.report.browser import Browser, browser, missing

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"alert(1)\">&amp;'\"$x</style>"
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    lacks = missing()
    if lacks is not None:
        (pytest.fail if os.environ.get("GRID_TEST_BROWSER") else pytest.skip)(lacks)
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Finished but for one cell, which failed; judged."""
    made = filled.study(tmp_path_factory.mktemp("study"), figures="[xlmr_figure_2]")
    return _made(made, "ValueError: no such thing", "log")


@pytest.fixture(scope="module")
def page(study: Study) -> Path:
    return write(gather(study, ("--store", "runs")))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study whose every text tries to break out of the page."""
    folder = tmp_path_factory.mktemp("hostile")
    study = filled.study(
        folder, title=HOSTILE, block=HOSTILE, claim=HOSTILE, figures="[xlmr_figure_2]"
    )
    _made(study, HOSTILE, f"{HOSTILE}\n</pre></script>{HOSTILE}")
    return write(gather(study, (HOSTILE,)))


def _made(study: Study, message: str, log: str) -> Study:
    failed = study.cells[-1].id
    filled.fill(study, but=[failed])
    filled.fail(study, failed, message, log)
    filled.judge(study, procedure=message)
    return study
