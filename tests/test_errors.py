"""What a user reads after a mistake, through the real command line, message by message.

Each test runs a study in a store that holds a finished one and reads the whole message. Status 2 is
a mistake found before anything ran: the store is as it was. Status 1 is a stage that failed: the
finished study runs again, and nothing of it is lost or computed anew.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.grid.processes import ROOT, make_read_only, small_disk

STUDY = """\
title: Two languages
cell:
  languages: [en, sw]
  corpus: {source: books}
  tokenizer: {vocab_size: 300, sample_bytes: 60_000}
  encoder: {layers: 1, width: 8, heads: 2, norm: pre, max_positions: 32}
  pretraining: {updates: 0, batch_size: 2, sequence_length: 16, precision: fp32}
  evaluation: {max_bytes: 300, passes: 2}
locations: {books: text}
"""


def grid(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("GRID_STORE", None)
    result = subprocess.run(
        [sys.executable, "-m", "grid", *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in result.stdout + result.stderr, result.stderr
    return result


def text(language: str, documents: int = 100) -> str:
    """Plain text as CC-100 has it, of made-up words."""
    draw = random.Random(language)
    words = ["".join(draw.choices("abdefghiklmnoprstuw", k=draw.randint(2, 8))) for _ in range(300)]
    lines = [" ".join(draw.choices(words, k=9)) + "." for _ in range(5 * documents)]
    return "\n\n".join("\n".join(lines[i : i + 5]) for i in range(0, len(lines), 5)) + "\n"


@dataclass
class Finished:
    """A folder with a study, its text, and the store of its one run."""

    folder: Path
    stdout: str

    def bad_text(self, name: str, content: bytes) -> Path:
        """A second location, in which the Swahili file is `name` with this content."""
        bad = self.folder / "bad"
        shutil.rmtree(bad, ignore_errors=True)
        bad.mkdir()
        shutil.copy2(self.folder / "text" / "en.txt", bad)
        (bad / name).write_bytes(content)
        return bad / name

    def state(self) -> dict[Path, int]:
        """Every file and folder of the store, and when it was changed; caches aside."""
        store = self.folder / "runs"
        names = ("artifacts", "work", "attempts", "studies")
        paths = [path for name in names for path in (store / name).rglob("*")]
        return {path: path.stat().st_mtime_ns for path in paths}

    def check(self, *options: object) -> None:
        """The finished study is there as it was, and nothing of it is computed again."""
        again = grid(self.folder, "run", "two.yaml", *options)
        assert (again.returncode, again.stdout) == (0, self.stdout), again.stderr
        assert "0 stages run" in again.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("errors")
    (folder / "two.yaml").write_text(STUDY)
    (folder / "text").mkdir()
    for language in ("en", "sw"):
        (folder / "text" / f"{language}.txt").write_text(text(language))
    result = grid(folder, "run", "two.yaml", "--workers", "2")
    assert result.returncode == 0, result.stderr
    return Finished(folder, result.stdout)


MISTAKES = [
    pytest.param(
        ["cell.pretraining.udpates=3"],
        "command line: cell.pretraining.udpates: unknown key (did you mean updates?); expected one "
        "of updates, counted_languages, batch_size, sequence_length, learning_rate, warmup, "
        "schedule, final_rate, decay_power, decay_share, beta1, beta2, epsilon, weight_decay, "
        "clip, mask_probability, mask_unit, precision, milestones",
        id="misspelt key",
    ),
    pytest.param(
        ["axes=[{name: wide, product: {encoder.widht: [8, 16]}}]"],
        "command line: axes[wide].product.encoder.widht: unknown axis (did you mean encoder.width "
        "or encoder.dropout or encoder.heads?); expected the path of a value of `cell`, such as "
        "encoder.width",
        id="misspelt key of an axis",
    ),
    pytest.param(
        ["execution.checkpoint_second=3"],
        "command line: execution.checkpoint_second: unknown key (did you mean "
        "checkpoint_seconds or hang_seconds?); expected one of workers, threads, device, "
        "stages_per_gpu, profile, "
        "checkpoint_seconds, stop_seconds, hang_seconds, tensor_parallel, data_parallel, "
        "micro_batch, activation_checkpointing, spike, monitors, slurm",
        id="misspelt key outside the cell",
    ),
    pytest.param(
        ["cell.corpus.source=synthetic", "cell.languages=[en, swa]"],
        "command line: cell.languages: unknown language 'swa' (did you mean sw or sa?); the "
        "synthetic source knows the 100 languages of XLM-R (model/languages.csv)",
        id="unknown language",
    ),
    pytest.param(
        ["cell.languages=xlm-17"],
        "command line: cell.languages: unknown language set 'xlm-17' (did you mean xlm-7 or "
        "xlm-15 or xlm-100?); expected one of xlm-7, xlm-15, xlm-30, xlm-60, xlm-100, or a list "
        "of codes",
        id="unknown language set",
    ),
    pytest.param(
        ["cell.languages=[en, xx]"],
        "{folder}/text: no text of language 'xx' for source 'books'. Looked for "
        "xx.txt[.xz|.gz|.bz2|.zst], the same with .jsonl or .parquet, and a folder xx/. Add the "
        "file, leave the language out, or correct locations.books.",
        id="missing file",
    ),
    pytest.param(
        ["cell.languages=[en, xx, yy]"],
        "{folder}/text: no text of language 'xx' for source 'books'. Looked for "
        "xx.txt[.xz|.gz|.bz2|.zst], the same with .jsonl or .parquet, and a folder xx/. Add the "
        "file, leave the language out, or correct locations.books.\n"
        "  {folder}/text: no text of language 'yy' for source 'books'. Looked for "
        "yy.txt[.xz|.gz|.bz2|.zst], the same with .jsonl or .parquet, and a folder yy/. Add the "
        "file, leave the language out, or correct locations.books.",
        id="all missing files",
    ),
    pytest.param(
        ["locations.books=elsewhere"],
        "locations.books: expected a folder that holds the text of source 'books', found nothing "
        "at {folder}/elsewhere. Set it: locations.books=FOLDER",
        id="missing folder",
    ),
    pytest.param(
        ["cell.corpus.source=papers"],
        "locations.papers: expected the folder of source 'papers', found no such location (set: "
        "books). Give it: locations.papers=FOLDER",
        id="no location",
    ),
    pytest.param(
        ["cell.encoder.heads=3"],
        "two.yaml:6: cell.encoder.width: expected a multiple of encoder.heads (3), found 8",
        id="width not divisible by heads",
    ),
    pytest.param(
        ["axes=[{name: wide, product: {encoder.width: [8, 15]}}]"],
        "command line: encoder.width: expected a multiple of encoder.heads (2), found 15 (block "
        "'wide' at encoder.width=15)",
        id="width of an axis not divisible by heads",
    ),
    pytest.param(
        ["cell.sampling.alpha=1.3"],
        "command line: cell.sampling.alpha: expected 0 to 1, found 1.3",
        id="alpha too large",
    ),
    pytest.param(
        ["cell.tokenizer.alpha=-0.1"],
        "command line: cell.tokenizer.alpha: expected 0 to 1, found -0.1",
        id="alpha negative",
    ),
    pytest.param(
        ["axes=[{name: alphas, product: {sampling.alpha: [0.3, 3]}}]"],
        "command line: sampling.alpha: expected 0 to 1, found 3.0 (block 'alphas' at "
        "sampling.alpha=3)",
        id="alpha of an axis",
    ),
    pytest.param(
        ["--store", "two.yaml"],
        "store {folder}/two.yaml: listing its artifacts: a file is where a folder should be. "
        "Choose another store with --store (at {folder}/two.yaml)",
        id="store is a file",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_told_before_anything_runs(
    finished: Finished, arguments: list[str], message: str
) -> None:
    before = finished.state()
    result = grid(finished.folder, "run", "two.yaml", *arguments)
    said = result.stderr[result.stderr.index("error: ") :]
    assert said == f"error: {message.format(folder=finished.folder)}\n"
    assert result.returncode == 2
    assert result.stdout == ""
    assert finished.state() == before


def test_an_empty_file_is_told_before_anything_runs(finished: Finished) -> None:
    path = finished.bad_text("sw.txt", b"")
    before = finished.state()
    result = grid(finished.folder, "run", "two.yaml", "locations.books=bad")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        f"error: {path}: the file is empty, expected the text of 'sw'. Fetch it again, or leave "
        "the language out."
    )
    assert finished.state() == before


def failure(result: "subprocess.CompletedProcess[str]") -> str:
    """The one failure's message, once all that stands around it has been checked."""
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    (number,) = (n for n, line in enumerate(lines) if line.startswith("failed: "))
    found = re.fullmatch(r"failed: (\w+ \S+-[0-9a-f]{16}): (.*)", lines[number])
    log = re.fullmatch(r"  log: (.*)", lines[number + 1])
    assert found is not None and log is not None, lines
    content = Path(log[1]).read_text()
    assert found[2] in content, "the log says what the summary says"
    assert "Traceback" not in content
    assert lines[number + 2].startswith(f"blocked by {found[1]}: ")
    return found[2]


