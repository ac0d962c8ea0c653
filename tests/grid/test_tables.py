"""Tables for a terminal: small numbers stay visible, constant columns go above, lines fit."""

import polars as pl

from grid import tables


def test_small_numbers_keep_their_digits_and_a_column_groups_thousands_or_not() -> None:
    frame = pl.DataFrame({"rate": [0.0006, 0.5, 0.0], "updates": [3400, 13_600, 0], "w": [768] * 3})
    header, _, first, second, third = tables.as_text(frame).splitlines()
    assert header.split() == ["rate", "updates", "w"]
    assert first.split() == ["0.0006", "3,400", "768"]
    assert second.split() == ["0.500", "13,600", "768"]
    assert third.split() == ["0.000", "0", "768"]


def test_a_table_that_fits_is_printed_whole() -> None:
    frame = pl.DataFrame({"a": ["x", "y"], "b": [1, 1]})
    assert tables.fitted(frame, 80) == tables.as_text(frame)


def test_a_table_that_does_not_fit_says_once_what_is_constant() -> None:
    frame = pl.DataFrame({"a": ["x" * 20, "y" * 20], "seeds": [2, 2]})
    lines = tables.fitted(frame, 24).splitlines()
    assert lines[0] == "in every row: seeds 2"
    assert lines[1] == "a"
    single = frame[:1]
    assert tables.fitted(single, 24) == tables.as_text(single), "a single row keeps its columns"


def test_long_lines_are_folded_between_words() -> None:
    assert tables.fold("a b", 3) == ["a b"]
    assert tables.fold("four " * 7, 24) == ["four four four four four", "    four four"]
