"""The axis algebra: products, zips, unions, ranges, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.axes import (
    Block,
    axis_values,
    choose_blocks,
    paired,
    product,
    read_blocks,
    read_replicates,
)
from grid.errors import StudyError
from grid.tree import COMMAND_LINE, Node

NODE = Node({}, COMMAND_LINE)
PATHS = st.sampled_from(["encoder.width", "encoder.layers", "sampling.alpha", "pretraining.clip"])
AXES = st.dictionaries(
    PATHS, st.lists(st.integers(0, 50), min_size=1, max_size=5, unique=True), min_size=1
)


def nodes(axes: dict) -> dict[str, list[Node]]:
    return {path: [Node(value) for value in values] for path, values in axes.items()}


def points(block: Block) -> list[dict]:
    return [{path: node.plain() for path, node in point.items()} for point in block.points]


def read(*blocks: dict) -> list[Block]:
    return read_blocks(Node.of(list(blocks)), NODE)


def refused(*blocks: dict) -> str:
    with pytest.raises(StudyError) as caught:
        read(*blocks)
    return str(caught.value)


@given(AXES)
def test_a_product_has_every_combination_once(axes: dict) -> None:
    found = [
        tuple(node.value for node in point.values()) for point in product(nodes(axes), NODE, "p")
    ]
    assert len(found) == len(set(found)) == math.prod(len(values) for values in axes.values())
    assert found[0] == tuple(values[0] for values in axes.values())
    for point in found:
        assert all(value in axes[path] for path, value in zip(axes, point, strict=True))


@given(st.lists(PATHS, min_size=1, unique=True), st.integers(1, 6))
def test_a_zip_has_one_point_for_each_position(paths: list[str], count: int) -> None:
    axes = {path: list(range(index, index + count)) for index, path in enumerate(paths)}
    found = paired(nodes(axes), NODE, "z")
    assert len(found) == count
    for position, point in enumerate(found):
        assert {p: n.value for p, n in point.items()} == {p: v[position] for p, v in axes.items()}


@given(AXES)
def test_a_zip_is_a_part_of_the_product(axes: dict) -> None:
    length = min(len(values) for values in axes.values())
    short = {path: values[:length] for path, values in axes.items()}
    (whole,) = read({"name": "a", "product": short})
    (part,) = read({"name": "a", "zip": short})
    assert all(point in points(whole) for point in points(part))


@given(AXES, AXES)
def test_a_union_is_its_parts_in_order_or_refused(first: dict, second: dict) -> None:
    one, two = (points(read({"name": "a", "product": axes})[0]) for axes in (first, second))
    block = {"name": "a", "union": [{"product": first}, {"product": second}]}
    if any(point in one for point in two):
        assert "twice" in refused(block)
    else:
        assert points(read(block)[0]) == one + two


@given(st.integers(-100, 100), st.integers(0, 50))
def test_a_range_holds_both_ends(first: int, length: int) -> None:
    values = axis_values(Node.of({"range": [first, first + length]}), "a")
    assert [value.value for value in values] == list(range(first, first + length + 1))
    seeds = read_replicates(Node.of({"seed": {"range": [first, first + length]}}), 1)
    assert len(seeds) == length + 1


@given(AXES)
def test_a_product_of_parts_is_the_product_of_their_axes(axes: dict) -> None:
    (whole,) = read({"name": "a", "product": axes})
    (parts,) = read({"name": "a", "product": [{path: values} for path, values in axes.items()]})
    assert points(parts) == points(whole)
    (wrapped,) = read({"name": "a", "union": [{"product": axes}]})
    assert points(wrapped) == points(whole)


@given(st.integers(1, 4), st.integers(1, 4))
def test_a_zip_is_one_factor_of_a_product(pairs: int, alphas: int) -> None:
    zipped = {"encoder.width": list(range(pairs)), "encoder.layers": list(range(pairs))}
    (block,) = read(
        {
            "name": "a",
            "product": [{"zip": zipped}, {"sampling.alpha": [i / 10 for i in range(alphas)]}],
        }
    )
    assert len(block.points) == pairs * alphas
    assert all(point["encoder.width"] == point["encoder.layers"] for point in points(block))


def test_parts_may_be_zipped_with_parts() -> None:
    (block,) = read(
        {
            "name": "a",
            "zip": [
                {"product": {"encoder.width": [1, 2], "encoder.layers": [1, 2]}},
                {"sampling.alpha": [0.1, 0.2, 0.3, 0.4]},
            ],
        }
    )
    assert [tuple(point.values()) for point in points(block)] == [
        (1, 1, 0.1), (1, 2, 0.2), (2, 1, 0.3), (2, 2, 0.4)
    ]  # fmt: skip


@given(AXES, st.integers(0, 50))
def test_where_keeps_what_fulfils_it_in_order(axes: dict, least: int) -> None:
    first = next(iter(axes))
    block = {"name": "a", "product": axes, "where": f"{first} >= {least}"}
    everything = points(read({"name": "a", "product": axes})[0])
    kept = [point for point in everything if point[first] >= least]
    if not kept:
        assert "drops every point" in refused(block)
        return
    (found,) = read(block)
    assert points(found) == kept
    (dropped,) = found.dropped
    assert (dropped.points, dropped.dropped) == (len(everything), len(everything) - len(kept))


def test_where_counts_languages_and_stands_on_any_part() -> None:
    (block,) = read(
        {
            "name": "a",
            "product": [
                {
                    "product": {"languages": ["xlm-7", "xlm-15", ["en", "de"]]},
                    "where": "count(languages) < 10",
                },
                {"encoder.width": ["1k", "2k"]},
            ],
            "where": "languages == 'xlm-7' or encoder.width == 2k",
        }
    )
    assert points(block) == [
        {"languages": "xlm-7", "encoder.width": 1000},
        {"languages": "xlm-7", "encoder.width": 2000},
        {"languages": ["en", "de"], "encoder.width": 2000},
    ]
    assert [str(dropped) for dropped in block.dropped] == [
        "3 points, 1 dropped by where: count(languages) < 10",
        "4 points, 1 dropped by where: languages == 'xlm-7' or encoder.width == 2k",
    ]


def test_an_axis_that_a_part_of_a_union_lacks_is_null_in_where() -> None:
    union = [{"languages": ["xlm-7"]}, {"encoder.width": [1, 2]}]
    (block,) = read(
        {"name": "a", "union": union, "where": "encoder.width == null or encoder.width > 1"}
    )
    assert points(block) == [{"languages": "xlm-7"}, {"encoder.width": 2}]
    message = refused({"name": "a", "union": union, "where": "count(languages) > 1"})
    assert "cannot compare None with 1 (column 18) at encoder.width=1" in message


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"product": {"encoder.width": [1]}}, "expected a `name`"),
        ({"name": "a", "prodct": {}}, "axes[a].prodct: unknown key (did you mean product?)"),
        ({"name": "a", "product": {}}, "expected at least one axis, found an empty product"),
        ({"name": "a", "product": {"encoder.width": []}}, "expected at least one value"),
        ({"name": "a", "product": {"encoder.width": 3}}, "expected a list of values"),
        ({"name": "a", "union": []}, "found an empty union"),
        (
            {"name": "a", "product": {"encoder.wdith": [1]}},
            "axes[a].product.encoder.wdith: unknown axis (did you mean encoder.width",
        ),
        ({"name": "a", "product": {"width": [1]}}, "(did you mean encoder.width?)"),
        ({"name": "a", "product": {"encoder": [1]}}, "encoder is a group; expected one of"),
        ({"name": "a", "product": {"seed": [1, 2]}}, "seeds belong in `replicates`"),
        (
            {"name": "a", "zip": {"encoder.width": [1, 2], "encoder.layers": [1]}},
            "encoder.width has 2, encoder.layers has 1",
        ),
        (
            {"name": "a", "product": {"encoder.width": [8, 8]}},
            "axes[a]: yields the point encoder.width=8 twice",
        ),
        (
            {"name": "a", "product": {"encoder.width": [1]}, "zip": {"encoder.width": [1]}},
            "expected one of product, zip, union",
        ),
        ({"name": "a", "product": {"encoder.width": {"range": [3, 1]}}}, "first <= last"),
        ({"name": "a", "product": {"encoder.width": {"range": [3]}}}, "{range: [first, last]}"),
        ({"name": "a", "product": {"encoder.width": {"rnge": [3, 4]}}}, "did you mean range?"),
        (
            {"name": "a", "product": {"encoder.width": [1, 2]}, "where": "encoder.width > 2"},
            "axes[a].where: encoder.width > 2: drops every point: encoder.width=1; encoder.width=2",
        ),
        (
            {"name": "a", "product": {"encoder.width": [1]}, "where": "width > 2"},
            "axes[a].where: width > 2: unknown name width (did you mean encoder.width?)",
        ),
        ({"name": "a", "product": {"encoder.width": [1]}, "where": True}, "expected text"),
        ({"name": "a", "where": "1 > 2"}, "expected one of product, zip, union, found none"),
        (
            {"name": "a", "product": [{"encoder.width": [1]}, {"encoder.width": [2]}]},
            "axes[a].product: two parts set encoder.width; each axis stands in one of them",
        ),
        (
            {"name": "a", "zip": [{"encoder.width": [1]}, {"encoder.layers": [2, 3]}]},
            "found part 1 has 1, part 2 has 2",
        ),
        (
            {"name": "a", "product": [{"zip": {"encoder.width": [1]}, "encoder.layers": [2]}]},
            "axes[a].product[0].encoder.layers: unknown key",
        ),
        ({"name": "a", "product": []}, "found an empty product"),
        (
            {"name": "a", "product": {"encoder.width": ["150k", 150_000]}},
            "yields the point encoder.width=150000 twice",
        ),
    ],
)
def test_a_mistaken_block_is_refused(block: dict, message: str) -> None:
    assert message in refused(block)


def test_two_blocks_of_one_name_are_refused() -> None:
    block = {"name": "a", "product": {"encoder.width": [8]}}
    assert "two blocks are named 'a'" in refused(block, block)


def test_a_huge_product_is_refused_before_it_is_built() -> None:
    axis = {"range": [1, 100_000]}
    message = refused({"name": "a", "product": {"encoder.width": axis, "encoder.layers": axis}})
    assert "expected at most 1,000,000 points, found 10,000,000,000" in message


def test_a_block_without_axes_is_one_point() -> None:
    assert points(read({"name": "a", "cell": {"seed": 1}})[0]) == [{}]


def test_blocks_are_chosen_by_name_in_the_order_of_the_study() -> None:
    blocks = read(*({"name": name, "product": {"encoder.width": [8]}} for name in "abc"))
    assert [block.name for block in choose_blocks(blocks, Node.of(["c", "a"]))] == ["a", "c"]
    assert choose_blocks(blocks, Node.of("all")) == blocks
    assert [block.name for block in choose_blocks(blocks, Node.of("b"))] == ["b"]
    with pytest.raises(StudyError, match=r"unknown block 'd'.*expected `all` or some of a, b, c"):
        choose_blocks(blocks, Node.of(["d"]))
