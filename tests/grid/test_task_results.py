"""Tables of tasks: headline scores, the milestone that validation selects, intervals, averages."""

import math

import polars as pl
import pytest

from grid.task_results import AVERAGE, SEEN, UNSEEN, by_language, headline, tables, with_selected

COLUMNS = {
    "block": pl.String,
    "cell": pl.String,
    "seed": pl.Int64,
    "languages": pl.String,
    "task": pl.String,
    "regime": pl.String,
    "train_language": pl.String,
    "finetuning_seed": pl.Int64,
    "milestone": pl.Int64,
    "split": pl.String,
    "metric": pl.String,
    "language": pl.String,
    "value": pl.Float64,
    "n": pl.Int64,
    "seen": pl.Boolean,
    "updates": pl.Int64,
    "selected": pl.Boolean,
}


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    plain = {
        "block": "b", "cell": "c1", "seed": 1, "languages": "two", "task": "topic",
        "regime": "zero-shot", "train_language": "en", "finetuning_seed": 1, "milestone": None,
        "split": "test", "metric": "accuracy", "language": "en", "value": 0.5, "n": 10,
        "seen": True, "updates": 100, "selected": None,
    }  # fmt: skip
    return pl.DataFrame([{**plain, **row} for row in rows], schema=COLUMNS)


def test_the_headline_is_the_finished_zero_shot_model_s_test_over_fine_tunings() -> None:
    found = headline(
        frame(
            {"value": 0.2},
            {"value": 0.4, "finetuning_seed": 2},
            {"value": 0.9, "milestone": 50},
            {"value": 0.9, "split": "validation"},
            {"value": 0.9, "regime": "translate-train-all"},
            {"value": 3.0, "task": "likelihood", "metric": "bits_per_byte", "regime": None,
             "finetuning_seed": None},
        )
    )  # fmt: skip
    assert found.select("task", "value").rows() == [
        ("topic", pytest.approx(0.3)),
        ("likelihood", 3.0),
    ]
    assert found.columns == list(COLUMNS)


def test_validation_selects_a_milestone_and_the_first_of_equal_ones() -> None:
    """By hand: over two languages and seeds, 50 has (0.6 + 0.4) / 2, 80 has 0.5, the end 0.45."""
    scores = {50: (0.6, 0.4), 80: (0.5, 0.5), None: (0.8, 0.1)}
    rows = [
        {"split": split, "milestone": step, "language": language, "value": value}
        for step, values in scores.items()
        for language, value in zip(("en", "fr"), values, strict=True)
        for split in ("validation", "test")
    ]
    # A metric that is not the task's main one has no say, and no other cell is touched.
    rows += [
        {"split": "validation", "milestone": None, "metric": "macro_f1", "value": 1.0},
        {"cell": "c2", "split": "validation", "value": 0.1},
    ]
    found = with_selected(frame(*rows).drop("selected"))
    chosen = found.filter(pl.col("selected"))
    assert set(chosen["milestone"]) == {50}
    assert set(chosen["split"]) == {"validation", "test"}
    assert found.filter(pl.col("cell") == "c2")["selected"].to_list() == [None]
    assert (
        found.filter((pl.col("cell") == "c1") & pl.col("milestone").is_null())["selected"].to_list()
        == [False] * 5
    )


def test_the_end_can_be_selected() -> None:
    rows = [{"split": "validation", "milestone": step, "value": value}
            for step, value in ((10, 0.1), (None, 0.2))]  # fmt: skip
    found = with_selected(frame(*rows).drop("selected"))
    assert found.select("milestone", "selected").rows() == [(10, False), (None, True)]


def test_an_interval_over_fine_tunings_of_one_pretraining() -> None:
    values = (0.2, 0.4, 0.6)
    rows = [{"value": value, "finetuning_seed": seed} for seed, value in enumerate(values, 1)]
    rows.append({"metric": "majority_accuracy", "value": 0.25})
    (row,) = by_language(frame(*rows), ["languages"]).iter_rows(named=True)
    half = 4.302652729696142 * 0.2 / math.sqrt(3)  # t of two degrees of freedom
    assert row["value"] == pytest.approx(0.4)
    assert (row["low"], row["high"]) == (pytest.approx(0.4 - half), pytest.approx(0.4 + half))
    assert (row["pretrainings"], row["finetunings"], row["majority"]) == (1, 3, 0.25)
    assert (row["language"], row["seen"], row["n"]) == ("en", True, 10)


def test_several_pretrainings_are_what_an_interval_is_over() -> None:
    rows = [
        {"cell": f"c{seed}", "seed": seed, "finetuning_seed": tuning, "value": value}
        for seed, values in ((1, (0.1, 0.3)), (2, (0.5, 0.7)))
        for tuning, value in enumerate(values)
    ]
    (row,) = by_language(frame(*rows), ["languages"]).iter_rows(named=True)
    assert (row["pretrainings"], row["finetunings"]) == (2, 4)
    half = 12.706204736174694 * math.sqrt(0.08) / math.sqrt(2)  # of 0.2 and 0.6
    assert row["high"] - row["value"] == pytest.approx(half)


def test_averages_over_all_seen_and_unseen_languages() -> None:
    rows = [
        {"language": code, "value": value, "seen": seen, "finetuning_seed": seed}
        for code, value, seen in (("de", 0.5, False), ("en", 0.9, True), ("fr", 0.7, True))
        for seed in (1, 2)
    ]
    found = by_language(frame(*rows), ["languages"])
    values = dict(found.select("language", "value").rows())
    assert values[AVERAGE] == pytest.approx(0.7)
    assert values[SEEN] == pytest.approx(0.8)
    assert values[UNSEEN] == pytest.approx(0.5)
    assert found.filter(pl.col("language") == AVERAGE)["low"][0] == pytest.approx(0.7)


def test_a_table_for_each_task_with_languages_down_and_points_across() -> None:
    rows = [
        {"languages": name, "cell": name, "language": code, "finetuning_seed": seed,
         "seen": code == "en", "metric": metric, "value": value, "split": "test"}
        for name in ("one", "two")
        for code in ("en", "fr")
        for seed in (1, 2)
        for metric, value in (("accuracy", 0.5 + 0.1 * seed), ("majority_accuracy", 0.25))
    ]  # fmt: skip
    ((title, table),) = tables(by_language(frame(*rows), ["languages"]), ["languages"])
    assert title == "topic: accuracy, test, percent"
    assert table.columns == ["language", "majority", "one", "two"]
    assert table["language"].to_list() == ["en", "fr", AVERAGE, SEEN, UNSEEN]
    assert table["majority"].to_list() == ["25.0", "25.0", "25.0", "", ""]
    assert table["one"].to_list()[:2] == ["65.0 ± 63.5", "65.0 ± 63.5*"]


def test_a_milestone_that_was_selected_is_marked() -> None:
    rows = [{"milestone": step, "selected": step == 50} for step in (50, None)]
    long = by_language(frame(*rows), ["languages"])
    assert long["selected"].to_list() == [1, 0]
    ((_, table),) = tables(long, ["languages"])
    assert table.columns == ["language", "majority", "milestone 50 (selected)", "end"]


def test_validation_and_other_metrics_than_the_task_s_are_not_in_the_table() -> None:
    rows = [{"split": "validation"}, {"metric": "majority_accuracy"}, {"task": "likelihood"}]
    assert by_language(frame(*rows), ["languages"]).is_empty()
