"""Figures 1, 3, 5, 6, 7, the stopping criterion and learning curves: what each one shows."""

from dataclasses import replace
from pathlib import Path

import polars
import pytest

import grid
from grid.study import Study
from plots import figures
from plots.chart import BAR, CURVE, MEASURED, PUBLISHED, STATED, Chart, Judged, Panel, Series
from plots.errors import FigureError
from plots.registry import FIGURES
from plots.render import SINGLE
from tests.plots import frames
from tests.plots.drawn import texts

STUDIES = Path(__file__).parents[2] / "studies"


def drawn(figure: str, frame: polars.DataFrame | None = None, **more: object) -> Chart:
    given = frames.study(FIGURES[figure].study) if frame is None else frame
    return FIGURES[figure].chart(frames.material(figure, given, **more))


def series(panel: Panel, kind: str) -> dict[str, Series]:
    return {entry.role: entry for entry in panel.series if entry.kind == kind}


def test_every_figure_is_a_module_and_declared_by_the_study_that_fills_it() -> None:
    modules = {path.stem for path in Path(str(figures.__file__)).parent.glob("*.py")}
    assert modules - {"__init__"} == set(FIGURES)
    for name, entry in FIGURES.items():
        study: Study = grid.load(STUDIES / f"{entry.study}.yaml", scale="smoke")
        assert name in study.figures


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"xlmr_figure_1", "learning_curves"}))
def test_seeds_intervals_and_words_stand_on_each(name: str) -> None:
    chart = drawn(name)
    words = " ".join(texts(chart))
    assert "3 seeds" in words and "seeds 1, 2, 3" in words and "synthetic text" in words
    assert "lower is better" in words and "own-language\nunigram" in words
    first = next(entry for entry in chart.panels[0].series if entry.kind == MEASURED)
    assert first.points[-1].low is not None and len(first.points[-1].seeds) == 3
    if FIGURES[name].reference:
        assert "±0." in words and "compare shapes" in words


def test_figure_1_shows_sizes_in_the_papers_order_and_both_ratios() -> None:
    chart = drawn("xlmr_figure_1")
    published, own, ratio = chart.panels
    assert published.logarithmic and published.ticks[:3] == ("en", "ru", "id")
    assert len(published.ticks) == 88 - 4 and set(series(published, BAR)) == {
        "commoncrawl",
        "wikipedia",
    }
    assert own.ticks[:3] == ("en", "ru", "id") and own.ticks[-1] == "xx"
    assert own.subtitle.startswith("KiB")
    english = series(own, BAR)["commoncrawl"].points[0]
    assert english.mean == pytest.approx(1e6 / 1024)
    assert series(ratio, MEASURED)["commoncrawl"].points[0].mean == pytest.approx(2, rel=1e-4)
    assert series(ratio, PUBLISHED)["baseline"].points[0].mean == pytest.approx(299.12 / 16.17)


def test_figure_1_without_corpora_says_what_to_do() -> None:
    with pytest.raises(FigureError, match="run the study again"):
        drawn("xlmr_figure_1", corpora=polars.DataFrame())


def test_figure_3_shows_what_commoncrawl_brings_to_each_group() -> None:
    frame = frames.study("data_source")
    chart = drawn("xlmr_figure_3", frame)
    gain = chart.panels[0]
    assert gain.ticks == ("low_res", "high_res", "all") and not gain.joined
    measured = {point.x: point for point in series(gain, MEASURED)["commoncrawl"].points}

    def accuracy(profile: str) -> float:
        rows = frame.filter(
            (polars.col("block") == "sources")
            & (polars.col(frames.PROFILE) == profile)
            & (polars.col("metric") == "accuracy")
            & polars.col("language").is_in(["sw", "ur"])
        )
        return 100 * float(sum(rows["value"]) / len(rows))

    assert measured["low_res"].mean == pytest.approx(accuracy("cc100") - accuracy("wikipedia"))
    of_paper = {point.x: point.mean for point in series(gain, PUBLISHED)["commoncrawl"].points}
    assert of_paper["low_res"] == pytest.approx(69.15 - 62.72)
    assert series(gain, STATED)["commoncrawl"].points[0].mean == pytest.approx(69.05 - 61.55)
    assert chart.panels[3].ticks == ("en", "fr", "de", "ru", "zh", "sw", "ur")


def test_figure_3_scores_both_models_on_the_text_of_both() -> None:
    frame = frames.study("data_source")
    panel = drawn("xlmr_figure_3", frame).panels[2]
    assert panel.ticks == ("wikipedia", "cc100") and panel.x_label == "held-out text of"
    measured = series(panel, MEASURED)
    assert {role: [point.x for point in of.points] for role, of in measured.items()} == {
        "wikipedia": ["wikipedia", "cc100"],
        "commoncrawl": ["wikipedia", "cc100"],
    }
    rows = frame.filter(
        (polars.col("block") == "common text")
        & (polars.col(frames.PROFILE) == "cc100")
        & (polars.col(frames.TEXT) == "wikipedia")
        & (polars.col("metric") == "bits_per_byte")
        & polars.col("language").is_in(["en", "fr", "de", "ru", "zh", "sw", "ur"])
    )
    found = {point.x: point.mean for point in measured["commoncrawl"].points}
    assert found["wikipedia"] == pytest.approx(rows["value"].mean())
    without = frame.filter(polars.col("block") == "sources")
    assert drawn("xlmr_figure_3", without).panels[2].x_label == "languages of the mean"


