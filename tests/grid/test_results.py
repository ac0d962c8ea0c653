"""Results: what finished stages say, as one tidy frame; its summary; its file."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import grid
from grid.artifact import MANIFEST
from grid.errors import StoreError
from grid.graph import Graph
from grid.results import RESULTS, collect, publish, results_sha256
from grid.study import Study
from grid.study_files import damaged_files, parquet, read_frame, write_bytes, write_outputs
from grid.summary import summary
from grid.tables import as_text
from tests.grid.signed import sign

STUDY = """\
cell:
  languages: xlm-7
  evaluation: {languages: [en, fr, sw, ur, el]}
  encoder: {layers: 1, heads: 2}
  pretraining: {updates: 10, batch_size: 2, sequence_length: 8}
  tasks: {xnli: {}}
axes:
  - {name: width, product: {encoder.width: [8, 16]}}
  - {name: again, product: {encoder.width: [8]}}
replicates: {seed: [1, 2]}
"""
LANGUAGES = ("el", "en", "fr", "sw", "ur")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return grid.load(path, store=tmp_path / "runs")


def artifact(study: Study, id: tuple[str, str], **files: Any) -> None:
    folder = study.open_store().path(*id)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    sign(folder)


def finish(study: Study, number: int, *, evaluated: bool = True) -> None:
    """Writes the files of one cell's finished stages."""
    cell = study.cells[number - 1]
    roles = study.graph().cells[cell.id]
    seen = {"tokens": 100, "sequences": 20, "epochs": 0.5}
    artifact(
        study,
        roles["pretraining"],
        exposure={
            "languages": dict.fromkeys(cell.config.languages, seen),
            "updates": 10,
            "tokens": 700,
        },
        curve=[[5, 8.0, 350], [10, 7.5 + cell.seed, 700]],
    )
    if not evaluated:
        return

    def rows(task: str, values: dict[str, float]) -> list[dict[str, Any]]:
        return [
            {
                "task": task,
                "metric": metric,
                "language": code,
                "value": value + (code in ("sw", "ur")),
                "n": 50,
                "seen": code != "el",
            }
            for metric, value in values.items()
            for code in LANGUAGES
        ]

    scores = {"bits_per_byte": 2.0 + cell.seed, "unigram_bits_per_byte": 4.0, "coverage": 1.0}
    artifact(study, roles["evaluation"], scores=rows("likelihood", scores))
    artifact(study, roles["finetuning/xnli"], scores=rows("xnli", {"accuracy": 0.4}))


def test_the_frame_has_a_row_for_each_block_cell_metric_and_language(study: Study) -> None:
    for number in (1, 2, 3, 4):
        finish(study, number)
    frame = study.results()
    # Two cells stand in both blocks: 4 + 2, each with 3 pretraining rows and 4 x 5 scores.
    assert len(frame) == 6 * (3 + 4 * 5)
    assert frame.select("block", "cell").unique().height == 6
    row = frame.filter(
        (pl.col("block") == "width")
        & (pl.col("encoder.width") == 16)
        & (pl.col("seed") == 2)
        & (pl.col("metric") == "bits_per_byte")
        & (pl.col("language") == "sw")
    ).row(0, named=True)
    assert row["value"] == 5.0
    assert (row["n_languages"], row["tokens_seen"], row["epochs_seen"]) == (7, 100, 0.5)
    assert (row["n"], row["updates"], row["source"]) == (50, 10, "synthetic")
    assert (row["profile"], row["synthetic"], row["seen"]) == ("wikipedia", True, True)
    assert (row["study"], row["scale"]) == ("small", "laptop")


def test_an_unseen_language_has_no_exposure(study: Study) -> None:
    finish(study, 1)
    rows = study.results().filter(pl.col("language") == "el")
    assert rows["seen"].to_list() == [False] * len(rows)
    assert set(rows["tokens_seen"]) == {0}
    assert set(rows["epochs_seen"]) == {0.0}


def test_pretraining_rows_carry_the_last_loss_and_all_tokens(study: Study) -> None:
    finish(study, 1, evaluated=False)
    frame = study.results().filter(pl.col("block") == "width")
    assert frame["metric"].to_list() == ["tokens", "corpus_tokens", "final_loss"]
    assert frame["value"].to_list() == [700.0, 1400.0, 8.5], (
        "seven corpora of 200 tokens, half read"
    )
    assert frame["language"].to_list() == [None, None, None]


