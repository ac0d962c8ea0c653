"""Adding seeds: which claim comes next, what is remembered, and the whole way by the command."""

import json
import subprocess
import sys
from pathlib import Path

import polars
import pytest

import grid
from grid.claims import UNDECIDED, Verdicts, read, settle
from grid.claims.added_seeds import FILE, AddedSeeds, write
from grid.claims.judge import judge
from grid.errors import StoreError
from grid.study import Study
from tests.grid.claims.made_up import NARROW, WIDE, results, study
from tests.grid.claims.test_judge import expect, gaining
from tests.grid.test_run import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[3]
MIDDLE = "{block: sizes, encoder.width: 32}"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRID_STORE", raising=False)


def judged(made: Study, frame: polars.DataFrame) -> Verdicts:
    return Verdicts(
        study=made.name,
        scale=made.scale,
        judged_at="",
        results_sha256=None,
        seeds=made.seeds,
        alpha=0.05,
        procedure="",
        claims=judge(made.bound_claims, frame, made.seeds, made.declared_seeds),
    )


def test_the_cheapest_undecided_claim_comes_first(tmp_path: Path) -> None:
    """The first claim is decided; of the others the one without the widest encoder is cheaper."""
    texts = [f"of: {WIDE}, above: {NARROW}", f"of: {WIDE}, below: {MIDDLE}"]
    made = study(tmp_path, *map(expect, [*texts, f"of: {MIDDLE}, above: {NARROW}"]))

    def accuracy(width: int, seed: int, language: str) -> float:
        wide = 0.2 if width == 64 else 0.0
        return gaining(0.0)(width, seed, language) + wide + 0.01 * (width == 32) * (seed != 2)

    verdicts = judged(made, results(made, accuracy))
    assert [claim.verdict for claim in verdicts.claims][2] == UNDECIDED
    open_ = {claim.says for claim in verdicts.claims if claim.verdict == UNDECIDED}
    ahead = settle.outlook(made, verdicts, most=12)
    assert {step.says for step in ahead.steps} | set(ahead.left) == open_
    hours = [step.device_hours for step in ahead.steps]
    assert hours == sorted(hours)
    assert ahead.steps[0].seeds == (1, 2, 3, 4, 5)
    assert ahead.steps[0].device_hours > 0


def test_a_look_that_left_no_score_is_not_taken_again(tmp_path: Path) -> None:
    made = study(tmp_path, expect(f"of: {WIDE}, above: {NARROW}"))
    nothing = results(made, lambda w, s, _: float("nan") if w == 64 else 0.5)
    ahead = settle.outlook(made, judged(made, nothing), most=12)
    assert [len(step.seeds) for step in ahead.steps] == [3]
    after = settle.without(ahead, {("claim 1", 3)})
    assert after.steps == ()
    assert after.left == {"claim 1": "a cell of it has run, and has no score"}


def test_no_seeds_are_added_beyond_the_most_or_without_hope(tmp_path: Path) -> None:
    made = study(tmp_path, expect(f"of: {WIDE}, above: {NARROW}"))
    hopeful = judged(made, results(made, lambda w, s, _: 0.01 * s * (w == 64)))
    assert settle.outlook(made, hopeful, most=4).left == {
        "claim 1": "its next look is at 5 seeds, more than 4"
    }
    hopeless = judged(made, results(made, lambda w, s, _: (0.01, -0.02, 0.0101)[s - 1] * w / 64))
    assert settle.outlook(made, hopeless, most=12).left == {
        "claim 1": "50 seeds would hardly decide it"
    }


def test_added_seeds_are_remembered_and_the_command_line_wins(tmp_path: Path) -> None:
    made = study(tmp_path, expect(f"of: {WIDE}, above: {NARROW}"))
    grown = settle.add(made, (1, 2, 3, 4, 5))
    assert json.loads((made.folder / FILE).read_text()) == {"declared": 3, "added": [4, 5]}
    again = grid.load(made.file, store=made.store)
    assert again.seeds == grown.seeds == (1, 2, 3, 4, 5)
    assert again.declared_seeds == 3
    assert again.notes == ["added to settle its claims: seeds 4, 5"]
    named = grid.load(made.file, "replicates.seed=[7, 8]", store=made.store)
    assert (named.seeds, named.declared_seeds) == ((7, 8), 2)
    assert grid.load(made.file, store=tmp_path / "other").seeds == (1, 2, 3)


