"""Writes tests/golden/store.tar.xz: a small store that this version of the program has filled.

    python -m tests.grid.golden_store

Two studies of seconds that leave every kind of file: text and tasks from files, a trained and a
published model, milestones, a program of somebody's own, a stage that failed.
What is written once stays: a new version of the program has to read the old archive, so it is only
written anew where a format was given up on purpose, which CHANGELOG.md then says.
"""

import io
import os
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.grid.own_trainer import PROGRAM

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT / "tests" / "golden" / "store.tar.xz"
PLACE = Path(tempfile.gettempdir()) / "golden_store"
"""Where it is made: manifests name it."""

STUDY = """\
title: Every kind of file
source: "A trial, Section 1"
cell:
  languages: [en, sw]
  corpus: {source: books, held_out: {max_bytes: 600}}
  tokenizer: {vocab_size: 90, sample_bytes: 30_000, character_coverage: 0.98}
  encoder: {layers: 1, width: 8, heads: 2, norm: post, max_positions: 32}
  pretraining:
    {updates: 4, milestones: [2], batch_size: 2, sequence_length: 16, precision: fp32}
  evaluation: {max_bytes: 300, passes: 2}
  tasks:
    xnli: {source: tasks, languages: [en, sw], epochs: 1, batch_size: 8, max_length: 32}
    retrieval: {source: tasks, languages: [sw], max_length: 32}
  commands:
    mine: {takes: [pretraining, shards], settings: {does: well, rate: 1}}
axes:
  - {name: alphas, product: {sampling.alpha: [0.3, 1.0]}}
locations: {books: text, tasks: tasks}
"""
FROM = """\
title: From a published model
cell:
  languages: [en, sw]
  corpus: {source: books, held_out: {max_bytes: 600}}
  checkpoint: model
  encoder: {layers: 1, width: 8, heads: 2, max_positions: 32}
  tokenizer: {vocab_size: 90}
  pretraining: {updates: 2, batch_size: 2, sequence_length: 16, precision: fp32}
  evaluation: {max_bytes: 300, passes: 2}
locations: {books: text, model: model}
"""
SITE = """\
commands:
  mine:
    run: ["{python}", train.py, "{config}"]
    version: 1
    environment: {GREETING: hello}
"""
COLUMNS = (
    "language gold_label sentence1_binary_parse sentence2_binary_parse sentence1_parse "
    "sentence2_parse sentence1 sentence2 promptID pairID genre label1 label2 label3 label4 label5 "
    "sentence1_tokenized sentence2_tokenized match"
).split()
LABELS = ("entailment", "neutral", "contradiction")


def write_inputs(folder: Path) -> None:
    """The studies, their text and their tasks' files."""
    (folder / "every.yaml").write_text(STUDY)
    (folder / "from.yaml").write_text(FROM)
    (folder / "grid.yaml").write_text(SITE)
    (folder / "train.py").write_text(PROGRAM)
    for code in ("en", "sw"):
        _write(folder / "text" / f"{code}.txt", "\n\n".join(_sentences(code, 60)) + "\n")
    for part, count in (("dev", 12), ("test", 24)):
        rows = ["\t".join(COLUMNS)]
        for code in ("en", "sw"):
            rows += [_row(code, number, *pair) for number, pair in enumerate(_pairs(code, count))]
        _write(folder / "tasks" / "XNLI-1.0" / f"xnli.{part}.tsv", "\n".join(rows) + "\n")
    train = ["premise\thypothesis\tlabel"]
    train += ["\t".join((*pair, LABELS[n % 3])) for n, pair in enumerate(_pairs("en", 48))]
    text = ("\n".join(train) + "\n").replace("contradiction", "contradictory")
    _write(folder / "tasks" / "XNLI-MT-1.0" / "multinli" / "multinli.train.en.tsv", text)
    for code, name in (("sw", "swh"), ("en", "eng")):
        _write(folder / "tasks" / f"tatoeba.swh-eng.{name}", "\n".join(_sentences(code, 20)) + "\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _sentences(code: str, count: int) -> list[str]:
    draw = random.Random(code)
    words = ["".join(draw.choices("abdefghiklmnoprstuw", k=draw.randint(2, 6))) for _ in range(80)]
    return [" ".join(draw.choices(words, k=8)) + "." for _ in range(count)]


def _pairs(code: str, count: int) -> list[tuple[str, str]]:
    sentences = _sentences(code, 2 * count)
    return list(zip(sentences[:count], sentences[count:], strict=True))


def _row(code: str, number: int, first: str, second: str) -> str:
    given = {
        "language": code,
        "gold_label": LABELS[number % 3],
        "sentence1": first,
        "sentence2": second,
    }
    return "\t".join(given.get(column, "_") for column in COLUMNS)


def grid(folder: Path, *words: object, status: int = 0) -> "subprocess.CompletedProcess[str]":
    """`python -m grid` in a folder; its output, standard and error. Fails on another status."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("GRID_STORE", None)
    done = subprocess.run(
        [sys.executable, "-m", "grid", *map(str, words)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == status, f"{words}: {done.stdout}\n{done.stderr}"
    return done


def fill(folder: Path) -> None:
    """Runs both studies, with a failure on the way, and writes down what they gave."""
    write_inputs(folder)
    grid(folder, "run", "every.yaml", "cell.commands.mine.settings.does=silent", status=1)
    grid(folder, "run", "every.yaml")
    grid(folder, "export", "every.yaml", 1, "model")
    grid(folder, "run", "from.yaml")
    for study in ("every", "from"):
        told = grid(folder, "results", f"{study}.yaml", "--format", "csv").stdout
        _write(folder / f"{study}.csv", told)
    own = f'"host": "{socket.gethostname()}"'  # nobody's business
    for pattern in ("attempts/**/outcome.json", "work/**/*.lease/*"):
        for path in (folder / "runs").glob(pattern):
            path.write_text(path.read_text().replace(own, '"host": "host"'))


def pack(folder: Path) -> bytes:
    """The folder as an archive without owners and times."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz", preset=9) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name, filter=plain)
    return out.getvalue()


def unpack(folder: Path) -> None:
    """What the archive holds, into a folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")


def main() -> None:
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir()
    try:
        fill(PLACE)
        ARCHIVE.write_bytes(pack(PLACE))
    finally:
        shutil.rmtree(PLACE)
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
