"""No text of any figure covers another or leaves its page: on a page, and at 3.3 inches."""

import polars
import pytest

from plots.chart import Chart
from plots.registry import FIGURES
from plots.render import PAGE, SINGLE
from tests.plots import frames
from tests.plots.drawn import unreadable

SPARSE = (polars.col("cell").hash(7) % 4 != 0) | (polars.col("seed") == 1)


def charts(figure: str) -> dict[str, Chart]:
    """The figure over full, sparse and poor results."""
    study = FIGURES[figure].study
    full, no_task = frames.study(study), frames.study(study, xnli=False, synthetic=False)
    given = {
        "three seeds": full,
        "seeds and points missing": full.filter(SPARSE),
        "one seed": full.filter(polars.col("seed") == 1),
        "no XNLI, real text": no_task,
    }
    return {
        name: FIGURES[figure].chart(frames.material(figure, frame, **_planned(full, name)))
        for name, frame in given.items()
        if not (figure == "stopping_criterion" and frame is no_task)
    }


def _planned(full: polars.DataFrame, name: str) -> dict[str, polars.DataFrame]:
    """With the plan of the full results, except where nothing is said to be missing."""
    if name != "seeds and points missing":
        return {}
    plan = full.unique(["block", "cell"]).rename({"block": "blocks"})
    axes = [column for column in plan.columns if "." in column]
    return {"plan": plan.select("blocks", "cell", "seed", "n_languages", *axes)}


@pytest.mark.parametrize("figure", FIGURES)
def test_no_text_covers_another_or_leaves_the_page(figure: str) -> None:
    for name, chart in charts(figure).items():
        assert unreadable(chart, PAGE) == [], name
        if "seeds" in name:
            assert unreadable(chart, SINGLE) == [], name


def test_a_single_column_is_as_wide_as_a_papers() -> None:
    assert SINGLE.width == pytest.approx(3.3)
