"""`why`: the fields in which cells and artifacts differ; what a changed study leaves behind."""

import json
from pathlib import Path

import polars as pl
import pytest

import grid as grid_package
from grid import wanted, why
from grid.store import Store
from tests.grid.own_trainer import STUDY, grid, write

TWO = ["axes.rates.product.commands.mine.settings.rate=[1]"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("why")
    write(folder)
    result = grid(folder, "run", "own.yaml")
    assert result.returncode == 0, result.stderr
    return folder


def rows(text: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(text)
    return found


def test_two_cells_differ_in_their_axis_and_nothing_else(ran: Path) -> None:
    result = grid(ran, "why", "own.yaml", "1", "2", "--format", "json")
    assert result.returncode == 0
    (row,) = rows(result.stdout)
    assert list(row.values()) == ["commands.mine.settings.rate", "1", "2"]
    same = grid(ran, "why", "own.yaml", "2", "2")
    assert same.returncode == 0 and same.stdout == "" and "are one cell" in same.stderr


def test_an_input_that_differs_is_followed_down_to_the_field(ran: Path) -> None:
    other = ["cell.corpus.synthetic.concepts=70", "cell.tokenizer.alpha=0.5", "--store", "other"]
    assert grid(ran, "run", "own.yaml", *TWO, *other).returncode == 0
    (one,) = [
        path
        for path in ran.glob("runs/artifacts/command/*/*")
        if json.loads((path / "config.json").read_text())["config"]["cell"]["commands"]["mine"][
            "settings"
        ]["rate"]
        == 1
    ]
    (two,) = ran.glob("other/artifacts/command/*/*")
    result = grid(ran, "why", one, two, "--format", "json")
    found = {next(iter(row.values())): tuple(row.values())[1:] for row in rows(result.stdout)}
    assert found == {
        "cell.corpus.synthetic.concepts": ("60", "70"),
        "cell.tokenizer.alpha": ("0.3", "0.5"),
        "tokenizer: tokenizer.alpha": ("0.3", "0.5"),
        "corpus: synthetic.concepts": ("60", "70"),
    }, "each field once, however many inputs lead to it"


def test_artifacts_are_found_by_key_beginning_and_path(ran: Path) -> None:
    (key,) = (path.name for path in ran.glob("runs/artifacts/tokenizer/*/*"))
    for name in (
        key,
        f"tokenizer/{key}",
        key[:-8],
        f"runs/artifacts/tokenizer/{key[-16:-14]}/{key}",
    ):
        same = grid(ran, "why", name, key)
        assert same.returncode == 0 and f"they are equal: {key}" in same.stderr
    shards = grid(ran, "why", "shards/en", "shards/sw", "--format", "csv").stdout.splitlines()
    assert shards[1:] == ["language,en,sw", "corpus: language,en,sw"]
    for wrong, told in (
        ((key, "gone-1"), "artifact 'gone-1' is not in the store"),
        (("shards/", key), "could be any of 2: shards/en"),
        ((key, "corpus/en"), "expected two artifacts of one stage, found tokenizer and corpus"),
        (("own.yaml", "1"), "expected two cells of own.yaml, found one"),
        ((key,), "expected STUDY CELL CELL, or two artifacts"),
    ):
        result = grid(ran, "why", *wrong)
        assert result.returncode == 2 and told in result.stderr, result.stderr


def test_a_changed_default_and_a_new_version_name_what_they_orphan(
    ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ran)
    assert "not used any more" not in grid(ran, "plan", "own.yaml").stderr
    changed = "cell.tokenizer.character_coverage=0.99"
    plan = grid(ran, "plan", "own.yaml", changed)
    assert "5 artifacts of its last run are not used any more" in plan.stderr
    assert "2 command, 2 shards, 1 tokenizer" in plan.stderr
    assert "tokenizer.character_coverage was 0.98, is 0.99" in plan.stderr
    told = grid(ran, "why", "own.yaml", changed, "--format", "csv").stdout
    assert sorted(pl.read_csv(told.encode())["stage"].unique()) == [
        "command",
        "shards",
        "tokenizer",
    ]
    assert "every artifact of its last run is used" in grid(ran, "why", "own.yaml").stderr

    site = (ran / "grid.yaml").read_text()
    (ran / "newer.yaml").write_text(site.replace("version: 1", "version: 2"))
    study = grid_package.load("own.yaml", site="newer.yaml")
    graph, store = study.graph(), study.open_store()
    orphans = wanted.explain(study, graph, store, wanted.orphaned(study, graph, store))
    assert [orphan.stage for orphan in orphans] == ["command"] * 2
    for orphan in orphans:
        (difference,) = orphan.differences
        assert (difference.field, difference.a, difference.b) == ("version", "1", "2")
        assert ("command", orphan.successor) in graph.stages


def test_what_is_not_asked_for_any_more_has_no_successor(ran: Path) -> None:
    told = grid(ran, "why", "own.yaml", *TWO, "--format", "json").stdout
    (row,) = rows(told)
    assert (row["stage"], row["now"], row["field"]) == ("command", None, None)
    assert "nothing takes their place" in grid(ran, "plan", "own.yaml", *TWO).stderr
    fresh = grid(ran, "why", "own.yaml", "--store", "nowhere")
    assert "own has not run at scale laptop" in fresh.stderr


def test_a_stage_version_is_a_field(ran: Path) -> None:
    store = Store(ran / "runs")
    (key,) = store.published("tokenizer")
    record = why.of_folder(store.path("tokenizer", key))
    newer = why.Record(stage="tokenizer", version=9, config=record.config, inputs=record.inputs)
    records = why.Records(store=store)
    (difference,) = why.artifacts(record, newer, records, records)
    assert difference.field == "version" and difference.b == 9


def test_a_damaged_list_is_a_message(ran: Path) -> None:
    (ran / "damaged.yaml").write_text(STUDY)
    folder = ran / "runs" / "studies" / "damaged" / "laptop"
    folder.mkdir(parents=True)
    (folder / "stages.json").write_text("{")
    result = grid(ran, "plan", "damaged.yaml")
    assert result.returncode == 2 and "stages.json: cannot be read" in result.stderr
