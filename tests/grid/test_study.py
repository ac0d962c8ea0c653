"""Studies: laid together from files, scales, sites and overrides, with the place of a mistake."""

from pathlib import Path

import pytest

import grid
from grid.axes import read_replicates
from grid.errors import StudyError
from grid.study import Study
from grid.tree import Node

ROOT = Path(__file__).resolve().parents[2]
CURSE = ROOT / "studies" / "curse_of_multilinguality.yaml"

SMALL = """\
title: Small
cell:
  languages: [en, de]
  encoder: {layers: 1, width: 16, heads: 2}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRID_STORE", raising=False)


def write(tmp_path: Path, text: str, name: str = "study.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, *overrides: str, scale: str | None = None) -> str:
    with pytest.raises(StudyError) as caught:
        grid.load(path, *overrides, scale=scale)
    return str(caught.value)


@pytest.mark.parametrize(
    ("scale", "cells"), [("smoke", 10), ("laptop", 60), ("paper", 51), ("real", 24)]
)
def test_curse_study_expands_at_every_scale(scale: str, cells: int) -> None:
    assert len(grid.load(CURSE, scale=scale).cells) == cells


def test_curse_blocks_share_the_cells_that_are_equal() -> None:
    study = grid.load(CURSE, scale="smoke")
    shared = {cell.blocks for cell in study.cells}
    # 7 languages counting all 7 is 7 languages; 30 with the tokenizer of 30 is 30.
    assert ("fixed width", "wider", "equal exposure") in shared
    assert ("fixed width", "one tokenizer") in shared


def test_blocks_that_a_scale_leaves_out_can_be_added() -> None:
    real = grid.load(CURSE, scale="real")
    assert len(grid.load(CURSE, "blocks=all", scale="real").cells) > len(real.cells)
    only = grid.load(CURSE, "blocks=[wider]", "replicates.seed=[7]")
    assert {cell.blocks for cell in only.cells} == {("wider",)}
    assert {cell.seed for cell in only.cells} == {7}


def test_cell_ids_do_not_depend_on_the_blocks_that_are_run() -> None:
    every = {cell.id for cell in grid.load(CURSE, "blocks=all").cells}
    assert {cell.id for cell in grid.load(CURSE, "blocks=[wider]").cells} < every


def test_defaults_come_from_the_dataclasses_and_values_from_the_file(tmp_path: Path) -> None:
    (cell,) = grid.load(write(tmp_path, SMALL)).cells
    assert cell.config.encoder.width == 16
    assert cell.config.encoder.max_positions == 512
    assert cell.config.languages == ["de", "en"]
    assert cell.config.tokenizer.languages == ["de", "en"]
    assert cell.config.evaluation.languages == ["de", "en"]


def test_extends_scale_site_and_override_win_in_this_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        """\
cell: {languages: [en], encoder: {layers: 1, width: 16, heads: 2}, seed: 1}
locations: {cc100: base}
scales:
  laptop: {cell: {encoder: {layers: 2}}}
""",
        "base.yaml",
    )
    path = write(
        tmp_path,
        """\
extends: base.yaml
cell: {encoder: {width: 32}}
locations: {cc100: study, wikipedia: study}
scales:
  laptop: {cell: {encoder: {dropout: 0.2}}}
