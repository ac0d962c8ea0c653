"""Measured entries: means over languages, then fine-tunings, then seeds; with their intervals."""

from pathlib import Path
from typing import Any

import polars
import pytest

from grid.statistics import mean_interval
from plots.studies import StudyOutput
from plots.tables.measured import Column, Scores, points
from tests.plots.tables import made_up

XNLI = {"xnli"}
EN, SW = (Column(name=code, task="xnli", language=code) for code in ("en", "sw"))


def values(row: dict[str, Any]) -> float:
    """Depends on seed, fine-tuning and language, so that each mean can be told."""
    return (
        0.5
        + 0.03 * row["seed"] ** 2
        + 0.01 * row["finetuning_seed"]
        - 0.1 * (row["language"] == "sw")
    )


def change(study: StudyOutput, rows: polars.DataFrame) -> None:
    """Adds rows to a study's results."""
    frame = polars.concat([study.results(), rows], how="vertical_relaxed")
    frame.write_parquet(study.results_file)


def test_the_interval_is_over_pretrainings_whose_fine_tunings_are_averaged(tmp_path: Path) -> None:
    study = made_up.fill(made_up.sizes(tmp_path, tuned="[1, 2, 3]"), tmp_path / "runs", values)
    base, large = points(study)
    assert (base.label, large.label) == ("size base", "size large")
    (value,) = Scores(base, "zero-shot", XNLI).entry([EN], ["accuracy"], 1)
    expected = mean_interval([55.0, 64.0, 79.0])
    assert value.number == pytest.approx(expected.mean) and value.text == "66.0"
    assert (value.low, value.high) == pytest.approx((expected.low, expected.high))
    assert value.seeds == (1, 2, 3) and not value.notes


def test_an_average_is_taken_in_each_run_before_its_interval(tmp_path: Path) -> None:
    study = made_up.fill(
        made_up.sizes(tmp_path),
        tmp_path / "runs",
        # The languages differ over seeds, their mean does not.
        lambda row: 0.6 + 0.05 * row["seed"] * (1 if row["language"] == "sw" else -1),
    )
    scores = Scores(points(study)[0], "zero-shot", XNLI)
    (one,) = scores.entry([EN], ["accuracy"], 1)
    (both,) = scores.entry([EN, SW], ["accuracy"], 1)
    assert one.low is not None and one.high is not None and one.high - one.low > 20
    assert both.number == pytest.approx(60.0)
    assert (both.low, both.high) == pytest.approx((60.0, 60.0))


def test_one_pretraining_has_an_interval_over_its_fine_tunings_or_none(tmp_path: Path) -> None:
    several = made_up.fill(
        made_up.sizes(tmp_path, seeds="[1]", tuned="[1, 2, 3]"), tmp_path / "runs", values
    )
    (value,) = Scores(points(several)[0], "zero-shot", XNLI).entry([EN], ["accuracy"], 1)
    assert value.number == pytest.approx(55.0) and value.low is not None
    single = made_up.fill(made_up.sizes(tmp_path, "own", seeds="[1]"), tmp_path / "runs", values)
    (value,) = Scores(points(single)[0], "zero-shot", XNLI).entry([EN], ["accuracy"], 1)
    assert value.low is None and value.seeds == (1,)


def test_seeds_that_lack_a_language_are_told_and_left_out_of_the_average(tmp_path: Path) -> None:
    study = made_up.fill(
        made_up.sizes(tmp_path),
        tmp_path / "runs",
        lambda row: None if (row["seed"], row["language"]) == (3, "sw") else values(row),
    )
    scores = Scores(points(study)[0], "zero-shot", XNLI)
    (english,) = scores.entry([EN], ["accuracy"], 1)
    (both,) = scores.entry([EN, SW], ["accuracy"], 1)
    assert english.seeds == (1, 2, 3) and not english.notes
    assert both.seeds == (1, 2) and both.notes == ("2 of 3 seeds.",)
    absent = Column(name="cy", task="xnli", language="cy")
    assert scores.entry([EN, absent], ["accuracy"], 1) == ()
    assert scores.entry([Column(name="STS-B", task=None, language="en")], ["accuracy"], 1) == ()


def test_milestones_validation_other_blocks_and_unseen_languages(tmp_path: Path) -> None:
    study = made_up.fill(made_up.sizes(tmp_path), tmp_path / "runs", values)
    before = Scores(points(study)[0], "zero-shot", XNLI).entry([EN], ["accuracy"], 1)
    rows = study.results().with_columns(value=polars.lit(0.0))
    change(study, rows.with_columns(milestone=polars.lit(10)))
    change(study, rows.with_columns(split=polars.lit("validation")))
    change(study, rows.with_columns(block=polars.lit("another")))
    assert Scores(points(study)[0], "zero-shot", XNLI).entry([EN], ["accuracy"], 1) == before
    study.results().with_columns(seen=polars.lit(False)).write_parquet(study.results_file)
    (value,) = Scores(points(study)[0], "zero-shot", XNLI).entry([EN], ["accuracy"], 1)
    assert value.notes == ("The model was not pretrained on this language.",)


def test_monolingual_models_share_a_row_by_source(tmp_path: Path) -> None:
    study = made_up.fill(made_up.monolingual(tmp_path), tmp_path / "runs", values)
    found = points(study, together=("languages",))
    assert [(point.facts["n_languages"], point.text) for point in found] == [
        (1, "wikipedia"), (1, "cc100"), (7, "wikipedia"), (7, "cc100"),
    ]  # fmt: skip
    assert [len(point.seeds) for point in found] == [21, 21, 3, 3]
    (value,) = Scores(found[0], "translate-train", XNLI).entry([EN, SW], ["accuracy"], 1)
    assert value.seeds == (1, 2, 3)


def test_a_study_without_a_plan_has_the_points_of_its_results(tmp_path: Path) -> None:
    study = made_up.fill(made_up.sizes(tmp_path), tmp_path / "runs", values)
    (study.folder / "planned.parquet").unlink()
    found = points(study)
    assert [point.label for point in found] == ["size base", "size large"]
    assert found[0].tasks is None and found[0].text == "cc100"
    study.results_file.unlink()
    assert points(study) == []