def test_nothing_finished_is_an_empty_frame_of_the_same_columns(study: Study) -> None:
    empty = study.results()
    assert empty.is_empty()
    finish(study, 1)
    assert study.results().schema == empty.schema


def test_the_summary_averages_groups_of_languages_then_seeds(study: Study) -> None:
    for number in (1, 2, 3):
        finish(study, number)
    table = summary(study.results(), study.paths)
    assert table.select("block", "encoder.width", "seeds").rows() == [
        ("width", 8, 2),
        ("width", 16, 1),
        ("again", 8, 2),
    ]
    first = table.row(0, named=True)
    assert first["bits/byte low"] == pytest.approx(4.5)
    assert first["bits/byte high"] == pytest.approx(3.5)
    # Not all of the seven are scored here, so `all` are the five that are.
    assert first["bits/byte all"] == pytest.approx(3.5 + 2 / 5)
    assert first["unigram all"] == pytest.approx(4.4)
    assert first["xnli"] == pytest.approx(0.8)
    assert first["tokens"] == 700
    assert "majority" not in table.columns  # never scored


def test_the_file_is_written_once_and_left_alone_when_nothing_changed(study: Study) -> None:
    finish(study, 1)
    publish(study, study.graph())
    path = study.folder / RESULTS
    assert read_frame(path).equals(study.results())
    before, checksum = path.stat().st_mtime_ns, results_sha256(study)
    publish(study, study.graph())
    assert path.stat().st_mtime_ns == before
    finish(study, 2)
    publish(study, study.graph())
    assert results_sha256(study) != checksum
    assert not list(study.folder.glob(".*"))
    description = json.loads((study.folder / "study.json").read_text())
    assert (description["name"], description["scale"]) == ("small", "laptop")
    assert read_frame(study.folder / "plan.parquet")["number"].to_list() == [1, 2, 3, 4]
    planned = read_frame(study.folder / "planned.parquet")
    assert planned["cell"].to_list() == [cell.id for cell in study.cells]
    assert planned["tasks"].to_list() == [["xnli/zero-shot"]] * 4
    assert planned["profile"].unique().to_list() == ["wikipedia"]
    assert planned["parameters"].to_list() == study.plan()["parameters"].to_list()


def test_results_are_collected_again_only_if_something_has_changed(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[str] = []

    def counted(of: Study, graph: Graph) -> pl.DataFrame:
        collected.append(of.name)
        return collect(of, graph)

    def published(of: Study) -> int:
        """How often that has collected; what is there is right in any case."""
        collected.clear()
        publish(of, of.graph())
        times = len(collected)
        assert read_frame(of.folder / RESULTS).equals(of.results())
        return times

    monkeypatch.setattr("grid.results.collect", counted)
    finish(study, 1)
    assert [published(study), published(study)] == [1, 0]

    finish(study, 2)  # another artifact
    assert [published(study), published(study)] == [1, 0]

    evaluation = study.open_store().path(*study.graph().cells[study.cells[0].id]["evaluation"])
    scores = json.loads((evaluation / "scores.json").read_text())
    (evaluation / "scores.json").write_text(json.dumps([{**scores[0], "value": 1.5}]))
    sign(evaluation)  # computed anew, and another one
    assert [published(study), published(study)] == [1, 0]
    described = (study.folder / "study.json").read_bytes()
    manifest = json.loads((evaluation / MANIFEST).read_text())
    (evaluation / MANIFEST).write_text(json.dumps({**manifest, "finished": "2020-01-01T00:00:00Z"}))
    sign(evaluation)  # computed anew, and the same
    artifact(study, study.graph().cells[study.cells[0].id]["tokenizer"])  # no score is in it
    assert published(study) == 0
    assert (study.folder / "study.json").read_bytes() == described

    study.file.write_text(STUDY.replace("{name: again,", "{name: once more,"), encoding="utf-8")
    renamed = grid.load(study.file, store=study.store)
    assert [published(renamed), published(renamed)] == [1, 0]

    monkeypatch.setattr("grid.made_from._code", lambda: "of another version")
    assert [published(renamed), published(renamed)] == [1, 0]

    for damaged in (RESULTS, "study.json"):
        (renamed.folder / damaged).write_bytes(b"not what was written")
        assert [published(renamed), published(renamed)] == [1, 0]
    (renamed.folder / RESULTS).unlink()
    assert [published(renamed), published(renamed)] == [1, 0]


def test_a_damaged_results_file_is_written_anew(study: Study) -> None:
    finish(study, 1)
    study.folder.mkdir(parents=True)
    (study.folder / RESULTS).write_bytes(b"not parquet")
    publish(study, study.graph())
    assert len(read_frame(study.folder / RESULTS)) > 0


def test_a_damaged_artifact_is_named(study: Study) -> None:
    cell = study.cells[0]
    roles = study.graph().cells[cell.id]
    artifact(study, roles["pretraining"])
    with pytest.raises(StoreError, match=r"exposure\.json: the artifact is damaged"):
        collect(study, study.graph())


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="a file is where a folder should be"):
        write_bytes(b"", tmp_path / "file" / "sub" / "results.parquet")


