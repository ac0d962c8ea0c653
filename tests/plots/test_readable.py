"""No text of any figure covers another or leaves its page: on a page, and at 3.3 inches."""

from dataclasses import replace

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
    full = frames.study(study)
    # The stopping criterion is about accuracy: without a task there is nothing to draw.
    poor = frames.study(study, seeds=(1,), xnli=figure == "stopping_criterion", synthetic=False)
    given = {"three seeds": full, "seeds and points missing": full.filter(SPARSE), "poor": poor}
    return {
        name: FIGURES[figure].chart(frames.material(figure, frame, **_planned(full, name)))
        for name, frame in given.items()
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


def test_what_cannot_be_read_is_found() -> None:
    chart = charts("xlmr_figure_5")["three seeds"]
    (first, *others), *rows = chart.rows
    crowded = replace(first, tick_texts=dict.fromkeys(first.ticks, "a text that is far too long"))
    wrong = unreadable(replace(chart, rows=((crowded, *others), *rows)), PAGE)
    assert any("covers" in told for told in wrong)
    wide = replace(first, subtitle="w" * 400)
    wrong = unreadable(replace(chart, rows=((wide, *others), *rows), title="W" * 80), PAGE)
    assert any("leaves the page" in told for told in wrong)


def test_many_learning_curves_have_room_for_their_names() -> None:
    """Nine lines that three axes tell apart, as in the study on learning rates."""
    rows = [
        (f"xlm-{count}", width, rate, seed)
        for count, width in ((30, 80), (100, 64), (100, 96))
        for rate in (0.005, 0.01, 0.02)
        for seed in (1, 2, 3)
    ]
    axes = ["languages", "encoder.width", "pretraining.learning_rate", "seed"]
    points = polars.DataFrame(rows, schema=axes, orient="row").with_row_index("cell")
    points = points.with_columns(polars.format("cell-{}", "cell").alias("cell"))
    one = frames.study("sampling_alpha").filter(polars.col("cell") == "0.01-0.3-1")
    frame = one.drop("cell", "seed", "languages", strict=False).join(points, how="cross")
    chart = FIGURES["learning_curves"].chart(frames.material("learning_curves", frame))
    assert len(chart.panels[0].series) == 9
    assert unreadable(chart, PAGE) == [] and unreadable(chart, SINGLE) == []
