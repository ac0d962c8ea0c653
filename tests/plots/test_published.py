"""The published points keep their source and confidence, and are read as they stand."""

import pytest

from plots.errors import FigureError
from plots.published import FOLDER, load_published, points, published

FILES = sorted(file.stem for file in FOLDER.glob("*.csv"))


@pytest.mark.parametrize("name", FILES)
def test_every_row_keeps_source_and_confidence(name: str) -> None:
    frame = load_published(name)
    assert not frame.is_empty()
    for row in frame.select("source", "confidence").iter_rows():
        assert all(row)


def test_changes_start_at_nothing() -> None:
    values = published(load_published("xlmr_fig2"), "low_res(sw,ur)")
    change = points(values, dict.fromkeys(values, values[7]))
    assert [point.x for point in change] == [7, 15, 30, 60, 100]
    assert change[0].mean == 0 and change[-1].mean == pytest.approx(57.64 - 62.71)


def test_what_is_read_off_a_figure_is_told_from_what_the_text_states() -> None:
    third = load_published("xlmr_fig3")
    assert published(third, "XLM-7 Wikipedia", str)["all"] == 72.53
    assert published(third, "XLM-7 Wikipedia", str, drawn=False)["all"] == 71.8


def test_a_value_that_is_no_number_is_left_out() -> None:
    sizes = published(load_published("xlmr_fig1_sizes"), "CommonCrawl GiB", str)
    assert "en" in sizes and not {"br", "bs", "as", "su"} & set(sizes)


def test_an_unknown_file_is_named_with_those_there() -> None:
    with pytest.raises(FigureError, match="xlmr_fig2"):
        load_published("xlmr_fig22")
