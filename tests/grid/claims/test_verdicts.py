"""claims.json: written, read again, and refused when it is damaged."""

import json
from pathlib import Path

import pytest

from grid.claims import HOLDS, NOT_APPLICABLE, Comparison, Side, Verdict, Verdicts, read
from grid.claims.verdicts import CLAIMS, text
from grid.errors import StoreError

COMPARISON = Comparison(
    kind="below",
    metric="xnli.accuracy",
    over=("en", "fr"),
    unit="points",
    margin=None,
    of=Side(name="fixed width, languages xlm-100", cells=("a-1", "a-2", "a-3"), mean=51.0),
    against=(Side(name="fixed width, languages xlm-15", cells=("b-1", "b-2", "b-3"), mean=53.0),),
    seeds={1: -2.0, 2: -2.5, 3: -1.5},
    effect=-2.0,
    low=-3.24,
    high=-0.76,
    standardised=-4.0,
)
VERDICTS = Verdicts(
    study="curse",
    scale="laptop",
    judged_at="2026-01-01T00:00:00+00:00",
    results_sha256="0" * 64,
    seeds=(1, 2, 3),
    alpha=0.05,
    procedure="as documented",
    claims=(
        Verdict(
            says="It falls",
            source="Figure 2",
            figure="xlmr_figure_2",
            verdict=HOLDS,
            why="It is lower.",
            comparisons=(COMPARISON,),
            p=0.02,
            p_adjusted=0.02,
            seeds_needed=None,
        ),
        Verdict(
            says="It rises",
            source=None,
            figure=None,
            verdict=NOT_APPLICABLE,
            why="This scale has no such point.",
            comparisons=(),
            p=None,
            p_adjusted=None,
            seeds_needed=None,
        ),
    ),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / CLAIMS).write_text(text(VERDICTS))
    assert read(tmp_path) == VERDICTS
    assert VERDICTS.of_figure("xlmr_figure_2") == VERDICTS.claims[:1]


def test_a_claim_carries_its_first_comparison_in_the_file() -> None:
    claim = json.loads(text(VERDICTS))["claims"][0]
    assert claim["effect"] == -2.0
    assert claim["kind"] == "below"
    assert claim["of"]["cells"] == ["a-1", "a-2", "a-3"]


def test_an_effect_is_told_with_unit_interval_and_seeds() -> None:
    assert VERDICTS.claims[0].told_effect == "-2.00 points (-3.24 to -0.76, 3 seeds)"
    assert VERDICTS.claims[1].told_effect == ""


def test_a_study_that_was_not_judged_has_no_verdicts(tmp_path: Path) -> None:
    assert read(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"claims": [1]}'])
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / CLAIMS).write_text(content)
    with pytest.raises(StoreError, match="writes the file anew"):
        read(tmp_path)
