"""grid.identity: one encoding a value, errors for what has none, and keys that do not move."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.declarations import STAGES
from grid.identity import IdentityError, canonical, digest, plain, stage_key
from grid.typed import name_of, named, rebuild
from tests.grid.golden_keys import FILE, cells, keys, stages

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abcé", max_size=4), inner),
    max_leaves=12,
)


@dataclass(kw_only=True)
class Old:
    width: int = 2
    rate: float = 0.5


@dataclass(kw_only=True)
class New:
    width: int = 2
    rate: float = 0.5
    gated: bool = field(default=False, metadata={"absent": False})
    scale: float = field(default=1.0, metadata={"absent": 1})


@given(values)
def test_encoding_reads_back_and_keeps_types(value: object) -> None:
    back = json.loads(canonical(value))
    assert back == value
    assert canonical(back) == canonical(value)


@given(st.dictionaries(st.text("abcdé", max_size=3), values, min_size=2))
def test_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(values, values)
def test_different_values_have_different_encodings(one: object, other: object) -> None:
    if canonical(one) == canonical(other):
        assert one == other


def test_exact_form() -> None:
    assert canonical({"b": (1, 2.0), "a": "é"}) == '{"a":"é","b":[1,2.0]}'.encode()
    assert canonical(1e-6) == b"1e-06"
    assert canonical(-0.0) == canonical(0.0)
    assert canonical(True) != canonical(1) != canonical(1.0)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {1, 2},
        Path("x"),
        np.float64(1.0),
        np.int64(1),
        np.zeros(2),
        b"bytes",
        {1: "a"},
        Old,
        1j,
        "\ud800",
    ],
)
def test_what_has_no_canonical_form_is_an_error(value: object) -> None:
    with pytest.raises(IdentityError, match=r"value\.deep"):
        canonical({"deep": value})


def test_a_new_field_keeps_old_keys_until_it_is_set() -> None:
    assert canonical(New()) == canonical(Old())
    assert canonical(New(gated=True)) != canonical(Old())
    assert canonical(New(scale=2.0)) != canonical(Old())
    assert rebuild(New, plain(New())) == New()


def test_an_int_in_a_float_field_is_that_float() -> None:
    assert canonical(Old(rate=1)) == canonical(Old(rate=1.0))
    assert canonical(Old(width=1)) != canonical(Old(width=2))


def test_key_depends_on_everything_that_it_names() -> None:
    base = {"stage": "a", "version": 1, "config": {"x": 1}, "inputs": {"i": "k"}, "slug": "s"}
    changes = {"stage": "b", "version": 2, "config": {"x": 2}, "inputs": {"i": "l"}}
    made = {stage_key(**{**base, name: value}) for name, value in changes.items()}
    assert len(made | {stage_key(**base)}) == 5
    assert stage_key(**base).startswith("s-") and len(stage_key(**base)) == 2 + 16
    assert len(digest(1)) == 16


@pytest.mark.parametrize("slug", ["", "a/b", "../x", "a b", ".hidden"])
def test_a_slug_must_be_safe_as_a_name(slug: str) -> None:
    with pytest.raises(IdentityError, match="slug"):
        stage_key("a", 1, {}, {}, slug)


@pytest.mark.parametrize("name", sorted(cells()))
def test_every_stage_configuration_survives_its_way_through_json(name: str, tmp_path: Path) -> None:
    for stage in stages(cells()[name], tmp_path).values():
        text = json.dumps(plain(stage.config))
        assert rebuild(named(name_of(type(stage.config))), json.loads(text)) == stage.config


def test_the_golden_cells_have_every_kind_of_stage(tmp_path: Path) -> None:
    every = (stages(config, tmp_path).values() for config in cells().values())
    # Those of a published model need its files, retrieval its pairs: tests/grid/test_checkpoints.py
    # and test_regimes.py.
    wanted = {name for name in STAGES if "checkpoint" not in name and name != "retrieval"}
    assert {stage.name for made in every for stage in made} == wanted


def test_keys_are_the_golden_ones(tmp_path: Path) -> None:
    if not FILE.exists():
        pytest.skip(f"{FILE} is missing: write it with python -m tests.grid.golden_keys")
    assert keys(tmp_path) == json.loads(FILE.read_text(encoding="utf-8"))
