"""What a claim may say: which cells it means, when it does not apply, and its mistakes."""

import re
from pathlib import Path

import pytest

from grid.claims.points import BoundComparison
from grid.errors import StudyError
from tests.grid.claims.made_up import CELLS, NARROW, WIDE, study


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def expect(text: str) -> str:
    return f"{{metric: xnli.accuracy, over: xlm-7, {text}}}"


def bound(folder: Path, text: str) -> BoundComparison:
    (claim,) = study(folder, expect(text)).bound_claims
    assert claim.absent is None, str(claim.absent)
    return claim.comparisons[0]


def names(comparison: BoundComparison) -> list[str]:
    return [side.name for _, side in comparison.sides]


def absent(folder: Path, text: str, more: str = "", **options: str) -> str:
    (claim,) = study(folder, text, more=more, **options).bound_claims
    assert claim.absent is not None
    return str(claim.absent)


def test_a_point_is_a_block_and_values(tmp_path: Path) -> None:
    comparison = bound(tmp_path, f"of: {WIDE}, above: {NARROW}")
    assert names(comparison) == ["sizes, width 64", "sizes, width 16"]
    cells = comparison.sides[0][1].terms[0].cells
    assert list(cells) == [1, 2, 3]
    assert [id.split("-s")[0] for (id,) in cells.values()] == ["width64-xlm-7"] * 3


def test_a_value_may_be_the_first_or_the_last_of_its_axis(tmp_path: Path) -> None:
    comparison = bound(
        tmp_path,
        "of: {block: sizes, encoder.width: last}, above: {block: sizes, encoder.width: first}",
    )
    assert names(comparison) == ["sizes, width 64", "sizes, width 16"]


def test_a_point_may_be_the_first_or_the_last_of_its_block(tmp_path: Path) -> None:
    of = "{block: grown, languages: xlm-15, point: last}"
    comparison = bound(tmp_path, f"of: {of}, above: {{block: grown, point: first}}")
    assert [name.split(", ")[0] for name in names(comparison)] == ["grown", "grown"]
    assert "width 32" in names(comparison)[0] and "xlm-15" in names(comparison)[0]
    assert "width 16" in names(comparison)[1] and "xlm-7" in names(comparison)[1]
    with pytest.raises(StudyError, match="expected first or last, found 2"):
        bound(tmp_path, f"of: {{block: grown, point: 2}}, above: {NARROW}")


def test_text_is_a_source_or_what_a_generated_one_is_made_after(tmp_path: Path) -> None:
    of = "{block: sizes, text: wikipedia, encoder.width: 64}"
    assert names(bound(tmp_path, f"of: {of}, above: {NARROW}"))[0] == "sizes, wikipedia, width 64"


def test_a_difference_of_differences_is_a_sum_of_four_terms(tmp_path: Path) -> None:
    low = f"{{over: [sw, ur], difference: [{WIDE}, {NARROW}]}}"
    high = f"{{over: [en, fr], difference: [{WIDE}, {NARROW}]}}"
    comparison = bound(tmp_path, f"of: {low}, above: {high}")
    signs = [weight * term.weight for weight, side in comparison.sides for term in side.terms]
    assert signs == [1, -1, -1, 1]
    assert comparison.over == ("en", "fr", "sw", "ur")
    assert names(comparison)[0] == "sizes, width 64, over sw, ur minus sizes, width 16, over sw, ur"


def test_a_trend_is_the_change_of_a_fitted_line(tmp_path: Path) -> None:
    comparison = bound(tmp_path, "of: {block: sizes}, rises along: encoder.width")
    assert names(comparison) == ["sizes, width 64", "sizes, width 16", "sizes, width 32"]
    # A line through three points: the middle one does not count.
    assert [weight for weight, _ in comparison.sides] == [1, -1, 0]


def test_a_trend_may_run_along_the_milestones(tmp_path: Path) -> None:
    text = f"{{metric: bits_per_byte, over: xlm-7, of: {WIDE}, falls along: milestone}}"
    assert "not scored at its milestones" in absent(tmp_path, text)
    kept = CELLS.replace("evaluation: {languages: xlm-7}", "evaluation: {milestones: true}")
    (claim,) = study(tmp_path, text, cells=kept).bound_claims
    at = [term.milestone for term in claim.comparisons[0].terms]
    assert at == [None, 10, 20]


def test_a_mean_over_points_takes_each_language_where_it_is_scored(tmp_path: Path) -> None:
    comparison = bound(
        tmp_path,
        "of: {block: alone, averaged: languages, over: [en, sw]}, "
        "below: {block: sizes, encoder.width: 16, over: [en, sw]}",
    )
    assert len(comparison.sides[0][1].terms[0].cells[1]) == 2
    swahili = "{block: alone, averaged: languages, over: [sw]}"
    comparison = bound(tmp_path, f"of: {swahili}, above: {NARROW}")
    assert list(comparison.sides[0][1].terms[0].cells.values()) == [
        (cell.id,)
        for cell in study(tmp_path).expansion.members["alone"]
        if cell.config.languages == ["sw"]
    ]


def test_a_claim_may_be_several_comparisons(tmp_path: Path) -> None:
    middle = "{block: sizes, encoder.width: 32}"
    (claim,) = study(tmp_path, expect(f"of: {WIDE}, above: [{NARROW}, {middle}]")).bound_claims
    assert [names(each)[1] for each in claim.comparisons] == ["sizes, width 16", "sizes, width 32"]


