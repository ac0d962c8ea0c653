"""The published points keep their source and confidence, and are read as they stand."""

import pytest

from plots.errors import FigureError
from plots.published import FOLDER, load_published, published_points

FILES = sorted(file.stem for file in FOLDER.glob("*.csv"))


@pytest.mark.parametrize("name", FILES)
def test_every_row_keeps_source_and_confidence(name: str) -> None:
    frame = load_published(name)
    assert not frame.is_empty()
    for row in frame.select("source", "confidence").iter_rows():
        assert all(row)


def test_changes_start_at_nothing() -> None:
    change = published_points(load_published("xlmr_fig2"), "low_res(sw,ur)", change_from=7)
    assert [point.x for point in change] == [7, 15, 30, 60, 100]
    assert change[0].mean == 0 and change[-1].mean == pytest.approx(57.64 - 62.71)
    assert published_points(load_published("xlmr_fig2"), "low_res(sw,ur)", change_from=8) == ()


def test_an_unknown_file_is_named_with_those_there() -> None:
    with pytest.raises(FigureError, match="xlmr_fig2"):
        load_published("xlmr_fig22")