def _truncated_xz(folder: Path) -> bytes:
    import lzma

    return lzma.compress((folder / "text" / "sw.txt").read_bytes())[:-200]


SPOILT: list[object] = [
    pytest.param(
        "sw.txt",
        lambda folder: b" \n\n\t\n" * 9,
        "expected text of 'sw', found blank lines only. Put text there, or leave the language out.",
        id="blank",
    ),
    pytest.param(
        "sw.txt",
        lambda folder: b"one line\n",
        "the text of 'sw' has 1 sentence, too few to hold some out and train on others. Put more "
        "text there, or leave the language out.",
        id="too short",
    ),
    pytest.param(
        "sw.txt.xz",
        _truncated_xz,
        "the compressed file is truncated: it ends at byte {size} before its end-of-stream mark. "
        "Fetch it again.",
        id="truncated xz",
    ),
    pytest.param(
        "sw.txt.xz",
        lambda folder: _truncated_xz(folder)[:7],
        "the compressed file is truncated: it ends at byte 7 before its end-of-stream mark. Fetch "
        "it again.",
        id="xz truncated in its header",
    ),
    pytest.param(
        "sw.txt.xz",
        lambda folder: b"<html>Not found</html>",
        "the compressed file is damaged near byte {size} (Input format not supported by decoder). "
        "Fetch it again.",
        id="not an xz at all",
    ),
    pytest.param(
        "sw.txt",
        lambda folder: (folder / "text" / "sw.txt").read_bytes() + b"caf\xe9\n",
        "line 600, byte {latin}: expected UTF-8, found the byte 0xe9. Convert it, for example with "
        "iconv -f ISO-8859-1 -t UTF-8.",
        id="Latin-1",
    ),
    pytest.param(
        "sw.txt",
        lambda folder: (folder / "text" / "sw.txt").read_text().encode("utf-16"),
        "line 1, byte 0: expected UTF-8, found the byte 0xff. It begins like UTF-16: convert it "
        "with iconv -f UTF-16 -t UTF-8.",
        id="UTF-16",
    ),
]