""",
    )
    site = tmp_path / "sites" / "here.yaml"
    site.parent.mkdir()
    site.write_text("locations: {cc100: text}\nexecution: {workers: 3}\nstore: out\n")
    study = grid.load(path, "cell.encoder.layers=4", "locations.other=o", site=site)
    encoder = study.cells[0].config.encoder
    assert (encoder.width, encoder.heads, encoder.layers, encoder.dropout) == (32, 2, 4, 0.2)
    assert study.locations == {
        "cc100": str(site.parent / "text"),
        "wikipedia": str(tmp_path / "study"),
        "other": str(tmp_path / "o"),
    }
    assert study.execution.workers == 3
    assert study.store == site.parent / "out"


def test_extends_takes_a_list_of_which_later_ones_win_and_may_meet_again(tmp_path: Path) -> None:
    write(tmp_path, SMALL, "root.yaml")
    write(tmp_path, "extends: root.yaml\ncell: {encoder: {layers: 2, width: 32}}\n", "left.yaml")
    write(tmp_path, "extends: root.yaml\ncell: {encoder: {width: 64}}\n", "right.yaml")
    path = write(tmp_path, "extends: [left.yaml, right.yaml]\ncell: {encoder: {dropout: 0.2}}\n")
    encoder = grid.load(path).cells[0].config.encoder
    # right.yaml has root.yaml's one layer: it is laid over left.yaml as a whole.
    assert (encoder.layers, encoder.width, encoder.dropout) == (1, 64, 0.2)
    write(tmp_path, "extends: [root.yaml, study.yaml]\n", "right.yaml")
    circle = (
        r"right.yaml:1: extends: goes round in a circle: study.yaml -> right.yaml -> study.yaml"
    )
    with pytest.raises(StudyError, match=circle):
        grid.load(path)
    message = refused(write(tmp_path, "extends: [root.yaml, gone.yaml]\n"))
    assert message.startswith("study.yaml:1: extends: no such file: gone.yaml")


def test_numbers_have_suffixes_where_numbers_are_expected(tmp_path: Path) -> None:
    text = (
        SMALL + "  pretraining: {updates: 1.5k, learning_rate: 0.001k}\n  corpus: {source: 10k}\n"
    )
    text += "locations: {10k: text}\n"
    (cell,) = grid.load(write(tmp_path, text), "cell.tokenizer.vocab_size=150k").cells
    assert cell.config.pretraining.updates == 1500
    assert cell.config.pretraining.learning_rate == 1.0
    assert cell.config.corpus.source == "10k"
    assert cell.config.tokenizer.vocab_size == 150_000
    study = grid.load(
        write(tmp_path, text),
        "axes=[{name: a, product: {tokenizer.vocab_size: [32k, 0.1M]}}]",
        "replicates.seed=range(1, 2)",
    )
    sizes = [cell.coordinates["tokenizer.vocab_size"] for cell in study.cells]
    assert sizes == [32_000, 32_000, 100_000, 100_000]
    assert "vocabsize32000-s2" in study.cells[1].id
    for wrong, found in (("1.5", "1.5 (float)"), ("1.0005k", "'1.0005k' (str)"), ("1m", "'1m'")):
        message = refused(write(tmp_path, SMALL), f"cell.pretraining.updates={wrong}")
        assert f"expected int, found {found}" in message


def test_the_plan_says_what_where_drops(tmp_path: Path) -> None:
    text = SMALL + (
        "axes:\n  - name: a\n    product: {encoder.width: [16, 32, 64]}\n"
        "    where: encoder.width < 50\n"
    )
    study = grid.load(write(tmp_path, text))
    assert study.notes == ["block 'a': 3 points, 1 dropped by where: encoder.width < 50"]
    message = refused(write(tmp_path, text.replace("< 50", "< 50 andd true")))
    assert message.startswith("study.yaml:8: axes[a].where: encoder.width < 50 andd true: expected")
    assert "column 20" in message


def test_store_is_the_argument_then_the_environment_then_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, SMALL)
    assert grid.load(path).store == Path("runs")
    write(tmp_path, "store: from_site\n", "grid.yaml")
    assert grid.load(path).store == tmp_path / "from_site"
    monkeypatch.setenv("GRID_STORE", "from_environment")
    assert grid.load(path).store == Path("from_environment")
    assert grid.load(path, store="given").store == Path("given")


def test_a_site_may_only_place_work(tmp_path: Path) -> None:
    write(tmp_path, "cell: {seed: 3}\n", "grid.yaml")
    message = refused(write(tmp_path, SMALL))
    assert message.startswith("grid.yaml:1: cell: unknown key")
    assert "locations, execution, store" in message


def test_language_sets_of_a_study_are_relative_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "sets.json").write_text('{\n\t"mine": ["sw", "en"], "xlm-7": ["fr"]\n}\n')
    path = write(folder, "language_sets: sets.json\ncell: {languages: mine}\n")
    assert grid.load(path).cells[0].config.languages == ["en", "sw"]
    assert grid.load(path, "cell.languages=xlm-7").cells[0].config.languages == ["fr"]
    (tmp_path / "other.yaml").write_text("mine: [ur]\n")
    (cell,) = grid.load(path, "language_sets=other.yaml").cells
    assert cell.config.languages == ["ur"]


def test_norwegian_is_a_language_and_1e_3_a_number(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "cell: {languages: [no, en], pretraining: {learning_rate: 1e-3, updates: 1_000, "
        "batch_size: 1e2}}\n",
    )
    config = grid.load(path).cells[0].config
    assert config.languages == ["en", "no"]
    assert config.pretraining.learning_rate == 0.001
    assert (config.pretraining.updates, config.pretraining.batch_size) == (1000, 100)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell: {languages: [en]\n", "study.yaml:2: not valid YAML"),
        ("cell:\n\tlanguages: [en]\n", "study.yaml:2: not valid YAML"),
        ("title: a\ntitle: b\n", "study.yaml:2: title: written twice, first at study.yaml:1"),
        ("", "study.yaml:1: expected a study, found an empty file"),
        ("- a\n", "study.yaml:1: expected a mapping"),
        ("title: ${oc.env:HOME}\n", "study.yaml:1: title: found '${oc.env:HOME}'"),
        ("title: !!python/name:os.system x\n", "not allowed in a study"),
        ("cells: {}\n", "study.yaml:1: cells: unknown key (did you mean cell?)"),
        ("extends: gone.yaml\n", "study.yaml:1: extends: no such file: gone.yaml"),
        ("extends: study.yaml\n", "study.yaml:1: extends: goes round in a circle"),
        ("scales: {laptop: {scales: {}}}\n", "scales.laptop.scales: unknown key"),
        ("execution: {worker: 3}\n", "execution.worker: unknown key (did you mean workers?)"),
        ("execution:\n  workers: 0\n", "study.yaml:2: execution.workers: expected 1 to 4096"),
        ("claims: [{says: a}]\n", "study.yaml:1: claims[0]: expected `expect`"),
        ("figures: xlmr_figure_2\n", "study.yaml:1: figures: expected a list"),
        (
            "figures: [xlmr_figur_2]\n",
            "study.yaml:1: figures[0]: unknown figure 'xlmr_figur_2' (did you mean xlmr_figure_2",
        ),
        ("replicates: {sed: [1]}\n", "replicates.sed: unknown key (did you mean seed?)"),
        ("replicates: {seed: [1, 1]}\n", "replicates.seed: expected each seed once"),
        ("language_sets: gone.json\n", "found no such file: gone.json"),
        ("language_sets: {a: [en, en]}\n", "language_sets.a: expected each language once"),
        ("a: &a [*a]\n", "expands without end"),
        ("title: \udcff", "expected UTF-8 text"),
    ],
)
def test_a_mistake_names_its_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert message in refused(path)


def test_an_error_in_an_extended_file_names_that_file(tmp_path: Path) -> None:
    write(tmp_path, "cell:\n  encoder:\n    wdith: 3\n", "base.yaml")
    message = refused(write(tmp_path, "extends: base.yaml\n"))
    assert message.startswith("base.yaml:3: cell.encoder.wdith: unknown key (did you mean width?)")


def test_unknown_scale_lists_the_legal_ones() -> None:
    message = refused(CURSE, scale="laptp")
    assert "unknown scale 'laptp' (did you mean laptop?)" in message
    assert "paper, laptop, gpu, smoke, real" in message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("cell.encoder.layers", "expected key=value"),
        ("encoder.layers=3", "unknown key (did you mean cell.encoder.layers?)"),
        ("cell.encoder.layers=[", "not valid YAML"),
        ("cell.encoder.layers=two", "command line: cell.encoder.layers: expected int, found 'two'"),
        ("blocks=[widr]", "unknown block 'widr' (did you mean wider?)"),
        ("axes.widr.zip.languages=[xlm-7]", "unknown block 'widr' (did you mean wider?)"),
        ("cell.languages=[en]", "has no effect"),
        ("cell.seed=4", "write replicates.seed=[4]"),
    ],
)
def test_a_mistaken_override_is_refused(override: str, message: str) -> None:
    assert message in refused(CURSE, override, scale="smoke")


def test_an_override_that_some_blocks_do_not_feel_says_which() -> None:
    said = "cell.{} of the command line does not reach every block: {}"
    study = grid.load(CURSE, "cell.pretraining.learning_rate=3e-3", scale="laptop")
    place = "'wider' has axes.wider.zip.pretraining.learning_rate"
    assert study.notes == [said.format("pretraining.learning_rate", place)]
    study = grid.load(CURSE, "cell.pretraining.updates=8", scale="smoke")
    assert study.notes == [said.format("pretraining.updates", "'untrained' sets it")]
    study = grid.load(CURSE, "cell.encoder.layers=3", scale="smoke")
    assert study.notes == []


def test_an_override_may_change_one_axis_of_a_block() -> None:
    study = grid.load(CURSE, "axes.wider.zip.encoder.width=[8, 12]", "blocks=wider", scale="smoke")
    assert [cell.config.encoder.width for cell in study.cells] == [8, 12]


def test_a_cell_is_found_by_number_id_or_beginning() -> None:
    study = grid.load(CURSE, scale="smoke")
    cell = study.cells[3]
    assert study.cell("4") is cell
    assert study.cell(cell.id) is cell
    assert study.cell(cell.id[:-2]) is cell
    with pytest.raises(StudyError, match="could be any of"):
        study.cell("xlm-30")
    with pytest.raises(StudyError, match="is not in curse_of_multilinguality at scale smoke"):
        study.cell("nothing")


def test_claims_and_figures_are_kept() -> None:
    study: Study = grid.load(CURSE, scale="smoke")
    assert study.figures == ("xlmr_figure_2", "xlmr_figure_4", "learning_curves")
    (expected,) = study.claims[0].expect
    assert expected.kind == "above"
    assert {path: node.value for path, node in expected.of[0].values.items()} == {
        "languages": "xlm-15"
    }


def test_plan_has_a_row_for_each_cell() -> None:
    plan = grid.load(CURSE, scale="smoke").plan()
    assert plan["number"].to_list() == list(range(1, 11))
    assert plan.columns[:8] == [
        "number", "cell", "blocks", "seed", "languages", "encoder.width", "n_languages", "state"
    ]  # fmt: skip
    assert plan["encoder.width"].to_list()[3] == 24


def test_an_empty_scale_takes_the_place_of_an_extended_one(tmp_path: Path) -> None:
    write(tmp_path, SMALL + "scales:\n  smoke: {replicates: {seed: [5]}}\n", "below.yaml")
    above = write(tmp_path, "extends: below.yaml\nscales:\n  smoke:\n")
    assert grid.load(above, scale="smoke").seeds == (1,)


def test_an_override_that_a_part_of_a_union_feels_is_taken(tmp_path: Path) -> None:
    union = "[{product: {encoder.width: [16, 32]}}, {product: {sampling.alpha: [0.5]}}]"
    path = write(tmp_path, f"{SMALL}axes:\n  - name: both\n    union: {union}\n")
    study = grid.load(path, "cell.encoder.width=64")
    assert [cell.config.encoder.width for cell in study.cells] == [16, 32, 64]


def test_axes_that_are_no_list_are_refused_under_an_override_too(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL + "axes: {a: {product: {sampling.alpha: [0.5]}}}\n")
    message = refused(path, "axes.a.product.sampling.alpha=[0.1]")
    assert message == "study.yaml:5: axes: expected a list, found a mapping"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("threads=5000", "execution.threads: expected 1 to 4096, found 5000"),
        ("workers=0", "execution.workers: expected 1 to 4096, found 0"),
        ("checkpoint_seconds=0", "execution.checkpoint_seconds: expected more than 0, found 0.0"),
    ],
)
def test_an_impossible_execution_is_refused(tmp_path: Path, override: str, message: str) -> None:
    assert message in refused(write(tmp_path, SMALL), f"execution.{override}")


def test_a_store_below_the_home_folder_is_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRID_STORE", "~/runs")
    study = grid.load(write(tmp_path, SMALL))
    assert study.store == tmp_path / "home" / "runs" == study.open_store().root
    assert study.folder.is_relative_to(study.open_store().root)


def test_a_hundred_thousand_seeds_take_a_moment() -> None:
    assert len(read_replicates(Node.of({"seed": {"range": [1, 100_000]}}), 1)) == 100_000