MISTAKES = {
    "two verbs": (
        f"of: {WIDE}, above: {NARROW}, below: {NARROW}",
        "expected `of` and one of above",
    ),
    "no verb": (f"of: {WIDE}", "expected `of` and one of above, below, on par with"),
    "a misspelt verb": (f"of: {WIDE}, abov: {NARROW}", r"unknown key \(did you mean above\?\)"),
    "on par without a margin": (f"of: {WIDE}, on par with: {NARROW}", "expected a `margin`"),
    "a margin below 0": (f"of: {WIDE}, above: {NARROW}, margin: -1", "a number above 0"),
    "no block": (f"of: {{encoder.width: 64}}, above: {NARROW}", "expected a `block`"),
    "a misspelt block": (f"of: {{block: size}}, above: {NARROW}", r"did you mean sizes\?"),
    "a misspelt axis": (
        f"of: {{block: sizes, encoder.widht: 64}}, above: {NARROW}",
        r"did you mean encoder\.width",
    ),
    "an axis of another block": (
        f"of: {{block: alone, tokenizer.alpha: 0.3}}, above: {NARROW}",
        "tokenizer.alpha is no axis of block 'alone' at any scale; expected one of languages",
    ),
    "a value that is nowhere": (
        f"of: {{block: sizes, encoder.width: 65}}, above: {NARROW}",
        "no point of block 'sizes' has 65 at any scale.*; expected one of 16, 32, 64",
    ),
    "a value of another type": (
        f"of: {{block: sizes, encoder.width: wide}}, above: {NARROW}",
        "expected int, found 'wide'",
    ),
    "two points": (
        f"of: {{block: grown, languages: xlm-15}}, above: {NARROW}",
        r"could mean 2 points of block 'grown', which differ in encoder.width \(16, 32\): give a "
        "value, or say averaged: encoder.width",
    ),
    "a metric that is none": (
        f"metric: xnli.acuracy, of: {WIDE}, above: {NARROW}",
        r"unknown metric 'xnli.acuracy' \(did you mean xnli.accuracy",
    ),
    "metrics of two units": (
        f"metric: xnli.accuracy, of: {WIDE}, "
        "above: {block: sizes, encoder.width: 16, metric: bits_per_byte}",
        "expected metrics of one unit, found bits/byte and points",
    ),
    "a regime that is none": (
        f"of: {WIDE}, above: {NARROW}, regime: zero",
        "unknown regime 'zero'",
    ),
    "a language set that is none": (
        f"over: xlm-8, of: {WIDE}, above: {NARROW}",
        "unknown language set 'xlm-8'",
    ),
    "a difference of three": (
        f"of: {{difference: [{WIDE}, {WIDE}, {WIDE}]}}, above: {NARROW}",
        "expected two points, the first minus the second, found 3",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    text, message = MISTAKES[name]
    own = text.partition("of:")[0]
    shared = ("" if "metric:" in own else "metric: xnli.accuracy, ") + (
        "" if "over:" in own else "over: xlm-7, "
    )
    with pytest.raises(StudyError) as caught:
        study(tmp_path, f"{{{shared}{text}}}")
    told = str(caught.value)
    assert re.search(message, told), told
    assert re.match(r"made\.yaml:17: claims\[0\]\.expect", told), told


def test_a_misspelt_text_is_told(tmp_path: Path) -> None:
    misspelt = "{block: sizes, text: wikipedai, encoder.width: 64}"
    with pytest.raises(StudyError, match=r"text 'wikipedai' \(did you mean wikipedia\?\)"):
        study(tmp_path, expect(f"of: {misspelt}, above: {NARROW}"))
    other = "{block: sizes, text: cc100, encoder.width: 64}"
    told = absent(tmp_path, expect(f"of: {other}, above: {NARROW}"))
    assert told == "block 'sizes' is trained on wikipedia at this scale, not on cc100"


def test_a_claim_is_told_once_and_says_what_it_measures(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="expected `over`, here or beside `of`"):
        study(tmp_path, f"{{metric: xnli.accuracy, of: {WIDE}, above: {NARROW}}}")
    text = expect(f"of: {WIDE}, above: {NARROW}")
    with pytest.raises(StudyError, match="expected each claim once, found 'claim 1'"):
        study(tmp_path, text, more=f"  - {{says: claim 1, expect: {text}}}\n")


SCALES = """\
scales:
  laptop: {}
  small:
    blocks: [sizes]
    axes: [{name: sizes, product: {encoder.width: [16, 32]}}]
    cell: {tasks: {xnli: null}}
"""


def test_what_another_scale_has_does_not_apply_here(tmp_path: Path) -> None:
    bits = f"{{metric: bits_per_byte, over: xlm-7, of: {WIDE}, below: {NARROW}}}"
    told = absent(tmp_path, bits, more=SCALES, scale="small")
    assert told == "block 'sizes' has no point there with encoder.width 64, but 16, 32"
    grown = "{block: grown, languages: xlm-15, encoder.width: 16}"
    told = absent(tmp_path, expect(f"of: {grown}, below: {NARROW}"), more=SCALES, scale="small")
    assert told == "block 'grown' is not run at this scale"


def test_what_is_not_scored_does_not_apply(tmp_path: Path) -> None:
    both = "of: {block: sizes, encoder.width: last}, above: {block: sizes, encoder.width: first}"
    told = absent(tmp_path, expect(both), more=SCALES, scale="small")
    assert told == "sizes, width 32: xnli is not among its tasks"
    told = absent(tmp_path, expect(f"regime: translate-train, {both}"))
    assert told.endswith("xnli is not scored translate-train")
    greek = f"{{metric: xnli.accuracy, over: [el], {both}}}"
    assert absent(tmp_path, greek).endswith("it is not scored in el")


def test_a_cell_is_not_compared_with_itself(tmp_path: Path) -> None:
    same = "{block: grown, languages: xlm-7, encoder.width: 16}"
    told = absent(tmp_path, expect(f"of: {NARROW}, above: {same}"))
    assert told.startswith("both sides are the same cells at this scale")
