"""docs/claims.md: its table of power and its list of claims are current."""

from pathlib import Path

import pytest

from grid.claims.page import claims_list, current, power_table

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRID_STORE", raising=False)


def test_the_page_is_current() -> None:
    """If not: python -m grid.claims.page docs/claims.md"""
    page = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    assert current(page) == page


def test_the_studies_have_enough_claims_and_each_applies_somewhere() -> None:
    rows = [line for line in claims_list(ROOT / "studies") if line.startswith("| ")]
    claims = [row for row in rows if not row.startswith("| claim |")]
    assert len([row for row in claims if "laptop" in row.rsplit("|", 2)[1]]) >= 14
    assert [row for row in claims if "no scale" in row] == []


def test_power_grows_with_seeds_and_falls_with_claims() -> None:
    rows = [row.strip("| ").split(" | ") for row in power_table()][2:]
    effects = {row[0]: [float(cell) for cell in row[1:]] for row in rows}
    assert all(row == sorted(row) for row in effects.values())
    assert effects["3, 3"] > effects["3, 5"] > effects["3, 8"]
    assert effects["5, 5"] < effects["3, 5"]


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="power: begin"):
        current("# Claims")