@pytest.mark.parametrize(("name", "content", "message"), SPOILT)
def test_spoilt_text_fails_its_own_stages_only(
    finished: Finished, name: str, content: Callable[[Path], bytes], message: str
) -> None:
    path = finished.bad_text(name, content(finished.folder))
    result = grid(finished.folder, "run", "two.yaml", "locations.books=bad")
    size = path.stat().st_size
    assert failure(result) == f"{path}: {message}".format(size=size, latin=size - 2)
    assert "1 found in the store" in result.stderr, "the English text is the same, wherever it lies"
    finished.check()


def test_a_vocabulary_that_the_text_cannot_fill(finished: Finished) -> None:
    result = grid(finished.folder, "run", "two.yaml", "cell.tokenizer.vocab_size=20_000")
    message = failure(result)
    found = re.fullmatch(
        r"tokenizer\.vocab_size: 20000 pieces are more than the sample can fill \(\d+ bytes of "
        r"text in 2 languages\): the largest possible is (\d+)\. Lower tokenizer\.vocab_size, or "
        r"raise tokenizer\.sample_bytes or the amount of text\.",
        message,
    )
    assert found is not None, message
    most = int(found[1])
    result = grid(finished.folder, "run", "two.yaml", f"cell.tokenizer.vocab_size={most}")
    assert result.returncode == 0, "what the message says is possible"
    finished.check()


