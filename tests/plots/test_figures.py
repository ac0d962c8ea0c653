"""What stands on the figures: labels, marks, counts, warnings, and that no text covers another."""

from pathlib import Path

import polars
import pytest

from plots import style
from plots.chart import Chart
from plots.errors import FigureError
from plots.labels import spread
from plots.registry import FIGURES
from plots.render import render
from tests.plots import frames
from tests.plots.drawn import texts

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


def figure_2(frame: polars.DataFrame, plan: polars.DataFrame | None = None) -> Chart:
    return FIGURES["xlmr_figure_2"].chart(frames.material("xlmr_figure_2", frame, plan=plan))


def figure_4(frame: polars.DataFrame) -> Chart:
    return FIGURES["xlmr_figure_4"].chart(frames.material("xlmr_figure_4", frame))


def measured(chart: Chart, panel: int = 0) -> dict[str, dict[int, float]]:
    return {
        series.role: {point.x: point.mean for point in series.points}
        for series in chart.panels[panel].series
        if series.kind == "measured"
    }


def test_figure_2_says_what_it_shows() -> None:
    words = texts(figure_2(FRAMES["usual"]))
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
    chart = figure_2(FRAMES["usual"])
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
    figure = render(figure_2(FRAMES["usual"]))
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
    assert measured(figure_2(frame))["high"][60] == pytest.approx(expected)
    assert measured(figure_2(frame))["high"][7] == 0


def test_gaps_and_missing_seeds_are_marked_and_not_dropped() -> None:
    chart = figure_2(TWO_SEEDS_WITH_GAPS)
    assert chart.missing == {"30 languages": ["not run"], "60 languages": ["1 of 2 seeds"]}
    figure = render(chart)
    words = texts(chart)
    assert "not\nrun" in words and "1 of 2\nseeds" in words
    assert any("Half-filled" in text for text in words)
    assert any(text.startswith("Hatched: not run") for text in words)
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
    chart = figure_2(frame, plan)
    notes = chart.panels[0].tick_notes
    assert notes == {
        7: "2 of 3\nseeds",
        15: "2 of 3\nseeds",
        30: "not\nrun",
        60: "not in\nstudy",
        100: "not in\nstudy",
    }
    assert set(chart.missing) == {"7 languages", "15 languages", "30 languages"}


def test_unpaired_seeds_do_not_enter_a_change() -> None:
    frame = FRAMES["usual"].filter(~((polars.col("n_languages") == 7) & (polars.col("seed") == 3)))
    chart = figure_2(frame)
    points = {point.x: point for point in chart.panels[0].series[0].points}
    assert set(points[60].seeds) == {1, 2}
    assert not points[60].complete


def test_controls_get_panels_of_their_own() -> None:
    chart = figure_2(TWO_SEEDS_WITH_GAPS)
    assert len(chart.rows) == 3 and len(chart.rows[2]) == 3
    words = texts(figure_2(TWO_SEEDS_WITH_GAPS))
    assert {"fixed\nwidth", "equal\nexposure", "one\ntokenizer"} <= set(words)
    assert figure_2(FRAMES["usual"]).absent_blocks == (
        "equal exposure",
        "one tokenizer",
    )


def test_without_xnli_the_gain_over_the_unigram_stands_in() -> None:
    frame = FRAMES["no XNLI, real text"]
    words = texts(figure_2(frame))
    assert "XNLI not measured on this source" in words
    assert not any("synthetic" in word for word in words)
    assert any("gain over the unigram" in word for word in words)
    assert measured(figure_2(frame))["all"][30] < 0


def test_part_synthetic_is_marked() -> None:
    frame = frames.results(synthetic=False).with_columns(synthetic=polars.col("task") == "xnli")
    assert "partly synthetic text" in texts(figure_2(frame))


def test_models_that_do_not_beat_the_unigram_are_named() -> None:
    bits = polars.col("metric") == "bits_per_byte"
    frame = FRAMES["usual"].with_columns(
        value=polars.when(bits & (polars.col("n_languages") == 100))
        .then(polars.col("value") + 3)
        .otherwise(polars.col("value"))
    )
    words = " ".join(texts(figure_2(frame)))
    assert "Not better than the own-language unigram" in words
    assert "on the seven: 100 languages." in words


