"""Early stopping, the best validation, and the mean over languages: cases reckoned by hand."""

import pytest

from model.tasks.selection import Selection, validations

RUN = [
    (10, {"en": 0.5, "sw": 0.25, "zh": 0.75}),  # mean 0.5
    (20, {"en": 0.75, "sw": 0.5, "zh": 0.625}),  # 0.625: the best
    (30, {"en": 1.0, "sw": 0.375, "zh": 0.5}),  # 0.625 again, though English alone is better
    (40, {"en": 0.75, "sw": 0.25, "zh": 0.5}),  # 0.5
    (50, {"en": 1.0, "sw": 1.0, "zh": 1.0}),  # 1.0, which patience 2 never sees
]


def test_the_best_is_the_highest_mean_over_languages_and_of_equal_ones_the_first() -> None:
    selection = Selection(patience=None)
    better = [selection.add(update, values) for update, values in RUN[:4]]
    assert better == [True, True, False, False]
    assert [each["mean"] for each in selection.history] == [0.5, 0.625, 0.625, 0.5]
    assert (selection.best, selection.best_mean) == (20, 0.625)
    assert not selection.over
    assert selection.add(*RUN[4]) and selection.best == 50


@pytest.mark.parametrize(("patience", "over"), [(1, [0, 0, 1]), (2, [0, 0, 0, 1])])
def test_it_is_over_after_so_many_validations_without_an_improvement(
    patience: int, over: list[int]
) -> None:
    selection = Selection(patience=patience)
    for (update, values), wanted in zip(RUN, over, strict=False):
        selection.add(update, values)
        assert selection.over == bool(wanted)


def test_a_resumed_selection_goes_on(tmp_path) -> None:
    whole, resumed = Selection(patience=2), Selection(patience=2)
    for update, values in RUN[:3]:
        whole.add(update, values)
    resumed.load(whole.state())
    for each in (whole, resumed):
        each.add(*RUN[3])
        assert (each.best, each.over) == (20, True)
    assert whole.state() == resumed.state()


def test_validations_are_spread_evenly_over_each_epoch() -> None:
    assert validations(30, 3, 1) == {10, 20, 30}
    assert validations(20, 2, 3) == {4, 7, 10, 14, 17, 20}
    assert validations(2, 2, 5) == {1, 2}
