"""`encoder.size`: a shorthand that is written out before anything is hashed."""

from pathlib import Path

import pytest

import grid
from grid import sizes
from grid.errors import StudyError

HEAD = "cell:\n  languages: [en, de]\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(body: str, *overrides: str) -> "grid.study.Study":
    Path("study.yaml").write_text(HEAD + body, encoding="utf-8")
    return grid.load("study.yaml", *overrides)


@pytest.mark.parametrize(
    ("size", "total", "spelt"),
    [
        ("base", 278_295_186, "{layers: 12, width: 768, heads: 12, feed_forward: 3072}"),
        ("large", 560_142_482, "{layers: 24, width: 1024, heads: 16}"),
        (
            "xl",
            3_482_741_760,
            "{layers: 36, width: 2560, heads: 32, norm: pre, pad_vocab_to: 1024}",
        ),
        (
            "xxl",
            10_712_994_816,
            "{layers: 48, width: 4096, heads: 32, feed_forward: 16_384, norm: pre, "
            "pad_vocab_to: 1024}",
        ),
    ],
)
def test_a_size_is_the_published_one_and_the_same_cell_as_written_out(
    size: str, total: int, spelt: str
) -> None:
    (named,) = load(f"  encoder: {{size: {size}}}\n").cells
    rows = sizes.embedding_rows(named.config.tokenizer.vocab_size, named.config.encoder)
    assert sizes.parameters(named.config.encoder, rows) == total
    (written,) = load(f"  encoder: {spelt}\n").cells
    assert (written.id, written.config) == (named.id, named.config)


def test_beside_a_size_and_later_a_field_wins() -> None:
    def encoder(body: str, *overrides: str) -> tuple[int, int]:
        (cell,) = load(body, *overrides).cells
        return cell.config.encoder.layers, cell.config.encoder.width

    assert encoder("  encoder: {width: 96, size: large}\n") == (24, 96)
    assert encoder("  encoder: {size: large}\n", "cell.encoder.width=96") == (24, 96)
    # A size that is laid later replaces what an earlier layer said of its fields.
    assert encoder("  encoder: {width: 96}\n", "cell.encoder.size=large") == (24, 1024)
    scale = "  encoder: {width: 96, layers: 2}\nscales: {laptop: {cell: {encoder: {size: base}}}}\n"
    assert encoder(scale) == (12, 768)
    both = ("cell.encoder.size=large", "cell.encoder.layers=3")
    assert encoder("  encoder: {width: 96}\n", *both) == (3, 1024)


def test_a_size_may_stand_in_a_block_and_be_an_axis() -> None:
    study = load(
        "axes:\n"
        "  - {name: a, product: {encoder.size: [base, xl]}}\n"
        "  - {name: b, cell: {encoder: {size: large}}, product: {sampling.alpha: [0.7]}}\n"
        "  - {name: c, zip: {encoder.size: [base, base], encoder.width: [96, 768]}}\n"
    )
    shapes = [(cell.config.encoder.layers, cell.config.encoder.width) for cell in study.cells]
    assert shapes == [(12, 768), (36, 2560), (24, 1024), (12, 96)]
    names = [cell.coordinates["encoder.size"] for cell in study.cells]
    assert names == ["base", "xl", "large", "base"]
    assert study.cells[1].config.encoder.norm == "pre"
    assert study.cells[0].blocks == ("a", "c")


def test_an_override_that_a_size_on_an_axis_hides_is_refused() -> None:
    axes = "axes: [{name: a, product: {encoder.size: [base, xl]}}]\n"
    with pytest.raises(StudyError, match=r"cell.encoder.layers: has no effect"):
        load(axes, "cell.encoder.layers=3")
    assert load(axes, "cell.encoder.dropout=0.0").cells[0].config.encoder.dropout == 0


def test_show_names_the_line_of_the_size() -> None:
    from grid.origins import origins_frame

    study = load("  encoder:\n    size: large\n    width: 96\n")
    rows = {row["key"]: row["written"] for row in origins_frame(study, study.cells[0]).to_dicts()}
    assert rows["encoder.layers"] == "study.yaml:4"
    assert rows["encoder.width"] == "study.yaml:5"
    study = load("axes:\n  - name: a\n    product:\n      encoder.size: [large]\n")
    rows = {row["key"]: row["written"] for row in origins_frame(study, study.cells[0]).to_dicts()}
    assert rows["encoder.norm"] == "study.yaml:6"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "  encoder: {size: lrage}\n",
            "study.yaml:3: cell.encoder.size: unknown size 'lrage' (did you mean large?); expected "
            "one of base, large, xl, xxl",
        ),
        ("  encoder: {size: 3}\n", "expected one of base, large, xl, xxl, found 3 (int)"),
        (
            "axes: [{name: a, product: {encoder.size: [bse]}}]\n",
            "axes[a].product.encoder.size: unknown size 'bse' (did you mean base?)",
        ),
    ],
)
def test_an_unknown_size_is_refused(body: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        load(body)
    assert message in str(caught.value)
