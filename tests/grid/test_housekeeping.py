"""`adopt` and `prune`: what comes into a store and what leaves it; `doctor`."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from grid import doctor, prune
from grid.artifact import manifest_text
from grid.store import Store
from grid.verify import verify_store
from tests.grid.own_trainer import STUDY, grid, write
from tests.grid.processes import make_read_only, small_disk


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ran")
    write(folder)
    result = grid(folder, "run", "own.yaml")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def folder(ran: Path, tmp_path: Path) -> Path:
    """A copy of the finished study and its store, as `rsync -a` makes one."""
    shutil.copytree(ran, tmp_path / "copy")
    return tmp_path / "copy"


def artifact(folder: Path, stage: str) -> Path:
    return min(folder.glob(f"runs/artifacts/{stage}/*/*"))


def contents(store: Path) -> dict[str, bytes]:
    files = [path for path in (store / "artifacts").rglob("*") if path.is_file()]
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in files}


def test_a_whole_store_is_adopted_and_nothing_is_computed(folder: Path) -> None:
    result = grid(folder, "adopt", "runs", "--store", "mine")
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 7
    assert "7 taken, 0 there already" in result.stderr
    assert contents(folder / "mine") == contents(folder / "runs")
    run = grid(folder, "run", "own.yaml", "--store", "mine")
    assert run.returncode == 0 and "0 stages run, 7 found in the store" in run.stderr
    again = grid(folder, "adopt", "runs", artifact(folder, "shards"), "--store", "mine")
    assert again.returncode == 0 and again.stdout == ""
    assert "0 taken, 7 there already" in again.stderr


def test_a_folder_that_is_not_there_is_no_empty_store(folder: Path) -> None:
    result = grid(folder, "adopt", "nowhere", "--store", "mine", "--study", "own.yaml")
    assert result.returncode == 2
    assert "nowhere: there is no such folder to adopt from" in result.stderr


def test_adopt_knows_the_study_with_its_overrides(folder: Path) -> None:
    override = "cell.tokenizer.vocab_size=110"
    result = grid(folder, "adopt", "runs", override, "--store", "mine", "--study", "own.yaml")
    assert result.returncode == 0, result.stderr
    taken = {line.split()[0] for line in result.stdout.splitlines()}
    assert taken == {"corpus"}, "another vocabulary needs other tokenizers, shards and models"
    alone = grid(folder, "adopt", "runs", override, "--store", "mine")
    assert alone.returncode == 2
    assert f"{override}: is no folder, and there is no --study" in alone.stderr


def test_only_what_a_study_needs_is_adopted(folder: Path) -> None:
    (folder / "one.yaml").write_text(STUDY.replace("rate: [1, 2]", "rate: [2]"))
    needed = ("--store", "mine", "--study", "one.yaml")
    result = grid(folder, "adopt", "runs", *needed)
    assert result.returncode == 0
    assert "6 taken, 0 there already, 1 not needed by the study" in result.stderr
    (other,) = (
        path.parent
        for path in folder.glob("runs/artifacts/*/*/*/manifest.json")
        if not (folder / "mine" / path.relative_to(folder / "runs")).exists()
    )
    alone = grid(folder, "adopt", other, *needed)
    assert (alone.returncode, alone.stdout) == (0, "")
    assert "0 taken, 0 there already, 1 not needed by the study" in alone.stderr
    missing = grid(folder, "adopt", "rnus", *needed)
    assert missing.returncode == 2 and "rnus: there is no such folder" in missing.stderr


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _edit_config(path: Path) -> None:
    path.write_text(path.read_text().replace('"language": "en"', '"language": "de"'))


SPOILT: list[tuple[str, Callable[[Path], object], str]] = [
    ("tokens.bin", _cut, "bytes, found"),
    ("tokens.bin", lambda path: path.write_bytes(bytes(path.stat().st_size)), "the SHA-256"),
    ("tokens.bin", Path.unlink, "files missing: tokens.bin"),
    ("more.bin", Path.touch, "files not in the manifest: more.bin"),
    ("link", lambda path: path.symlink_to("/etc/passwd"), "holds files and folders only"),
    ("config.json", _edit_config, "its configuration, version 1 and inputs give the key"),
    ("config.json", Path.unlink, "expected config.json, found no such file"),
    ("manifest.json", lambda path: path.write_text("{}"), "expected stage, key, version and files"),
    ("manifest.json", lambda path: path.write_text("{"), "cannot be read"),
    (
        "manifest.json",
        lambda path: path.write_text(path.read_text().replace('"shards"', '"../../x"')),
        "expected the checksum",
    ),
    (
        "manifest.json",
        lambda path: path.write_text(
            manifest_text({**json.loads(path.read_text()), "stage": "../../x"})
        ),
        "expected stage, key, version and files",
    ),
]


@pytest.mark.parametrize(("name", "spoil", "told"), SPOILT)
def test_what_is_not_as_its_manifest_says_is_refused(
    folder: Path, name: str, spoil: Callable[[Path], object], told: str
) -> None:
    (place,) = folder.glob("runs/artifacts/shards/*/en-*")
    spoil(place / name)
    result = grid(folder, "adopt", "runs", "--store", "mine")
    assert result.returncode == 1, "the others are taken"
    assert "6 taken" in result.stderr
    (refused,) = (line for line in result.stderr.splitlines() if line.startswith("refused: "))
    assert told in refused
    assert not list((folder / "mine").rglob("*en-2-languages*/tokens.bin"))
    assert not list((folder / "mine" / "artifacts").rglob(".*"))


def test_verify_names_what_is_damaged(folder: Path) -> None:
    whole = grid(folder, "verify")
    assert (whole.returncode, whole.stdout) == (0, "") and "7 artifacts are whole" in whole.stderr
    _cut(artifact(folder, "tokenizer") / "sentencepiece.model")
    corpus = artifact(folder, "corpus")
    corpus.rename(corpus.with_name(f"{corpus.name}x"))
    result = grid(folder, "verify")
    assert result.returncode == 1 and "5 artifacts are whole, 2 are not" in result.stderr
    messages = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    damaged, moved = sorted(messages, reverse=True)
    assert "bytes, found" in damaged and "by its key" in moved
    quick = grid(folder, "verify", "--quick")
    assert (quick.returncode, quick.stdout) == (1, result.stdout), "sizes and names tell both"
    for command in ("verify", "prune"):
        nowhere = grid(folder, command, "--store", "rnus")
        assert nowhere.returncode == 2 and "rnus: there is none" in nowhere.stderr


def test_a_quick_verification_reads_nothing_but_manifests(folder: Path) -> None:
    tokens = artifact(folder, "shards") / "tokens.bin"
    tokens.write_bytes(bytes(tokens.stat().st_size))
    config = artifact(folder, "corpus") / "config.json"
    config.write_text(config.read_text().replace("{", "[", 1))
    whole, damaged = verify_store(Store(folder / "runs"), quick=True)
    assert len(whole) == 7 and not damaged
    _, damaged = verify_store(Store(folder / "runs"))
    assert set(damaged) == {tokens.parent, config.parent}


def test_an_artifact_under_another_name_is_known_by_its_key(folder: Path) -> None:
    place = artifact(folder, "corpus")
    place.rename(folder / "corpus")
    result = grid(folder, "adopt", "corpus", "--store", "mine")
    assert result.returncode == 0 and len(result.stdout.splitlines()) == 1, "its key is inside it"
    nothing = grid(folder, "adopt", folder / "runs" / "attempts", "--store", "mine")
    assert nothing.returncode == 2 and "expected the folder of an artifact" in nothing.stderr


def test_prune_keeps_what_studies_want_and_shows_it_in_bytes(folder: Path) -> None:
    result = grid(folder, "prune", "--format", "csv", "--keep-days", "0")
    frame = pl.read_csv(result.stdout.encode())
    artifacts = frame.filter(pl.col("what") == "artifact")
    assert set(artifacts["because"]) == {"own (laptop)"} and set(artifacts["fate"]) == {"kept"}
    taken = sum(prune.measure(path)[0] for path in folder.glob("runs/artifacts/*/*/*"))
    assert artifacts["bytes"].sum() == taken > 0
    assert "nothing was" in result.stderr


def test_prune_removes_only_what_nobody_wants(folder: Path) -> None:
    before = contents(folder / "runs")
    two = "axes.rates.product.commands.mine.settings.rate=[2]"
    assert grid(folder, "run", "own.yaml", two, "cell.tokenizer.alpha=0.7").returncode == 0
    young = grid(folder, "prune", "--format", "csv")
    assert "removable" not in young.stdout, "a week is kept unless --keep-days says less"
    dry = grid(folder, "prune", "--keep-days", "0")
    assert contents(folder / "runs").items() >= before.items(), "dry unless --delete"
    done = grid(folder, "prune", "--keep-days", "0", "--delete")
    assert done.returncode == 0 and done.stdout == dry.stdout
    left = contents(folder / "runs")
    assert {name.split("/")[1] for name in left} == {"corpus", "tokenizer", "shards", "command"}
    assert len(list(folder.glob("runs/artifacts/command/*/*"))) == 1
    assert len(list(folder.glob("runs/artifacts/tokenizer/*/*"))) == 1
    assert not list(folder.glob("runs/attempts/*/*/*"))
    assert not list((folder / "runs" / "artifacts").rglob(".*"))
    again = grid(folder, "run", "own.yaml", two, "cell.tokenizer.alpha=0.7")
    assert "0 stages run" in again.stderr, "what the study wants is all there"
    assert grid(folder, "run", "own.yaml").returncode == 0
    assert contents(folder / "runs").keys() >= before.keys(), "what was removed is made again"


def test_a_named_study_protects_its_artifacts(folder: Path) -> None:
    one = "axes.rates.product.commands.mine.settings.rate=[1]"
    assert grid(folder, "run", "own.yaml", one).returncode == 0
    (folder / "both.yaml").write_text(STUDY)
    frame = grid(folder, "prune", "both.yaml", "--keep-days", "0", "--format", "csv").stdout
    kept = pl.read_csv(frame.encode()).filter(
        (pl.col("what") == "artifact") & (pl.col("stage") == "command")
    )
    assert dict(zip(kept["because"], kept["number"], strict=True)) == {
        "both (laptop)": 1,
        "both (laptop), own (laptop)": 1,
    }


def test_prune_asks_for_studies_that_left_no_list(folder: Path) -> None:
    (folder / "runs" / "studies" / "own" / "laptop" / "stages.json").unlink()
    result = grid(folder, "prune", "--delete", "--keep-days", "0")
    assert result.returncode == 2 and "expected stages.json, found none" in result.stderr
    assert grid(folder, "prune", "own.yaml", "--keep-days", "0").returncode == 0
    gone = grid(folder, "prune", "--store", "nowhere")
    assert gone.returncode == 2 and "there is none. Name it with --store" in gone.stderr


def test_prune_leaves_what_is_being_worked_on(folder: Path) -> None:
    shutil.rmtree(folder / "runs" / "studies")
    store = Store(folder / "runs")
    (key,) = store.published("tokenizer")
    held = store.acquire("command", "new-0123456789abcdef")
    assert held is not None
    store.new_attempt(
        "command", "new-0123456789abcdef", {"inputs": {"tokenizer": ["tokenizer", key]}}
    )
    work = store.work("command", "new-0123456789abcdef")
    work.mkdir()
    abandoned = store.work("command", "old-0123456789abcdef")
    abandoned.mkdir()
    leftover = store.path("corpus", "en-0123456789abcdef").with_name(".en-0123456789abcdef~1")
    leftover.mkdir(parents=True)
    result = grid(folder, "prune", "--delete", "--keep-days", "0")
    assert result.returncode == 0
    assert [path.name for path in folder.glob("runs/artifacts/*/*/*")] == [key]
    assert work.is_dir() and not abandoned.exists() and not leftover.exists()
    assert len(store.attempts("command", "new-0123456789abcdef")) == 1
    held.release()
    grid(folder, "prune", "--delete", "--keep-days", "0")
    assert not work.exists() and not list(folder.glob("runs/artifacts/*/*/*"))
    assert not list(folder.glob("runs/work/*/*.lease"))


def test_a_silent_lease_of_another_machine_is_given_up_after_an_hour(folder: Path) -> None:
    store = Store(folder / "runs")
    place = store.lease_folder("command", "far-0123456789abcdef")
    place.mkdir(parents=True)
    record = {"host": "far", "boot": "b", "namespace": "n", "pid": 1, "started": "1"}
    (place / "1").write_bytes(b"0" * 20 + json.dumps(record).encode())
    store.work("command", "far-0123456789abcdef").mkdir()

    def fate() -> str:
        found = prune.survey(store, {}, keep_days=0).items
        return next(item.kept for item in found if item.id[1] == "far-0123456789abcdef")

    assert fate() == prune.RUNNING
    for path in (place / "1", place):
        os.utime(path, times=(time.time() - 7200,) * 2)
    assert fate() == ""
    found = prune.survey(store, {}, keep_days=0).removable
    held = store.acquire("corpus", artifact(folder, "corpus").name)
    assert held is not None
    gone = prune.delete(store, found)
    held.release()
    assert {item.id for item in found} - {item.id for item in gone} == {
        ("corpus", artifact(folder, "corpus").name)
    }, "what is worked on since then stays, and is told"
    assert not place.exists() and not store.work("command", "far-0123456789abcdef").exists()


def test_doctor_finds_nothing_wrong_here(folder: Path) -> None:
    result = grid(folder, "doctor", "--format", "json")
    lines = {line["check"]: line for line in json.loads(result.stdout)}
    for check in (
        "python",
        "torch",
        "deepspeed",
        "training",
        "bf16",
        "store",
        "rename",
        "site file",
    ):
        assert lines[check]["state"] == "ok", lines[check]
    assert lines["commands.mine"]["state"] == "ok"
    assert result.returncode == 0
    assert not list((folder / "runs").glob(".doctor*"))


def test_doctor_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_torch", lambda: iter(()))  # takes seconds, and is tested above
    (tmp_path / "grid.yaml").write_text(
        "locations: {cc100: gone}\ncommands: {mine: {run: [no-such-trainer], version: 1}}\n"
        "store: elsewhere\n"
    )
    lines = {line.check: line for line in doctor.examine(None, None)}
    assert (lines["locations.cc100"].state, lines["commands.mine"].state) == ("problem", "problem")
    assert lines["locations.cc100"].do.endswith("grid.yaml:1")
    assert "elsewhere" in lines["store"].found and not (tmp_path / "elsewhere").exists()
    (tmp_path / "grid.yaml").write_text("locatoins: {}\n")
    (line,) = (line for line in doctor.examine(None, None) if line.check == "site file")
    assert line.state == "problem" and "did you mean locations" in line.found


def test_doctor_on_a_disk_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_torch", lambda: iter(()))
    with small_disk(tmp_path / "disk") as disk:
        lines = {line.check: line for line in doctor.examine(disk / "runs", None)}
        assert lines["space"].state == "problem" and lines["file system"].found == "tmpfs"
        make_read_only(disk)
        lines = {line.check: line for line in doctor.examine(disk / "runs", None)}
        assert lines["store"].state == "problem"


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [("2.1.0", ">=2.1,<3", True), ("2.13.0+cpu", ">=2.8,<3", True), ("3.0", ">=2.1,<3", False),
     ("2.0.9", ">=2.1,<3", False), ("0.19.8", ">=0.19.8,<0.20", True)],
)  # fmt: skip
def test_versions_are_compared_as_numbers(version: str, wanted: str, fits: bool) -> None:
    assert doctor._satisfies(version, wanted) is fits
