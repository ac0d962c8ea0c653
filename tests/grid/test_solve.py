"""Solved values: what is held is held within its tolerance, or the study is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import grid
from grid import sizes
from grid.errors import StudyError
from grid.solve import HOLDS, SOLVABLE, Shape, Solve, solved
from grid.tree import Node
from model.config import EncoderConfig, PretrainingConfig

HEAD = "cell: {languages: [en, de], encoder: {size: base}}\n"
FIGURE_6 = (
    "axes:\n  - name: fixed capacity\n    product:\n"
    "      tokenizer.vocab_size: geom(32k, 512k, 5)\n"
    "    solve: {encoder.width: %s}\n"
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(body: str, *overrides: str) -> "grid.study.Study":
    Path("study.yaml").write_text(HEAD + body, encoding="utf-8")
    return grid.load("study.yaml", *overrides)


def refused(body: str) -> str:
    with pytest.raises(StudyError) as caught:
        load(body)
    return str(caught.value)


def block(solve: str, axes: str = "product: {sampling.alpha: [0.3, 0.7]}") -> str:
    return f"axes: [{{name: a, {axes}, solve: {{{solve}}}}}]\n"


def test_figure_6_comes_out_of_the_formula_before_rounding() -> None:
    """Conneau et al. 2020, Figure 6: the capacity of BERT-Base with 128k pieces, 183.2M."""
    solve = "{hold: formula_parameters, at: {tokenizer.vocab_size: 128k}, multiple_of: 1}"
    study = load(FIGURE_6 % solve, "cell.encoder.heads=1", "cell.encoder.width=768")
    assert [cell.config.encoder.width for cell in study.cells] == [1022, 928, 768, 547, 328]
    assert {cell.solved["encoder.width"].target for cell in study.cells} == {183_238_656}


def test_figure_6_with_twelve_heads_stays_within_its_tolerance() -> None:
    solve = "{hold: formula_parameters, at: 183.2M, within: 1.5%, multiple_of: 12}"
    study = load(FIGURE_6 % solve)
    assert [cell.config.encoder.width for cell in study.cells] == [1020, 924, 768, 552, 324]
    assert study.paths == ("tokenizer.vocab_size", "encoder.width")
    assert study.cells[0].coordinates == {"tokenizer.vocab_size": 32_000, "encoder.width": 1020}
    for cell in study.cells:
        found = cell.solved["encoder.width"]
        assert found.actual == sizes.formula_parameters(
            cell.config.encoder, cell.config.tokenizer.vocab_size
        )
        assert abs(found.actual - found.target) <= 0.015 * found.target
    plan = study.plan()
    assert plan["target formula_parameters"].to_list() == [183_200_000.0] * 5
    assert plan["actual formula_parameters"][2] == 183_238_656


def test_out_of_tolerance_names_the_target_and_the_nearest() -> None:
    solve = "{hold: formula_parameters, at: 183.2M, within: 1%, multiple_of: 12}"
    assert refused(FIGURE_6 % solve) == (
        "study.yaml:6: solve.encoder.width: nothing within 1 % of formula_parameters 183,200,000: "
        "the nearest multiple of 12 is 552, which has 185,189,376 (+1.09%); widen `within` or "
        "change `multiple_of` (block 'fixed capacity' at tokenizer.vocab_size=256000)"
    )


def test_heads_may_follow_the_width() -> None:
    solve = "{hold: formula_parameters, at: 183.2M, within: 12%, head_size: 64}"
    study = load(FIGURE_6 % solve)
    encoders = [cell.config.encoder for cell in study.cells]
    assert [encoder.width for encoder in encoders] == [1024, 896, 768, 576, 320]
    assert all(encoder.heads == encoder.width // 64 for encoder in encoders)


def test_each_solution_sees_the_one_before() -> None:
    """Updates are cut so that a wider model of the same size costs the same compute."""
    text = block(
        "encoder.layers: {hold: non_embedding_parameters, at: {}, within: 20%}, "
        "pretraining.updates: {hold: training_flops, at: {}}",
        "product: {encoder.width: [384, 768, 1536]}",
    )
    cells = load(text).cells
    assert [cell.config.encoder.layers for cell in cells] == [48, 12, 3]
    assert cells[1].config.pretraining.updates == 1_500_000
    assert {cell.solved["pretraining.updates"].target for cell in cells} == {
        cells[1].solved["pretraining.updates"].actual
    }
    for cell in cells:
        rows = sizes.embedding_rows(250_000, cell.config.encoder)
        flops = sizes.training_flops(cell.config.encoder, rows, cell.config.pretraining)
        assert flops == cell.solved["pretraining.updates"].actual


def test_tokens_are_held_by_updates() -> None:
    text = block(
        "pretraining.updates: {hold: tokens, at: 10B, within: 0.1%}",
        "product: {pretraining.batch_size: [2048, 8192]}",
    )
    assert [cell.config.pretraining.updates for cell in load(text).cells] == [9537, 2384]


def test_show_says_where_a_solved_value_comes_from() -> None:
    from grid.origins import origins_frame

    solve = "{hold: formula_parameters, at: 183.2M, within: 1.5%}"
    study = load(FIGURE_6 % solve)
    rows = {row["key"]: row for row in origins_frame(study, study.cells[0]).to_dicts()}
    assert rows["encoder.width"] == {
        "key": "encoder.width",
        "written": "study.yaml:6",
        "value": "1020",
    }


def test_show_says_what_was_held(capsys: pytest.CaptureFixture[str]) -> None:
    from grid.cli import main

    load(FIGURE_6 % "{hold: formula_parameters, at: 183.2M, within: 1.5%}")
    assert main(["show", "study.yaml", "4"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "encoder.width is solved for: formula_parameters 185,189,376, held at 183,200,000 (+1.09%)"
    )


def test_a_solution_may_be_overridden() -> None:
    solve = "{hold: formula_parameters, at: 183.2M, within: 1.5%}"
    study = load(
        FIGURE_6 % solve,
        "axes.fixed capacity.solve.encoder.width.at=100M",
        "axes.fixed capacity.product.tokenizer.vocab_size=[32k]",
    )
    assert study.cells[0].solved["encoder.width"].target == 100_000_000


def test_an_override_of_a_solved_value_is_refused_unless_the_target_depends_on_it() -> None:
    with pytest.raises(StudyError, match=r"cell.encoder.width: has no effect"):
        load(FIGURE_6 % "{hold: parameters, at: 100M, within: 5%}", "cell.encoder.width=96")
    study = load(FIGURE_6 % "{hold: parameters, at: {}, within: 9%}", "cell.encoder.width=384")
    assert study.cells[0].solved["encoder.width"].target < 130_000_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (block("encoder.widht: {hold: tokens, at: 1}"), "(did you mean encoder.width?)"),
        (block("sampling.alpha: {hold: tokens, at: 1}"), "cannot be solved for; expected one of"),
        (block("encoder.width: {at: 1}"), "axes[a].solve.encoder.width: expected `hold`"),
        (block("encoder.width: {hold: parameters}"), "expected `at`"),
        (block("encoder.width: {hold: paramters, at: 1}"), "(did you mean parameters"),
        (
            block("encoder.width: {hold: tokens, at: 1}"),
            "tokens does not depend on encoder.width; it grows with pretraining.updates",
        ),
        (block("encoder.width: {hold: parameters, at: 0}"), "expected more than 0, found 0"),
        (block("encoder.width: {hold: parameters, at: many}"), "expected float, found 'many'"),
        (block("encoder.width: {hold: parameters, at: 1M, within: 5}"), "a share such as 1.5%"),
        (block("encoder.width: {hold: parameters, at: 1M, multiple_of: 0}"), "at least 1, found 0"),
        (
            block("encoder.layers: {hold: parameters, at: 1M, head_size: 64}"),
            "goes with encoder.width only",
        ),
        (
            block("encoder.width: {hold: parameters, at: 1M}", "product: {encoder.width: [12]}"),
            "encoder.width is an axis of this block as well",
        ),
        (
            block("encoder.width: {hold: parameters, at: {encoder.norm: pre}}"),
            "at.encoder.norm: unknown key",
        ),
        (block("encoder.width: {hold: parameters, at: {encoder.size: xlarge}}"), "unknown size"),
        (
            block("pretraining.updates: {hold: tokens, at: {pretraining.updates: 0}}"),
            "expected more than 0, found tokens of 0 there",
        ),
        (
            block("encoder.layers: {hold: parameters, at: 1M}"),
            "the nearest whole number is 1, which has",
        ),
    ],
)
def test_a_mistaken_solution_is_refused(body: str, message: str) -> None:
    assert message in refused(body)


@given(
    hold=st.sampled_from(sorted(HOLDS)),
    path=st.sampled_from(SOLVABLE),
    exponent=st.floats(0, 14),
    within=st.floats(0, 0.5),
    multiple=st.integers(1, 64),
    layers=st.integers(1, 48),
    vocabulary=st.integers(8, 500_000),
)
def test_a_solution_meets_its_tolerance_and_is_the_nearest_or_raises(
    hold: str,
    path: str,
    exponent: float,
    within: float,
    multiple: int,
    layers: int,
    vocabulary: int,
) -> None:
    if path not in HOLDS[hold][1]:
        return
    target = 10**exponent
    solve = Solve(
        path=path, hold=hold, at=target, reference={}, within=within, multiple_of=multiple,
        head_size=None, node=Node({}),
    )  # fmt: skip
    at = Shape(
        encoder=EncoderConfig(layers=layers, width=64, heads=1),
        pretraining=PretrainingConfig(updates=100, batch_size=8, sequence_length=16),
        vocab_size=vocabulary,
    )

    def held(value: int) -> float:
        return HOLDS[hold][0](at.having(path, value))

    try:
        found = solved(solve, at, target, 1, "")
    except StudyError:
        # Nothing legal lies on either side within the tolerance.
        count = 1
        while held(count * multiple) < target:
            count *= 2
        low, high = count // 2, count
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if held(middle * multiple) < target else (low, middle)
        near = [held(c * multiple) for c in (low, high) if c > 0]
        assert all(abs(value - target) > within * target for value in near)
        return
    assert found.value % multiple == 0
    assert found.actual == held(found.value)
    off = abs(found.actual - target)
    assert off <= within * target
    for neighbour in (found.value - multiple, found.value + multiple):
        assert neighbour < 1 or off <= abs(held(neighbour) - target)