def test_a_table_is_aligned_text() -> None:
    frame = pl.DataFrame({"name": ["a", "bcd"], "value": [1.23456, None], "tokens": [7, 12_345]})
    assert as_text(frame).splitlines() == [
        "name  value  tokens",
        "-------------------",
        "a     1.235       7",
        "bcd       -  12,345",
    ]


def test_a_row_says_which_model_of_a_task_it_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = STUDY.replace(
        "{xnli: {}}", "{xnli: {regimes: [zero-shot, translate-train-all], seeds: [3, 4], "
        "milestones: true, languages: [en, fr]}}"
    ).replace("updates: 10,", "updates: 10, milestones: [5],")  # fmt: skip
    (tmp_path / "tasks.yaml").write_text(text, encoding="utf-8")
    study = grid.load(tmp_path / "tasks.yaml", "replicates.seed=[1]", store=tmp_path / "runs")
    roles = study.graph().cells[study.cells[0].id]
    exposure = {"languages": {}, "updates": 10, "tokens": 700}
    artifact(study, roles["pretraining"], exposure=exposure, curve=[])
    best = {"xnli/m5/f3": 0.4, "xnli/m5/f4": 0.5, "xnli/f3": 0.3, "xnli/f4": 0.5}
    best |= {f"xnli/translate-train-all{rest[4:]}": 0.1 for rest in list(best)}
    for role, value in best.items():
        score = {"task": "xnli", "metric": "accuracy", "language": "fr", "n": 9, "seen": True}
        scores = [{**score, "split": split, "value": value} for split in ("validation", "test")]
        artifact(study, roles[f"finetuning/{role}"], scores=scores)
    frame = study.results().filter((pl.col("task") == "xnli") & (pl.col("block") == "width"))
    columns = ["regime", "train_language", "finetuning_seed", "milestone", "split", "selected"]
    found = frame.filter(pl.col("regime") == "zero-shot").select(*columns, "value").rows()
    assert sorted(found, key=str) == sorted(
        [
            ("zero-shot", "en", seed, step, split, step == 5, value)
            for seed, step, value in ((3, 5, 0.4), (4, 5, 0.5), (3, None, 0.3), (4, None, 0.5))
            for split in ("validation", "test")
        ],
        key=str,
    )
    together = frame.filter(pl.col("regime") == "translate-train-all")
    assert set(together["train_language"]) == {"all"}
    assert set(frame.filter(pl.col("milestone").is_null())["updates"]) == {10}
    # The summary shows the finished zero-shot model, over the seeds of its fine-tuning.
    frame = study.results().with_columns(language=pl.lit("en"))
    (row,) = summary(frame, study.paths).filter(
        (pl.col("block") == "width") & (pl.col("encoder.width") == 8)
    ).iter_rows(named=True)  # fmt: skip
    assert row["xnli"] == pytest.approx(0.4)


def test_two_that_write_at_once_leave_what_can_be_read(tmp_path: Path) -> None:
    """The frame of the one with the checksum of the other, as if both had written in between."""
    folder = tmp_path / "studies" / "s" / "laptop"
    ours, theirs = pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [3]})
    write_outputs(folder, {RESULTS: parquet(theirs)}, {"name": "s"})
    described = (folder / "study.json").read_bytes()
    write_outputs(folder, {RESULTS: parquet(ours)}, {"name": "s"})
    write_bytes(described, folder / "study.json")
    assert list(damaged_files(folder)) == [folder / RESULTS]
    write_outputs(folder, {RESULTS: parquet(ours)}, {"name": "s"})
    assert read_frame(folder / RESULTS).equals(ours) and not damaged_files(folder)
