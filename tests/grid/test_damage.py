"""Damage in a finished store: found, told with what depends on it, never read, computed anew."""

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grid import artifact, prune
from grid.artifact import ArtifactError, check, content, read_manifest
from grid.errors import StoreError
from grid.execution import ExecutionConfig
from grid.graph import Graph
from grid.launch.jobs import job_of
from grid.outcome import DAMAGED
from grid.stage import run_attempt
from grid.store import Store
from grid.verify import identity, verify_store
from tests.corruption import KINDS, spoil, unnoticed
from tests.grid.own_trainer import grid, write
from tests.grid.signed import sign
from tests.grid.test_launch import launch, total
from tests.grid.tiny_stages import graph, stage

SEED = 7
A, B = stage("a", value=1), stage("b", value=2)
C = stage("c", A, B, value=4)
D = stage("d", C, value=8)
EVERY = graph(A, B, C, D)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "store"
    assert launch(EVERY, root)[0].ok
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished store, as a run has left it that has looked at all."""
    monkeypatch.setattr(artifact, "RESOLUTION", 50_000_000)
    shutil.copytree(whole, tmp_path / "store")
    look(tmp_path / "store")
    return tmp_path / "store"


def look(root: Path) -> None:
    time.sleep(0.1)
    report, _ = launch(EVERY, root)
    assert not report.damaged and not report.done


def settled(root: Path, key: str) -> bool:
    """Whether a check reads no file of it."""
    place = Store(root).path("tiny", key)
    before = place.joinpath("manifest.json").stat().st_mtime_ns
    check(place, ("tiny", key))
    return place.joinpath("manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_found_and_only_that_is_computed_anew(root: Path, kind: str) -> None:
    draw = random.Random(SEED)
    for _ in range(3):
        spoilt = spoil(root, kind, draw)
        assert list(unnoticed(Store(root), spoilt)) == []
        report, text = launch(EVERY, root)
        assert report.ok, text
        lost = {place.name for place in spoilt.artifacts}
        assert {stage.key for stage in report.done} == lost
        for damage in report.damaged:
            assert str(damage) in text and damage.kept.exists()
        assert [total(root, each.key) for each in (A, B, C, D)] == [1, 2, 7, 15]
        _, damaged = verify_store(Store(root))
        for place in damaged:  # a copy where nothing is looked for
            assert kind == "copy artifact"
            shutil.rmtree(place)
        look(root)


def test_files_are_read_again_only_if_they_were_written_to(root: Path) -> None:
    assert settled(root, A.key)
    place = Store(root).path("tiny", A.key)
    (place / "sum.json").write_bytes((place / "sum.json").read_bytes())
    time.sleep(0.1)
    assert not settled(root, A.key) and settled(root, A.key)
    text = place / "parts" / "text.txt"
    before = text.stat()
    text.write_text("y" * 1000)
    os.utime(text, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ArtifactError, match="SHA-256"):
        check(place, A.id)


def test_what_only_finished_stages_needed_is_taken_away_and_not_computed(root: Path) -> None:
    made = Graph(stages=EVERY.stages, targets={D.id})
    (Store(root).path("tiny", C.key) / "sum.json").write_text('{"sum": 8}')
    report, _ = launch(made, root)
    assert report.ok and not report.done and [each.id for each in report.damaged] == [C.id]
    assert verify_store(Store(root))[1] == {}


def test_files_that_do_not_belong_to_it_cost_nothing(root: Path) -> None:
    place = Store(root).path("tiny", A.key)
    (place / "notes" / "of mine").mkdir(parents=True)
    (place / "notes" / "of mine" / "a.txt").write_text("x")
    report, text = launch(EVERY, root)
    assert report.ok and not report.done
    (damage,) = report.damaged
    assert damage.strays and f"these files are kept at {damage.kept}" in text
    assert (damage.kept / "notes" / "of mine" / "a.txt").read_text() == "x"
    assert not (place / "notes").exists() and check(place, A.id) is None


def test_an_input_is_checked_before_a_stage_reads_it(root: Path) -> None:
    """Also if it was damaged after the run had looked at all."""
    store = Store(root)
    shutil.rmtree(store.path("tiny", D.key))
    (store.path("tiny", C.key) / "sum.json").write_text('{"sum": 8}')
    folder = store.new_attempt(*D.id, job_of(D, store, ExecutionConfig()))
    outcome = run_attempt(folder)
    assert (outcome.state, outcome.kind) == ("failed", DAMAGED)
    assert f"the input tiny {C.key} is damaged" in outcome.message
    assert not store.has(*D.id)
    report, _ = launch(EVERY, root)
    assert report.ok and {each.key for each in report.done} == {C.key, D.key}
    assert total(root, D.key) == 15


def test_what_was_taken_away_stays_until_prune(root: Path) -> None:
    store = Store(root)
    for value in (8, 9):
        (store.path("tiny", C.key) / "sum.json").write_text(f'{{"sum": {value}}}')
        launch(EVERY, root)
    kept = [store.root / "attempts" / "tiny" / C.key / f"damaged-{each}" for each in (1, 2)]
    assert [json.loads((each / "sum.json").read_text())["sum"] for each in kept] == [8, 9]
    wanted = {"tiny": set(EVERY.stages)}
    assert not set(kept) & {
        item.path for item in prune.survey(store, wanted, keep_days=1).removable
    }
    prune.delete(store, prune.survey(store, wanted, keep_days=0).removable)
    assert not any(each.exists() for each in kept) and verify_store(store)[1] == {}


def test_a_check_does_not_make_an_artifact_young(root: Path) -> None:
    store = Store(root)
    place = store.path("tiny", A.key)
    old = time.time() - 30 * 86400
    for path in (*place.rglob("*"), place):
        os.utime(path, (old, old))
    check(place, A.id)
    assert place.joinpath("manifest.json").stat().st_mtime > old + 1
    removable = prune.survey(store, {}, keep_days=7).removable
    assert place in [item.path for item in removable]


def test_a_manifest_without_a_checksum_is_one_of_an_older_version(root: Path) -> None:
    place = Store(root).path("tiny", A.key)
    path = place / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["checksum"]
    path.write_text(json.dumps(manifest, indent=1))
    assert read_manifest(place) == manifest
    path.write_text(json.dumps({**manifest, "chacksum": "0" * 64}, indent=1))
    with pytest.raises(ArtifactError, match="expected its checksum, found none"):
        read_manifest(place)


def test_every_bit_of_a_manifest_counts(root: Path) -> None:
    place = Store(root).path("tiny", A.key)
    path = place / "manifest.json"
    before = path.read_bytes()
    for number in range(len(before)):
        changed = bytearray(before)
        changed[number] ^= 1 << (number % 8)
        path.write_bytes(changed)
        with pytest.raises(StoreError):
            check(place, A.id)
    for length in range(0, len(before), 7):
        path.write_bytes(before[:length])
        with pytest.raises(StoreError):
            check(place, A.id)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ran")
    write(folder)
    result = grid(folder, "run", "own.yaml")
    assert result.returncode == 0, result.stderr
    return folder


def spoil_results(folder: Path) -> None:
    """A number that is as good as any other, and wrong."""
    for path in folder.glob("runs/artifacts/command/*/*/scores.json"):
        path.write_text(path.read_text().replace("1", "2"))


def spoil_frame(folder: Path) -> None:
    path = folder / "runs/studies/own/laptop/results.parquet"
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 3] ^= 1
    path.write_bytes(changed)


@pytest.mark.parametrize("damage", [spoil_results, spoil_frame])
def test_commands_do_not_read_what_is_wrong(
    ran: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(ran, folder)
    expected = grid(folder, "results", "own.yaml", "--format", "csv").stdout
    damage(folder)
    told = grid(folder, "verify")
    assert told.returncode == 1
    command = "results" if damage is spoil_results else "plan"
    refused = grid(folder, command, "own.yaml")
    assert refused.returncode == 2 and "SHA-256" in refused.stderr
    if damage is spoil_results:
        assert "made from it" not in told.stdout and "cells of own (laptop): " in told.stdout
        assert "1 artifacts" not in told.stderr and "2 are not" in told.stderr
    run = grid(folder, "run", "own.yaml", "--format", "csv")
    assert run.returncode == 0 and run.stdout == expected
    count = 2 if damage is spoil_results else 0
    assert f"{count} stages run, " in run.stderr and run.stderr.count("damaged: ") == count
    assert grid(folder, "verify").returncode == 0


def test_verify_names_all_that_depends_on_damage(ran: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(ran, folder)
    (tokenizer,) = folder.glob("runs/artifacts/tokenizer/*/*")
    (tokenizer / "sentencepiece.model").unlink()
    told = grid(folder, "verify")
    for place in (*folder.glob("runs/*/shards/*/*"), *folder.glob("runs/*/command/*/*")):
        if place.parts[-4] == "artifacts":
            assert place.name in told.stdout
    cells = [line for line in told.stdout.splitlines() if "cells of own (laptop)" in line]
    assert len(cells) == 1 and cells[0].count(",") == 1
    rows = grid(folder, "verify", "--format", "csv").stdout.splitlines()
    assert len(rows) == 1 + 2 + 2 + 2, "shards, commands, cells"
    whole = grid(folder, "verify", "--format", "json", "--store", ran / "runs")
    assert whole.returncode == 0 and json.loads(whole.stdout) == []


def test_content_is_compared_each_time_that_it_is_read(root: Path) -> None:
    place = Store(root).path("tiny", A.key)
    assert content(place, "sum.json") == b'{"sum": 1}'
    (place / "sum.json").write_bytes(b'{"sum": 2}')
    with pytest.raises(ArtifactError, match="SHA-256"):
        content(place, "sum.json")
    sign(place)
    assert content(place, "sum.json") == b'{"sum": 2}' and identity(place) == A.id
    with pytest.raises(FileNotFoundError):
        content(place.with_name("gone-0000000000000000"), "sum.json")