def test_a_vocabulary_that_cannot_hold_the_characters(finished: Finished) -> None:
    result = grid(finished.folder, "run", "two.yaml", "cell.tokenizer.vocab_size=10")
    message = failure(result)
    assert re.fullmatch(
        r"tokenizer\.vocab_size: 10 pieces cannot hold the characters that "
        r"tokenizer\.character_coverage = 0\.9995 requires in the sample \(\d+ bytes of text in 2 "
        r"languages\): the least possible is \d+\. Raise tokenizer\.vocab_size, or lower "
        r"tokenizer\.character_coverage\.",
        message,
    ), message
    finished.check()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "8m") as folder:
        yield folder


def fill(disk: Path, free: int) -> None:
    """Leaves `free` bytes on a disk. A file system without room for anything refuses the rest."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    space = os.statvfs(disk)
    filler.write_bytes(b"\0" * max(0, space.f_bavail * space.f_bsize - free))


def payloads(store: Path) -> dict[str, dict[str, str]]:
    """Checksums of what every artifact holds."""
    return {
        path.parent.name: {
            name: file["sha256"] for name, file in json.loads(path.read_text())["files"].items()
        }
        for path in (store / "artifacts").glob("*/*/*/manifest.json")
    }


def test_a_full_disk_at_any_stage_loses_nothing(finished: Finished, disk: Path) -> None:
    store, kept, said = disk / "runs", {}, []
    whole = payloads(finished.folder / "runs")
    for free in [0, *range(40_960, 8_000_000, 81_920)]:
        fill(disk, free)
        result = grid(finished.folder, "run", "two.yaml", "--store", store, "--workers", "1")
        if result.returncode == 0:
            break
        message = result.stderr[re.search("^(error|failed): ", result.stderr, re.M).start() :]
        message = message.splitlines()[0]
        assert re.search(
            f"store {store}\\S*: .*: no space is left. Free some, or choose another store with "
            "--store, and run the same command again: what is finished is kept",
            message,
        ), message
        assert result.returncode == (1 if message.startswith("failed: ") else 2)
        now = payloads(store)
        assert now.items() >= kept.items(), "finished work stays"
        assert now.items() <= whole.items(), "and is whole"
        assert not list((store / "artifacts").rglob(".*")), "nothing is left half done"
        kept, said = now, [*said, message]
    print(*said, sep="\n")
    assert said[0].startswith(f"error: store {store}: preparing it: no space is left")
    assert any(message.startswith("failed: ") for message in said)
    assert any(kept), "some stage was finished before the disk was full"
    assert result.stdout == finished.stdout
    # Other tests may have added stages of their own to the store that is compared with.
    assert payloads(store).items() <= whole.items()
    finished.check("--store", store)


def test_a_read_only_store_shows_what_it_has_and_refuses_the_rest(
    finished: Finished, disk: Path
) -> None:
    store = disk / "runs"
    shutil.copytree(finished.folder / "runs", store)
    make_read_only(disk)
    for command in ("run", "results"):
        result = grid(finished.folder, command, "two.yaml", "--store", store)
        assert (result.returncode, result.stdout) == (0, finished.stdout), result.stderr
    result = grid(finished.folder, "run", "two.yaml", "--store", store, "cell.encoder.width=16")
    assert result.returncode == 2
    assert result.stdout == ""
    assert re.fullmatch(
        f"error: store {store}: preparing it: the file system is read-only\\. Choose a store that "
        f"can be written with --store \\(at {store}/\\S+\\)",
        result.stderr.splitlines()[-1],
    ), result.stderr


def test_a_read_only_place_for_a_new_store(finished: Finished, disk: Path) -> None:
    make_read_only(disk)
    result = grid(finished.folder, "run", "two.yaml", "--store", disk / "runs")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        f"error: store {disk}/runs: preparing it: the file system is read-only. Choose a store "
        f"that can be written with --store (at {disk}/runs)"
    )
