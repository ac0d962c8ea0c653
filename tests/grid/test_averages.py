"""Averages of the tables against sums by hand, over rows that a run left and over drawn ones."""

import csv
import io
import math
import random
import statistics
import tarfile

import polars as pl
import pytest
from scipy import stats

from grid.statistics import mean_interval, paired_differences
from grid.summary import HIGH, LOW, SEVEN, summary
from model.tasks.catalogue import TASKS
from tests.grid.golden_store import ARCHIVE


def drawn(seeds: int = 4) -> list[dict[str, object]]:
    """Rows of two points, nine languages and some seeds, in no order."""
    draw = random.Random(7)
    rows = [
        {
            "study": "s", "scale": "laptop", "block": "b", "cell": f"{count}-{seed}", "seed": seed,
            "encoder.width": 8 * count, "n_languages": count, "task": "likelihood",
            "regime": None, "train_language": None, "finetuning_seed": None, "milestone": None,
            "split": "test", "metric": metric, "language": language, "value": draw.uniform(1, 9),
            "n": 100, "seen": True, "tokens_seen": 10, "epochs_seen": 0.5, "updates": 5,
            "source": "books", "profile": None, "synthetic": False,
        }
        for count in (7, 15)
        for seed in range(seeds)
        for language in (*SEVEN, "ar", "th")
        for metric in ("bits_per_byte", "unigram_bits_per_byte")
    ]  # fmt: skip
    draw.shuffle(rows)
    return rows


def test_means_over_languages_then_seeds() -> None:
    rows = drawn()
    table = summary(pl.DataFrame(rows, infer_schema_length=None), ["encoder.width"])
    assert table.height == 2
    for row in table.iter_rows(named=True):
        for column, metric, languages in (
            ("bits/byte low", "bits_per_byte", LOW),
            ("bits/byte high", "bits_per_byte", HIGH),
            ("bits/byte all", "bits_per_byte", SEVEN),
            ("unigram all", "unigram_bits_per_byte", SEVEN),
        ):
            cells: dict[object, list[float]] = {}
            for each in rows:
                own = (each["n_languages"], each["metric"]) == (row["n_languages"], metric)
                if own and each["language"] in languages:
                    cells.setdefault(each["cell"], []).append(float(str(each["value"])))
            assert [len(values) for values in cells.values()] == [len(languages)] * 4
            means = [sum(values) / len(values) for values in cells.values()]
            assert row[column] == pytest.approx(sum(means) / len(means), rel=1e-12), column
        assert row["seeds"] == 4


def test_means_of_tasks_and_of_own_programs() -> None:
    names = {"pawsx": "pawsx", "topic": "topic", "mine": "mine score"}
    draw = random.Random(8)
    rows = []
    for row in drawn():
        task = draw.choice(list(names))
        metric = TASKS[task].main_metric if task in TASKS else "score"
        rows.append({**row, "task": task, "metric": metric})
    table = summary(pl.DataFrame([*drawn(), *rows], infer_schema_length=None), ["encoder.width"])
    for row in table.iter_rows(named=True):
        for task, column in names.items():
            cells: dict[object, list[float]] = {}
            for each in rows:
                if (each["n_languages"], each["task"]) == (row["n_languages"], task):
                    cells.setdefault(each["cell"], []).append(float(str(each["value"])))
            means = [sum(values) / len(values) for values in cells.values()]
            assert len(means) == 4 and max(map(len, cells.values())) > 2
            assert row[column] == pytest.approx(sum(means) / 4, rel=1e-12), column


def test_a_language_that_is_missing_leaves_no_mean_of_the_others() -> None:
    rows = [row for row in drawn() if (row["language"], row["seed"]) != ("sw", 2)]
    table = summary(pl.DataFrame(rows, infer_schema_length=None), ["encoder.width"])
    whole = summary(
        pl.DataFrame([row for row in rows if row["seed"] != 2], infer_schema_length=None),
        ["encoder.width"],
    )
    assert table["bits/byte low"].to_list() == whole["bits/byte low"].to_list()
    assert table["bits/byte high"].to_list() != whole["bits/byte high"].to_list()


def test_the_kept_results_are_averaged_as_by_hand() -> None:
    with tarfile.open(ARCHIVE) as archive:
        member = archive.extractfile("every.csv")
        assert member is not None
        text = member.read().decode()
    frame = pl.read_csv(text.encode(), infer_schema_length=None)
    table = summary(frame, ["sampling.alpha"])
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in table.iter_rows(named=True):
        own = [each for each in rows if float(each["sampling.alpha"]) == row["sampling.alpha"]]
        values = [float(x["value"]) for x in own if x["metric"] == "bits_per_byte"]
        assert len(values) == 2
        assert row["bits/byte all"] == pytest.approx(sum(values) / 2, rel=1e-12)
        xnli = [float(x["value"]) for x in own if (x["task"], x["metric"]) == ("xnli", "accuracy")
                and not x["milestone"]]  # fmt: skip
        assert row["xnli"] == pytest.approx(statistics.fmean(xnli), rel=1e-12)


@pytest.mark.parametrize("count", [2, 3, 5, 30])
def test_intervals_are_students(count: int) -> None:
    draw = random.Random(count)
    values = [draw.gauss(3, 2) for _ in range(count)]
    found = mean_interval(values)
    low, high = stats.t.interval(
        0.95, count - 1, loc=statistics.fmean(values), scale=stats.sem(values)
    )
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_differences_are_of_equal_seeds() -> None:
    draw = random.Random(3)
    ours, theirs = (
        {seed: draw.random() for seed in seeds} for seeds in ((5, 1, 2, 3, 0), (1, 3, 5, 7))
    )
    found = mean_interval(paired_differences(ours, theirs).values())
    own = [ours[seed] - theirs[seed] for seed in (1, 3, 5)]
    half = stats.t.ppf(0.975, 2) * math.sqrt(statistics.variance(own) / 3)
    assert found.mean == pytest.approx(sum(own) / 3)
    assert found.high is not None and found.high - found.mean == pytest.approx(half)
