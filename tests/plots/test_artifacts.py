"""What figures take from a store besides results: curves, corpora, keys, verdicts."""

import json
from pathlib import Path

import polars
import pytest

from grid.claims import HOLDS, Comparison, Side, Verdict, Verdicts
from grid.claims.verdicts import CLAIMS, text
from grid.provenance import FILE
from grid.store import Store
from plots import cli
from plots.errors import FigureError
from plots.studies import StudyOutput, find_studies
from tests.grid.signed import sign
from tests.plots import frames
from tests.plots.store import fill

FRAME = frames.study("sampling_alpha")
CELLS = FRAME["cell"].unique().sort().to_list()


def artifact(store: Path, stage: str, key: str, name: str, content: object) -> None:
    folder = Store(store).path(stage, key)
    folder.mkdir(parents=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    sign(folder)


@pytest.fixture
def study(tmp_path: Path) -> StudyOutput:
    """The study on α with two pretrainings and one corpus, of which all cells are made."""
    folder = fill(tmp_path, FRAME, name="sampling_alpha", figures=("xlmr_figure_5",))
    rows = []
    for number, cell in enumerate(CELLS):
        key = f"model-{number:016x}"
        rows += [(cell, "pretraining", "pretraining", key), (cell, "corpus/sw", "corpus", "sw-00")]
        if number < 2:
            curve = [[1, 9.0, 100, {}], [2, 8.0 - number, 200, {}]]
            artifact(tmp_path, "pretraining", key, "curve.json", curve)
    artifact(tmp_path, "corpus", "sw-00", "corpus.json", {"language": "sw", "bytes": 512})
    polars.DataFrame(rows, schema=["cell", "role", "stage", "key"], orient="row").write_parquet(
        folder / FILE
    )
    return find_studies(tmp_path, None, None)[0]


def test_curves_are_those_of_the_pretrainings_that_are_there(study: StudyOutput) -> None:
    assert study.curves().rows() == [
        (CELLS[0], 1, 9.0),
        (CELLS[0], 2, 8.0),
        (CELLS[1], 1, 9.0),
        (CELLS[1], 2, 7.0),
    ]


def test_corpora_are_told_for_each_cell(study: StudyOutput) -> None:
    assert study.corpora().rows() == [(cell, "sw", 512) for cell in CELLS]


def test_a_damaged_artifact_is_named(study: StudyOutput) -> None:
    path = Store(study.store).path("corpus", "sw-00") / "corpus.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(FigureError, match=r"corpus\.json: the artifact is damaged"):
        study.corpora()


def test_a_store_of_before_has_neither(tmp_path: Path) -> None:
    fill(tmp_path, FRAME)
    old = find_studies(tmp_path, None, None)[0]
    assert old.provenance().is_empty() and old.curves().is_empty() and old.corpora().is_empty()


def test_the_sidecar_names_keys_and_revision_and_the_figure_its_verdicts(
    study: StudyOutput, capsys: pytest.CaptureFixture[str]
) -> None:
    side = Side(name="alpha 0.01", cells=tuple(CELLS[:3]), mean=50.0)
    effect = Comparison(
        kind="above",
        metric="xnli.accuracy",
        over=("sw", "ur"),
        unit="points",
        margin=None,
        of=side,
        against=(side,),
        seeds={1: -2.0, 2: -2.5, 3: -1.5},
        effect=-2.0,
        low=-3.24,
        high=-0.76,
        standardised=-4.0,
    )
    verdict = Verdict(
        says="Low-resource languages want a small α",
        source="Figure 5",
        figure="xlmr_figure_5",
        verdict=HOLDS,
        why="They do.",
        comparisons=(effect,),
        p=0.01,
        p_adjusted=0.02,
        seeds_needed=None,
    )
    verdicts = Verdicts(
        study="sampling_alpha",
        scale="laptop",
        judged_at="2026-01-01T00:00:00+00:00",
        results_sha256="0" * 64,
        seeds=(1, 2, 3),
        alpha=0.05,
        procedure="as documented",
        claims=(verdict,),
    )
    (study.folder / CLAIMS).write_text(text(verdicts), encoding="utf-8")
    assert cli.main(["--store", str(study.store), "xlmr_figure_5"]) == 0
    capsys.readouterr()
    beside = json.loads((study.folder / "figures" / "xlmr_figure_5.json").read_text("utf-8"))
    assert beside["keys"][CELLS[0]] == {"pretraining": "model-0000000000000000"}
    assert len(beside["keys"]) == len(CELLS) and beside["revision"]
    assert beside["claims"] == [
        {
            "verdict": "holds",
            "says": "Low-resource languages want a small α",
            "effect": "−2.00 points (−3.24 to −0.76, 3 seeds)",
        }
    ]
    assert "verdicts are on earlier results" in beside["footer"][0]


def test_a_single_column_has_files_of_its_own(
    study: StudyOutput, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--store", str(study.store), "xlmr_figure_5", "--layout", "single"]) == 0
    names = {Path(line).name for line in capsys.readouterr().out.splitlines()}
    assert names == {f"xlmr_figure_5_single.{suffix}" for suffix in ("png", "svg", "pdf", "json")}


def test_figures_of_studies_that_have_not_run_are_told_with_their_command(
    study: StudyOutput, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--store", str(study.store)]) == 0
    told = capsys.readouterr().err
    assert (
        "xlmr_figure_6: not in this store yet. Fill with: python -m grid run "
        f"studies/vocabulary_size.yaml --scale laptop --store {study.store}" in told
    )
    assert "xlmr_figure_5: not" not in told