def test_declaring_added_seeds_later_does_not_take_the_looks_back(tmp_path: Path) -> None:
    made = study(tmp_path, expect(f"of: {WIDE}, above: {NARROW}"))
    settle.add(made, (1, 2, 3, 4, 5))
    made.file.write_text(made.file.read_text().replace("[1, 2, 3]", "[1, 2, 3, 4]"))
    again = grid.load(made.file, store=made.store)
    assert (again.seeds, again.declared_seeds) == ((1, 2, 3, 4, 5), 3)


def test_a_damaged_list_of_seeds_is_told(tmp_path: Path) -> None:
    made = study(tmp_path, expect(f"of: {WIDE}, above: {NARROW}"))
    write(made.folder, AddedSeeds(declared=3, added=(4,)))
    (made.folder / FILE).write_text('{"declared": 3, "added": ["4"]}')
    with pytest.raises(StoreError, match="remove the file"):
        grid.load(made.file, store=made.store)


REAL = """\
cell:
  languages: [en, sw]
  corpus: {synthetic: {size: 30_000, smallest: 20_000, concepts: 60}}
  tokenizer: {vocab_size: 120, sample_bytes: 40_000}
  encoder: {layers: 1, width: 8, heads: 2, norm: pre, max_positions: 32}
  pretraining: {updates: 2, batch_size: 2, sequence_length: 16, precision: fp32}
  evaluation: {max_bytes: 300, passes: 1}
axes:
  - {name: sizes, product: {encoder.width: [8, 16]}}
  - {name: other, product: {encoder.width: [32]}}
claims:
  - says: A model is worse than counting
    expect:
      metric: bits_per_byte
      over: [en, sw]
      of: {block: sizes, encoder.width: 8}
      above: {block: sizes, encoder.width: 8, metric: unigram_bits_per_byte}
"""


def call(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "grid", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_study_is_settled_from_the_command_line(tmp_path: Path) -> None:
    """One seed was declared; two more are run, of the claim's cells alone, and it is decided."""
    (tmp_path / "study.yaml").write_text(REAL)
    ran = call(tmp_path, "run", "study.yaml", "--workers", "1")
    assert ran.returncode == 0, ran.stderr
    assert "undecided: A model is worse than counting: +" in ran.stderr
    settled = call(tmp_path, "claims", "study.yaml", "--settle", "--budget", "1h", "--workers", "1")
    assert settled.returncode == 0, settled.stderr
    assert "every claim that applies is decided" in settled.stderr
    lines = settled.stdout.splitlines()
    assert lines[0] == "claims of study, scale laptop: 1 holds"
    assert lines[1] == "holds           A model is worse than counting"
    verdicts = read(tmp_path / "runs" / "studies" / "study" / "laptop")
    assert verdicts is not None and verdicts.seeds == (1, 2, 3)
    states = grid.load("study.yaml").plan().filter(polars.col("encoder.width") == 32)["state"]
    assert states.to_list() == ["done", "to run", "to run"]
    rows = json.loads(call(tmp_path, "claims", "study.yaml", "--format", "json").stdout)
    assert [(row["verdict"], row["seeds"]) for row in rows] == [("holds", 3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "1h"], "--budget: expected --settle beside it"),
        (["--dry-run"], "--dry-run: expected --settle beside it"),
        (["--settle", "--dry-run"], "--dry-run: expected --launcher slurm"),
        (["--settle", "replicates.seed=[1]"], "--settle: expected no replicates"),
        (["--settle", "other.yaml"], "--settle: expected one study, found several"),
        (["--settle", "--budget", "soon"], "expected device hours, such as 2h or 90m"),
        (["--settle", "--launcher", "slurm"], "--budget: expected device hours"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "study.yaml").write_text(REAL)
    refused = call(tmp_path, "claims", "study.yaml", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr
