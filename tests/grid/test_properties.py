"""Laws of cells and keys: unions, identity, and what must not reach either."""

import json
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.axes import read_blocks
from grid.cell import Expansion, expand
from grid.declarations import STAGES
from grid.identity import Encoder, canonical, digest, plain
from grid.language_sets import LanguageSets
from grid.pipeline import stages_of
from grid.store import Store
from grid.tree import Node
from grid.typed import rebuild
from model.config import CellConfig

NODE = Node({})
SETS = LanguageSets(None)
CELL = Node.of({"languages": ["en", "de"], "encoder": {"width": 48, "heads": 1}})
VALUES = {
    "languages": ["xlm-7", ["en", "de"], ["en"]],
    "encoder.width": [48, 96, "0.144k"],
    "encoder.feed_forward": [None, 192, 200],
    "sampling.alpha": [0, 0.3, 1],
    "pretraining.updates": [0, 10, "1k"],
    "corpus.synthetic.size": [30_000, "2M"],
}
axes = st.dictionaries(st.sampled_from(sorted(VALUES)), st.none(), min_size=1, max_size=3).flatmap(
    lambda paths: st.fixed_dictionaries(
        {
            path: st.lists(st.sampled_from(VALUES[path]), min_size=1, max_size=3, unique_by=str)
            for path in paths
        }
    )
)
# A feed-forward of 4 x width beside null is one cell twice, which is refused.
axes = axes.filter(lambda each: len(each.get("encoder.feed_forward", [])) < 2)
few = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
several = st.lists(axes, min_size=1, max_size=3)


def expansion(*products: dict, seeds: tuple[int, ...] = (1,)) -> Expansion:
    blocks = read_blocks(
        Node.of([{"name": str(i), "product": each} for i, each in enumerate(products)]), NODE, SETS
    )
    paths = sorted({path for block in blocks for path in block.paths})
    return expand(shared=CELL, blocks=blocks, paths=paths, seeds=seeds, sets=SETS)


def ids(*products: dict) -> set[str]:
    return {cell.id.rpartition("-")[2] for cell in expansion(*products).cells}


@few
@given(several)
def test_a_union_of_blocks_is_idempotent_and_has_no_order(products: list[dict]) -> None:
    together = ids(*products)
    assert together == set().union(*(ids(each) for each in products))
    assert together == ids(*reversed(products))
    assert together == ids(*products, *products)


@few
@given(several)
def test_cells_are_one_exactly_where_their_configurations_are(products: list[dict]) -> None:
    found = expansion(*products, seeds=(1, 2)).cells
    texts = [canonical(cell.config) for cell in found]
    assert len(set(texts)) == len(found) == len({cell.id for cell in found})
    for one, text in zip(found, texts, strict=True):
        for other, other_text in zip(found, texts, strict=True):
            assert (one.config == other.config) == (text == other_text)
        # A fresh encoder, which shares nothing, writes the same.
        assert one.id.endswith(digest(one.config)[:8])


@few
@given(several)
def test_a_configuration_survives_its_canonical_form(products: list[dict]) -> None:
    for cell in expansion(*products).cells:
        back = rebuild(CellConfig, json.loads(canonical(cell.config)))
        assert back == cell.config
        assert canonical(back) == canonical(cell.config)


@few
@given(several)
def test_an_encoder_that_remembers_writes_what_a_new_one_writes(products: list[dict]) -> None:
    encoder = Encoder()
    for cell in expansion(*products).cells * 2:
        assert encoder.whole(cell.config).encode() == canonical(cell.config)
        assert json.loads(encoder.whole(cell.config)) == plain(cell.config)


@cache
def stage_keys(config: str) -> dict[str, str]:
    cell = rebuild(CellConfig, json.loads(config))
    found = stages_of(cell, locations={}, store=Store(Path("runs")))
    return {role: stage.key for role, stage in found.items()}


PARTS = {
    "corpus.synthetic.size": {"corpus", "tokenizer", "shards", "pretraining", "evaluation"},
    "encoder.width": {"pretraining", "evaluation"},
    "sampling.alpha": {"pretraining", "evaluation"},
    "pretraining.updates": {"pretraining", "evaluation"},
}


@few
@given(st.sampled_from(sorted(PARTS)), st.data())
def test_a_changed_value_changes_the_stages_that_depend_on_it_and_no_other(
    path: str, data: st.DataObject
) -> None:
    two = data.draw(st.lists(st.sampled_from(VALUES[path]), min_size=2, max_size=2, unique_by=str))
    one, other = expansion({path: two}).cells
    keys, others = (stage_keys(canonical(cell.config).decode()) for cell in (one, other))
    assert keys.keys() == others.keys()
    changed = {role.partition("/")[0] for role in keys if keys[role] != others[role]}
    assert changed == PARTS[path]
    assert changed <= set(STAGES)