def test_single_languages_that_do_not_beat_the_unigram_are_named() -> None:
    behind = (
        (polars.col("metric") == "bits_per_byte")
        & polars.col("language").is_in(["zh", "sw"])
        & (polars.col("n_languages") == 60)
    )
    value = polars.when(behind).then(polars.col("value") + 3).otherwise(polars.col("value"))
    chart = figure_2(FRAMES["usual"].with_columns(value=value))
    note = "Not better than the own-language unigram in single languages: 60 languages (sw, zh)."
    assert any(note in line for line in chart.footer)


def test_languages_not_pretrained_on_are_marked() -> None:
    frame = FRAMES["usual"].with_columns(
        seen=~((polars.col("language") == "ur") & (polars.col("n_languages") == 7))
    )
    words = texts(figure_2(frame))
    assert "†" in words
    assert any("not pretrained on" in word for word in words)


def test_absent_languages_are_not_claimed() -> None:
    frame = FRAMES["usual"].filter(
        polars.col("language").is_null() | (polars.col("language") != "sw")
    )
    words = texts(figure_2(frame))
    assert "low-resource\n(ur)" in words and "all 6 of\nthe seven" in words


def test_figure_4_names_the_widths_and_the_relief() -> None:
    chart = figure_4(FRAMES["usual"])
    assert chart.panels[0].ticks == (7, 30, 100)
    assert chart.panels[0].tick_texts == {
        7: "7\n64",
        30: "30\n64 → 80",
        100: "100\n64 → 96",
    }
    published = [series for series in chart.panels[0].series if series.kind == "published"]
    assert [len(series.points) for series in published] == [3, 3]
    relief = chart.panels[3]
    assert relief.ticks == (30, 100), "at 7 languages both blocks are the same cell"
    by_kind = {series.kind: {p.x: p.mean for p in series.points} for series in relief.series}
    assert by_kind["published"] == {30: pytest.approx(0.61), 100: pytest.approx(2.23)}
    changes = measured(figure_4(FRAMES["usual"]))
    assert by_kind["measured"][100] == pytest.approx(changes["wider"][100] - changes["fixed"][100])
    assert "fixed width\n(H = 64)" in texts(figure_4(FRAMES["usual"]))


def test_two_cells_for_one_point_are_an_error() -> None:
    frame = FRAMES["usual"]
    twin = frame.with_columns(cell=polars.col("cell") + "-twin")
    with pytest.raises(FigureError, match="two cells for 7 languages and seed 1"):
        figure_2(polars.concat([frame, twin]))


def test_a_missing_block_is_named_with_those_there() -> None:
    frame = FRAMES["usual"].filter(polars.col("block") == "untrained")
    with pytest.raises(FigureError, match=r"'fixed width'.*only 'untrained'"):
        figure_2(frame)


def test_a_frame_that_is_none_is_an_error() -> None:
    with pytest.raises(FigureError, match="no column value"):
        figure_2(FRAMES["usual"].drop("value"))
    with pytest.raises(FigureError, match="no rows"):
        figure_2(FRAMES["usual"].clear())
    percent = FRAMES["usual"].with_columns(value=100 * polars.col("value"))
    with pytest.raises(FigureError, match="shares from 0 to 1"):
        figure_2(percent)


def test_row_order_does_not_matter_and_files_are_equal_byte_for_byte(tmp_path: Path) -> None:
    shuffled = FRAMES["usual"].sample(fraction=1, shuffle=True, seed=5)
    first = style.save(render(figure_4(FRAMES["usual"])), tmp_path / "first")
    second = style.save(render(figure_4(shuffled)), tmp_path / "second")
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
    note = "Not better than the own-language unigram on the seven: 100 languages"
    assert any(note in line for line in figure_4(frame).footer)


def test_a_control_over_other_numbers_of_languages_is_drawn() -> None:
    frame = frames.results(blocks=("fixed width", "equal exposure"))
    moved = (polars.col("block") == "equal exposure") & (polars.col("n_languages") == 60)
    count = polars.when(moved).then(42).otherwise(polars.col("n_languages"))
    frame = frame.with_columns(n_languages=count.cast(polars.Int64))
    chart = figure_2(frame)
    control = next(s for s in chart.rows[2][0].series if s.block == "equal exposure")
    assert 42 in chart.rows[2][0].ticks and 42 in {point.x for point in control.points}
    assert "42" in texts(figure_2(frame))
