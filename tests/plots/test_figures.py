"""What stands on the figures: labels, marks, counts, warnings, and that no text covers another."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import polars
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from plots.xlmr_figure_2 import figure_2_chart, xlmr_figure_2
from plots.xlmr_figure_4 import figure_4_chart, xlmr_figure_4

from plots import style
from plots.errors import FigureError
from plots.panel import spread
from plots.published import load_published
from tests.plots import frames

FIGURE_2, FIGURE_4 = load_published("xlmr_fig2"), load_published("xlmr_fig4")
TWO_SEEDS_WITH_GAPS = frames.results(blocks=tuple(frames.BLOCKS), seeds=(1, 2)).filter(
    ~((polars.col("n_languages") == 60) & (polars.col("seed") == 2))
    & (polars.col("n_languages") != 30)
)
FRAMES = {
    "usual": frames.results(untrained=True),
    "controls and gaps": TWO_SEEDS_WITH_GAPS,
    "no XNLI, real text": frames.results(xnli=False, synthetic=False, counts=(7, 15, 30)),
    "one seed": frames.results(seeds=(1,)),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in _visible(figure)]


def _visible(figure: Figure) -> Iterator[Text]:
    FigureCanvasAgg(figure).draw()
    # Matplotlib keeps labels of ticks that lie outside the axes' limits, and does not draw them.
    unseen = set()
    for axes in figure.axes:
        for axis, place in ((axes.xaxis, 0), (axes.yaxis, 1)):
            low, high = axis.get_view_interval()
            for label in axis.get_ticklabels():
                if not low <= label.get_position()[place] <= high:
                    unseen.add(label)
    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        if artist.get_visible() and artist.get_text().strip() and artist not in unseen:
            yield artist


def measured(
    frame: polars.DataFrame, panel: int = 0, figure: int = 2
) -> dict[str, dict[int, float]]:
    chart = figure_2_chart(frame, FIGURE_2) if figure == 2 else figure_4_chart(frame, FIGURE_4)
    return {
        series.role: {point.x: point.mean for point in series.points}
        for series in chart.panels[panel].series
        if series.kind == "measured"
    }


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("number", [2, 4])
def test_no_text_covers_another_or_leaves_the_page(name: str, number: int) -> None:
    draw, published = (xlmr_figure_2, FIGURE_2) if number == 2 else (xlmr_figure_4, FIGURE_4)
    figure = draw(FRAMES[name], published)
    figure.set_dpi(style.DPI)
    boxes = [(artist.get_text(), artist.get_window_extent()) for artist in _visible(figure)]
    page = figure.bbox
    for text, box in boxes:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.width and box.y1 <= page.height
        assert inside, f"{text!r} leaves the page"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        # Boxes hold the gap between lines too: a pixel of 200 in an inch is no overlap.
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide <= 1 or high <= 1, f"{one!r} covers {other!r}"


def test_figure_2_says_what_it_shows() -> None:
    words = texts(xlmr_figure_2(FRAMES["usual"], FIGURE_2))
    everything = "\n".join(words)
    assert "synthetic text" in words
    for label in ("low-resource\n(sw, ur)", "high-resource\n(en, fr)", "all seven", "sw", "ur"):
        assert label in words
    for phrase in (
        "3 seeds",
        "seeds 1, 2, 3",
        "digitised ±0.3",
        "lower is better",
        "majority class",
        "untrained\nencoder",
        "own-language\nunigram",
        "arXiv 1911.02116",
        "source synthetic (wikipedia)",
        "71.8 and 67.7",
    ):
        assert phrase in everything


def test_figure_2_shows_every_published_point() -> None:
    chart = figure_2_chart(FRAMES["usual"], FIGURE_2)
    for panel in chart.panels[:2]:
        published = [series for series in panel.series if series.kind == "published"]
        assert [len(series.points) for series in published] == [5, 5, 5]
    change = {
        series.role: series for series in chart.panels[0].series if series.kind == "published"
    }
    assert change["low"].points[1].mean == pytest.approx(65.41 - 62.71)
    stated = [series for series in chart.panels[1].series if series.kind == "stated"]
    assert [(point.x, point.mean) for point in stated[0].points] == [(7, 71.8), (100, 67.7)]


def test_published_marks_are_hollow_and_drawn() -> None:
    figure = xlmr_figure_2(FRAMES["usual"], FIGURE_2)
    hollow = [
        line
        for line in figure.axes[0].get_lines()
        if line.get_linestyle() != "-"
        and line.get_markerfacecolor() == style.PAPER
        and len(line.get_xdata()) == 5
    ]
    assert len(hollow) == 3


def test_changes_are_means_of_differences_in_points() -> None:
    frame = FRAMES["usual"]

    def share(count: int, seed: int) -> float:
        rows = frame.filter(
            (polars.col("block") == "fixed width")
            & (polars.col("n_languages") == count)
            & (polars.col("seed") == seed)
            & (polars.col("metric") == "accuracy")
            & polars.col("language").is_in(["en", "fr"])
        )
        return float(sum(rows["value"]) / 2)

    expected = 100 * sum(share(60, seed) - share(7, seed) for seed in (1, 2, 3)) / 3
    assert measured(frame)["high"][60] == pytest.approx(expected)
    assert measured(frame)["high"][7] == 0


def test_gaps_and_missing_seeds_are_marked_and_not_dropped() -> None:
    chart = figure_2_chart(TWO_SEEDS_WITH_GAPS, FIGURE_2)
    assert chart.missing == {30: ["not run"], 60: ["1 of 2 seeds"]}
    figure = xlmr_figure_2(TWO_SEEDS_WITH_GAPS, FIGURE_2)
    words = texts(figure)
    assert "not\nrun" in words and "1 of 2\nseeds" in words
    assert any("Half-filled" in text for text in words)
    half = [line for line in figure.axes[0].get_lines() if line.get_fillstyle() == "left"]
    assert len(half) == 3
    assert any(patch.get_hatch() for patch in figure.axes[0].patches)


def test_a_plan_tells_what_is_unfinished_from_what_is_no_part_of_the_study() -> None:
    frame = frames.results(blocks=("fixed width",), seeds=(1, 2), counts=(7, 15))
    plan = polars.DataFrame(
        [
            {"blocks": "fixed width, wider", "seed": seed, "n_languages": count}
            for count in (7, 15, 30)
            for seed in (1, 2, 3)
        ]
    )
    chart = figure_2_chart(frame, FIGURE_2, plan)
    notes = chart.panels[0].tick_notes
    assert notes == {
        7: "2 of 3\nseeds",
        15: "2 of 3\nseeds",
        30: "not\nrun",
        60: "not in\nstudy",
        100: "not in\nstudy",
    }
    assert set(chart.missing) == {7, 15, 30}


def test_unpaired_seeds_do_not_enter_a_change() -> None:
    frame = FRAMES["usual"].filter(~((polars.col("n_languages") == 7) & (polars.col("seed") == 3)))
    chart = figure_2_chart(frame, FIGURE_2)
    points = {point.x: point for point in chart.panels[0].series[0].points}
    assert set(points[60].seeds) == {1, 2}
    assert not points[60].complete


def test_controls_get_panels_of_their_own() -> None:
    chart = figure_2_chart(TWO_SEEDS_WITH_GAPS, FIGURE_2)
    assert len(chart.rows) == 3 and len(chart.rows[2]) == 3
    words = texts(xlmr_figure_2(TWO_SEEDS_WITH_GAPS, FIGURE_2))
    assert {"fixed\nwidth", "equal\nexposure", "one\ntokenizer"} <= set(words)
    assert figure_2_chart(FRAMES["usual"], FIGURE_2).absent_blocks == (
        "equal exposure",
        "one tokenizer",
    )


def test_without_xnli_the_gain_over_the_unigram_stands_in() -> None:
    frame = FRAMES["no XNLI, real text"]
    words = texts(xlmr_figure_2(frame, FIGURE_2))
    assert "XNLI not measured on this source" in words
    assert not any("synthetic" in word for word in words)
    assert any("gain over the unigram" in word for word in words)
    assert measured(frame)["all"][30] < 0


def test_part_synthetic_is_marked() -> None:
    frame = frames.results(synthetic=False).with_columns(synthetic=polars.col("task") == "xnli")
    assert "partly synthetic text" in texts(xlmr_figure_2(frame, FIGURE_2))


def test_models_that_do_not_beat_the_unigram_are_named() -> None:
    bits = polars.col("metric") == "bits_per_byte"
    frame = FRAMES["usual"].with_columns(
        value=polars.when(bits & (polars.col("n_languages") == 100))
        .then(polars.col("value") + 3)
        .otherwise(polars.col("value"))
    )
    words = " ".join(texts(xlmr_figure_2(frame, FIGURE_2)))
    assert "Not better than the own-language unigram" in words
    assert "at 100 languages" in words


def test_languages_not_pretrained_on_are_marked() -> None:
    frame = FRAMES["usual"].with_columns(
        seen=~((polars.col("language") == "ur") & (polars.col("n_languages") == 7))
    )
    words = texts(xlmr_figure_2(frame, FIGURE_2))
    assert "†" in words
    assert any("not pretrained on" in word for word in words)


def test_absent_languages_are_not_claimed() -> None:
    frame = FRAMES["usual"].filter(
        polars.col("language").is_null() | (polars.col("language") != "sw")
    )
    words = texts(xlmr_figure_2(frame, FIGURE_2))
    assert "low-resource\n(ur)" in words and "all 6 of\nthe seven" in words


def test_figure_4_names_the_widths_and_the_relief() -> None:
    chart = figure_4_chart(FRAMES["usual"], FIGURE_4)
    assert chart.panels[0].ticks == (7, 30, 100)
    assert chart.panels[0].tick_labels == {7: "64", 30: "64 → 80", 100: "64 → 96"}
    published = [series for series in chart.panels[0].series if series.kind == "published"]
    assert [len(series.points) for series in published] == [3, 3]
    relief = chart.panels[3]
    assert relief.ticks == (30, 100), "at 7 languages both blocks are the same cell"
    by_kind = {series.kind: {p.x: p.mean for p in series.points} for series in relief.series}
    assert by_kind["published"] == {30: pytest.approx(0.61), 100: pytest.approx(2.23)}
    changes = measured(FRAMES["usual"], 0, 4)
    assert by_kind["measured"][100] == pytest.approx(changes["wider"][100] - changes["fixed"][100])
    assert "fixed width\n(H = 64)" in texts(xlmr_figure_4(FRAMES["usual"], FIGURE_4))


def test_two_cells_for_one_point_are_an_error() -> None:
    frame = FRAMES["usual"]
    twin = frame.with_columns(cell=polars.col("cell") + "-twin")
    with pytest.raises(FigureError, match="two cells for 7 languages and seed 1"):
        figure_2_chart(polars.concat([frame, twin]), FIGURE_2)


def test_a_missing_block_is_named_with_those_there() -> None:
    frame = FRAMES["usual"].filter(polars.col("block") == "untrained")
    with pytest.raises(FigureError, match=r"'fixed width'.*only 'untrained'"):
        figure_2_chart(frame, FIGURE_2)


def test_a_frame_that_is_none_is_an_error() -> None:
    with pytest.raises(FigureError, match="no column value"):
        figure_2_chart(FRAMES["usual"].drop("value"), FIGURE_2)
    with pytest.raises(FigureError, match="no rows"):
        figure_2_chart(FRAMES["usual"].clear(), FIGURE_2)
    percent = FRAMES["usual"].with_columns(value=100 * polars.col("value"))
    with pytest.raises(FigureError, match="shares from 0 to 1"):
        figure_2_chart(percent, FIGURE_2)


def test_row_order_does_not_matter_and_files_are_equal_byte_for_byte(tmp_path: Path) -> None:
    shuffled = FRAMES["usual"].sample(fraction=1, shuffle=True, seed=5)
    first = style.save(xlmr_figure_4(FRAMES["usual"], FIGURE_4), tmp_path / "first")
    second = style.save(xlmr_figure_4(shuffled, FIGURE_4), tmp_path / "second")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.suffix


def test_labels_are_moved_apart_by_as_little_as_needed() -> None:
    assert spread([0.1, 0.9], [0.1, 0.1]) == [0.1, 0.9]
    placed = spread([0.5, 0.5, 0.52], [0.1, 0.1, 0.2])
    assert placed == sorted(placed)
    assert placed[1] - placed[0] >= 0.1 - 1e-9 and placed[2] - placed[1] >= 0.15 - 1e-9
    assert sum(placed) == pytest.approx(0.5 + 0.5 + 0.52)
    assert spread([0.95, 1.0], [0.2, 0.2], 0, 1) == pytest.approx([0.7, 0.9])


def test_a_block_that_does_not_beat_the_unigram_is_not_hidden_by_a_better_one() -> None:
    bad = (
        (polars.col("block") == "fixed width")
        & (polars.col("n_languages") == 100)
        & (polars.col("metric") == "bits_per_byte")
    )
    value = polars.when(bad).then(3.6).otherwise(polars.col("value"))
    frame = frames.results().with_columns(value=value)
    note = "Not better than the own-language unigram on the seven at 100 languages"
    assert any(note in line for line in figure_4_chart(frame, FIGURE_4).footer)


def test_a_control_over_other_numbers_of_languages_is_drawn() -> None:
    frame = frames.results(blocks=("fixed width", "equal exposure"))
    moved = (polars.col("block") == "equal exposure") & (polars.col("n_languages") == 60)
    count = polars.when(moved).then(42).otherwise(polars.col("n_languages"))
    frame = frame.with_columns(n_languages=count.cast(polars.Int64))
    chart = figure_2_chart(frame, FIGURE_2)
    control = next(s for s in chart.rows[2][0].series if s.block == "equal exposure")
    assert 42 in chart.rows[2][0].ticks and 42 in {point.x for point in control.points}
    assert "42" in texts(xlmr_figure_2(frame, FIGURE_2))