def test_figure_3_with_one_source_says_what_it_needs() -> None:
    frame = frames.study("data_source").filter(polars.col(frames.PROFILE) == "cc100")
    with pytest.raises(FigureError, match=r"differ in corpus\.source or corpus\.synthetic\.prof"):
        drawn("xlmr_figure_3", frame)


def test_figure_5_shows_every_published_alpha() -> None:
    chart = drawn("xlmr_figure_5")
    assert chart.panels[0].ticks == (0.01, 0.3, 0.7, 1.0)
    low = series(chart.panels[0], PUBLISHED)["low"]
    assert [point.mean for point in low.points] == pytest.approx([0, -1.36, -6.46, -9.18])
    assert "change from α = 0.01" in chart.panels[0].subtitle


def test_sizes_that_are_not_the_papers_are_shown_relative_to_the_smallest() -> None:
    chart = drawn("xlmr_figure_6")
    panel = chart.panels[0]
    assert panel.ticks == (1.0, 1.719, 2.0, 2.562, 3.516, 4.0, 8.0, 16.0)
    assert panel.tick_texts[1.0] == "×1\n640\n32k" and panel.tick_texts[2.0] == "×2\n\n64k"
    assert panel.tick_texts[1.719] == "\n1.1k\n"
    assert not panel.tick_notes, "no size of the paper's is missing from a study of other sizes"
    fixed, wider = (series(panel, MEASURED)[role].points for role in ("fixed", "wider"))
    assert fixed[0].mean == 0 and wider[0].mean != 0, "both change from the fixed one's first"
    assert "(pieces and width: 640: 104, 1,100: 96, 1,640: 80, 2,250: 64)" in " ".join(chart.footer)


def test_sizes_that_are_the_papers_stand_as_they_are() -> None:
    pieces = {640: 32_000, 1100: 64_000, 1640: 128_000, 2250: 512_000}
    frame = frames.study("vocabulary_size").with_columns(
        polars.col(frames.PIECES).replace_strict(pieces)
    )
    panel = drawn("xlmr_figure_6", frame).panels[0]
    assert panel.ticks == (32_000, 64_000, 128_000, 256_000, 512_000)
    assert panel.tick_texts[32_000] == "32k" and set(panel.tick_notes) == {256_000}


def test_figure_7_compares_batches_at_updates_and_tokens_and_both_tokenizers() -> None:
    chart = drawn("xlmr_figure_7")
    batches, _, kinds, _ = chart.panels[:4]
    assert {entry.label for entry in batches.series if entry.label} == {
        "equal\nupdates",
        "equal\ntokens",
    }
    assert batches.tick_texts[2.0] == "×2\n24\n4,096"
    assert kinds.ticks == ("bpe", "unigram")
    of_paper = series(kinds, PUBLISHED)["tokenizer"].points
    assert [point.mean for point in of_paper] == pytest.approx([0, -0.2])


def test_figure_7_without_the_second_block_names_it() -> None:
    frame = frames.study("batch_size_and_tokenization")
    chart = drawn("xlmr_figure_7", frame.filter(polars.col("block") != "tokenization"))
    assert chart.absent_blocks == ("tokenization",)


def test_the_stopping_criterion_shows_what_each_stretch_brings() -> None:
    frame = frames.study("stopping_criterion")
    chart = drawn("stopping_criterion", frame)
    bits, accuracy, bits_stretch, accuracy_stretch = chart.panels
    assert bits.ticks == (425, 850, 1700, 3400, 6800)
    assert accuracy_stretch.ticks == accuracy.ticks[1:]
    levels = {point.x: point.mean for point in series(bits, MEASURED)["all"].points}
    stretch = {point.x: point.mean for point in series(bits_stretch, MEASURED)["all"].points}
    before = dict(zip(list(levels)[1:], levels, strict=False))
    assert stretch == pytest.approx({x: levels[x] - levels[before[x]] for x in before})


def test_the_stopping_criterion_needs_milestones() -> None:
    frame = frames.study("stopping_criterion").filter(polars.col("milestone").is_null())
    with pytest.raises(FigureError, match=r"set cell\.pretraining\.milestones"):
        drawn("stopping_criterion", frame)


def test_learning_curves_are_means_over_seeds_named_by_what_varies() -> None:
    frame = frames.study("sampling_alpha")
    chart = drawn("learning_curves", frame)
    assert [panel.title for panel in chart.panels] == ["Alpha", "Tokenizer alpha"]
    lines = [entry for entry in chart.panels[0].series if entry.kind == CURVE]
    assert [entry.label for entry in lines] == ["alpha 0.01", "alpha 0.3", "alpha 0.7", "alpha 1.0"]
    point = lines[0].points[50]
    assert set(point.seeds) == {1, 2, 3}
    assert point.mean == pytest.approx(sum(point.seeds.values()) / 3)


def test_no_learning_curve_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(FigureError, match="run the study again"):
        drawn("learning_curves", frames.study("sampling_alpha"), curves=polars.DataFrame())


def test_verdicts_stand_under_the_panels() -> None:
    claims = (
        Judged(verdict="holds", says="It falls", effect="-1.20 points (-2.00 to -0.40, 3 seeds)"),
        Judged(verdict="undecided", says="It is long: " + "so " * 60 + "it wraps", effect=""),
    )
    chart = replace(drawn("xlmr_figure_5"), claims=claims)
    for layout_words in (texts(chart), texts(chart, SINGLE)):
        assert {"holds", "undecided"} <= set(layout_words)
        told = " ".join(layout_words)
        assert "It falls: -1.20 points" in told and "it wraps" in told
