"""Printed rows are shown as they are printed, and what is wrong in them is found and said."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plots.errors import FigureError
from plots.published import load_published
from plots.tables.printed import AVERAGE, PrintedRow, may_be, printed_rows
from plots.tables.published import (
    xlmr_table_1,
    xlmr_table_2,
    xlmr_table_3,
    xlmr_table_4,
    xlmr_table_5,
    xlmr_xl_table_1,
    xlmr_xl_table_2,
    xlmr_xl_table_3,
    xlmr_xl_table_4,
)
from plots.tables.table import Value
from plots.tables.task_table import TaskTable

OF_SCORES = [
    module.TABLE
    for module in (
        xlmr_table_1, xlmr_table_2, xlmr_table_3, xlmr_table_4, xlmr_table_5, xlmr_xl_table_1,
        xlmr_xl_table_2, xlmr_xl_table_3, xlmr_xl_table_4,
    )
]  # fmt: skip


def printed(form: TaskTable) -> list[PrintedRow]:
    return printed_rows(
        form.reference,
        parts=form.parts,
        metrics=tuple(form.metrics),
        averaged=[column.name for column in form.averaged_columns],
        moved=form.moved,
    )


def on_average(row: PrintedRow) -> str:
    """The footnotes on a row's average."""
    return " ".join(note for value in row.entries.get(AVERAGE, ()) for note in value.notes)


def test_the_only_averages_that_are_no_means_are_footnoted() -> None:
    wrong = {
        (form.name, row.facts["model"]): on_average(row)
        for form in OF_SCORES
        for row in printed(form)
        if on_average(row)
    }
    models = "Lample and Conneau 2019 (XLM-100, {})"
    several, one = models.format("N models"), models.format("1 model")
    assert wrong.keys() == {
        ("xlmr_table_1", several),
        ("xlmr_table_1", one),
        ("xlmr_xl_table_1", "mT5-XXL"),
    }
    assert "mean 70.7" in wrong["xlmr_table_1", several]
    assert f"this row and of {one} are swapped" in wrong["xlmr_table_1", several]
    assert f"this row and of {several} are swapped" in wrong["xlmr_table_1", one]
    assert wrong["xlmr_xl_table_1", "mT5-XXL"].endswith("the mean 85.0.")


def test_rows_that_were_printed_under_other_columns_say_so() -> None:
    moved = {row.facts["model"] for row in printed(xlmr_xl_table_1.TABLE) if row.notes}
    assert moved == {"mBERT", "mT5-Base", "mT5-Large", "mT5-XL", "mT5-XXL"}
    swapped = {row.facts["model"] for row in printed(xlmr_xl_table_4.TABLE) if row.notes}
    assert swapped == {"mT5-Large", "mT5-XL", "mT5-XXL", "XLM-R XL", "XLM-R XXL"}


def test_a_moved_value_stands_under_its_own_language() -> None:
    rows = printed(xlmr_xl_table_4.TABLE)
    (row,) = [row for row in rows if row.facts["model"] == "XLM-R XXL"]
    assert [value.text for value in row.entries["ar"]] == ["68.6", "48.4"]
    assert [value.text for value in row.entries["es"]] == ["75.4", "57.6"]


def test_mnli_counts_once_in_an_average_of_glue() -> None:
    both = printed_rows(
        "xlmr_table4_glue",
        parts=("model",),
        metrics=("accuracy",),
        averaged=[column.name for column in xlmr_table_4.TABLE.columns],
    )
    notes = {row.facts["model"]: on_average(row) for row in both}
    assert notes["RoBERTa"] and notes["XLM-R (Large)"], "with both of its sets they do not fit"
    assert not any(map(on_average, printed(xlmr_table_4.TABLE)))


@pytest.mark.parametrize("form", OF_SCORES, ids=lambda form: form.name)
def test_every_printed_number_is_in_the_table(form: TaskTable) -> None:
    rows = printed(form)
    names = [*(column.name for column in form.columns), AVERAGE]
    shown = [value.text for row in rows for name in names for value in row.entries.get(name, ())]
    assert sorted(shown) == sorted(load_published(form.reference)["value"].to_list())
    assert all(row.source for row in rows)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=15), st.integers(1, 2))
def test_an_average_that_was_taken_before_rounding_is_never_called_wrong(
    values: list[float], digits: int
) -> None:
    average = f"{statistics.fmean(values):.{digits}f}"
    of_printed = statistics.fmean(float(f"{value:.{digits}f}") for value in values)
    assert may_be(Value(text=average, number=float(average)), of_printed)


def test_a_series_of_other_parts_is_an_error() -> None:
    with pytest.raises(FigureError, match="expected a series of 1 parts, model; found 'BERT-Large"):
        printed_rows("xlmr_table3_mlqa", parts=("model",), metrics=("F1",), averaged=("en",))
