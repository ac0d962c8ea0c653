"""Numbers with suffixes, and series with exact ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import StudyError
from grid.numbers import SUFFIXES, SeriesError, geometric, percentage, steps, suffixed
from grid.series import axis_values
from grid.tree import Node

MOST = 1000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("150k", 150_000),
        ("150K", 150_000),
        ("1.5k", 1500),
        ("183.2M", 183_200_000),
        ("2.4B", 2_400_000_000),
        ("1T", 10**12),
        ("1_500k", 1_500_000),
        ("-2k", -2000),
        ("0.0001k", 0.1),
        ("123456789012345678901k", 123456789012345678901000),
        ("150", None),
        ("150m", None),
        ("150 k", None),
        ("k", None),
        ("1e3k", None),
        ("xlm-7", None),
    ],
)
def test_suffixes_are_decimal_and_exact(text: str, value: float | None) -> None:
    assert suffixed(text) == value
    assert type(suffixed(text)) is type(value)


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(SUFFIXES)))
def test_a_suffixed_integer_is_that_power_of_ten(number: int, suffix: str) -> None:
    assert suffixed(f"{number}{suffix}") == number * 10 ** SUFFIXES[suffix]


def test_percentages() -> None:
    assert percentage("1.5%") == 0.015
    assert percentage("2 %") == 0.02
    assert percentage("1.5") is None


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, 30))
def test_a_geometric_series_has_exact_ends_and_one_ratio(first: int, last: int, count: int) -> None:
    try:
        values = geometric(first, last, count, True, MOST)
    except SeriesError:
        assert first == last or abs(last - first) < count**2 * max(first, last) ** 0.5
        return
    assert (values[0], values[-1], len(values)) == (first, last, count)
    assert all(type(value) is int for value in values)
    ratio = (last / first) ** (1 / (count - 1))
    for index, value in enumerate(values):
        assert abs(value - first * ratio**index) <= 0.5 + 1e-6 * value


def test_a_published_series() -> None:
    assert geometric(32_000, 512_000, 5, True, MOST) == [32_000, 64_000, 128_000, 256_000, 512_000]
    assert geometric(1e-4, 1e-2, 3, False, MOST) == [0.0001, 0.001, 0.01]


@given(st.integers(-100, 100), st.integers(1, 20), st.integers(0, 50))
def test_steps_end_where_they_are_told(first: int, step: int, count: int) -> None:
    values = steps(first, first + count * step, step, MOST)
    assert values == list(range(first, first + count * step + 1, step))


def test_steps_of_a_tenth_are_tenths() -> None:
    assert steps(0, 1, 0.1, MOST) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


@pytest.mark.parametrize(
    ("written", "kind", "values"),
    [
        ("geom(32k, 512k, 5)", int, [32_000, 64_000, 128_000, 256_000, 512_000]),
        ({"geom": ["32k", "512k", 3]}, int, [32_000, 128_000, 512_000]),
        ({"geom": [1, 10, 4]}, int, [1, 2, 5, 10]),
        ({"geom": [1, 10, 3]}, float, [1.0, 3.16227766017, 10.0]),
        ("range(1, 3)", int, [1, 2, 3]),
        ("range(1k, 3k, 1_000)", int, [1000, 2000, 3000]),
        ({"range": [0, 1, 0.25]}, float, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (["1k", 5, "2.5M"], int, [1000, 5, 2_500_000]),
        (["1k", "150k"], str, ["1k", "150k"]),
    ],
)
def test_an_axis_writes_its_series_out(written: object, kind: type, values: list) -> None:
    found = [node.value for node in axis_values(Node.of(written), "a", kind)]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"geom": [32, 512]}, "expected {geom: [first, last, count]} with numbers"),
        ({"geom": [32, 512, "x"]}, "expected {geom: [first, last, count]} with numbers"),
        ({"geom": [32, 512, 1]}, "expected a whole number of values, 2 to 1,000,000, found 1"),
        ({"geom": [0, 512, 3]}, "expected two different ends of more than 0, found [0, 512]"),
        ({"geom": [1, 3, 9]}, "cannot all differ: two are 1 when rounded; ask for fewer"),
        ({"geom": [1.5, 3, 2]}, "expected whole numbers as ends, found [1.5, 3]"),
        ({"range": [1, 10, 4]}, "the last step would end at 9"),
        ({"range": [1, 10, 0]}, "expected a step of more than 0"),
        (
            {"range": [1, 10], "geom": [1, 2, 3]},
            "expected a list of values, {range: [first, last]}",
        ),
        ({"range": [1, 10**9]}, "expected at most 1,000,000 values"),
        ({"geom": [1, float("inf"), 3]}, "expected {geom: [first, last, count]} with numbers"),
        ({"range": [1, float("nan")]}, "with numbers"),
        ({"range": [True, 3]}, "with numbers"),
        ("geom(32k, 512k)", "expected {geom: [first, last, count]} with numbers"),
        ("geom(32k", "expected a list of values"),
        ("logspace(1, 2, 3)", "expected a list of values"),
    ],
)
def test_a_mistaken_series_is_refused(written: object, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        axis_values(Node.of(written), "a", int)
    assert message in str(caught.value)
