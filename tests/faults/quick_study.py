"""A study of quick stages, none of which needs torch, that goes through every path of the store.

Text files whose checksums are cached, a tokenizer, shards, and a program of the user's own, which
saves its state in the work folder, goes on from it, and fails half-way as long as its mistake is
not mended.
"""

import os
import random
import shutil
from pathlib import Path

from tests.faults.campaign import Bench, Command, contents, grid, replace, run

FILE, OTHER = "faults.yaml", "other.yaml"
STUDY = """\
title: Faults
cell:
  languages: [en, sw]
  corpus: {source: mine}
  tokenizer: {vocab_size: 60, sample_bytes: 20_000, character_coverage: 0.98}
  commands:
    own: {takes: [tokenizer, shards], replaces_pretraining: true, settings: {rate: 1}}
axes:
  - name: rates
    product: {commands.own.settings.rate: RATES}
locations: {mine: text}
"""
CLAIM = """\
claims:
  - says: A higher rate is better
    source: nowhere
    expect: {metric: own.size, over: [en, sw], of: {block: rates, commands.own.settings.rate: 2},
             above: {block: rates, commands.own.settings.rate: 1}}
"""
SITE = """\
store: disk/runs
commands:
  own: {run: ["{python}", -S, train.py, "{config}"], version: 1}
"""
PROGRAM = """\
import hashlib, json, os, pathlib, sys

def write(path, text):
    new = path.with_suffix(".new")
    with new.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(new, path)

config = json.loads(pathlib.Path(sys.argv[1]).read_text())
rate, output = config["settings"]["rate"], pathlib.Path(config["output"])
shards = [pathlib.Path(folder) for role, folder in sorted(config["inputs"].items())
          if role.startswith("shards/")]
text = b"".join((folder / "tokens.bin").read_bytes() for folder in shards)
saved = pathlib.Path(config["work"], "state.json")
step, state = json.loads(saved.read_text()) if saved.exists() else (0, "")
while step < 6:
    step, state = step + 1, hashlib.sha256(f"{state} {rate}".encode() + text).hexdigest()
    write(saved, json.dumps([step, state]))
    print("step", step, flush=True)
    if rate == 2 and step == 3 and not pathlib.Path(__file__).with_name("mended").exists():
        sys.exit("the loss is not finite")
(output / "model").mkdir()
for number in range(3):
    (output / "model" / f"{number}.bin").write_bytes(bytes.fromhex(state) * (1 + number))
value = rate + int(state[:6], 16) / 2**24
rows = [{"metric": "size", "language": code, "n": 1, "value": value} for code in ("en", "sw")]
write(output / "metrics.json", json.dumps(rows))
"""


def bench(folder: Path) -> Bench:
    """The study in `folder`/place, and beside it the stores that its commands begin with."""
    made = Bench(
        folder=folder / "place",
        commands=[
            Command(name="run", line=grid("run", FILE), store=None, mended=False),
            Command(name="run again", line=grid("run", FILE), store=folder / "failed"),
            Command(name="retry", line=grid("retry", FILE), store=folder / "failed"),
            Command(
                name="adopt",
                line=grid("adopt", str(folder / "finished"), "--study", FILE),
                store=None,
                completes=False,
            ),
            Command(
                name="prune",
                line=grid("prune", "--delete", "--keep-days", "0"),
                store=folder / "surplus",
                completes=False,
            ),
        ],
        again=grid("run", FILE),
        expected={},
    )
    made.folder.mkdir(parents=True)
    write(made.folder)
    for store, file, mended, status in (
        ("failed", FILE, False, 1),
        ("finished", FILE, True, 0),
        ("surplus", OTHER, True, 0),
    ):
        made.mend(mended)
        result = run(made.folder, grid("run", file))
        assert result.returncode == status, result.stdout
        if store == "surplus":
            shutil.rmtree(made.store / "studies" / "other")  # what it alone needs may go
        replace(folder / store, made.store)
    made.expected.update(contents(folder / "finished"))
    return made


def write(folder: Path) -> None:
    """The study, one of other cells in the same store, the site file, the program and the text."""
    (folder / FILE).write_text(STUDY.replace("RATES", "[1, 2]") + CLAIM)
    (folder / OTHER).write_text(STUDY.replace("RATES", "[2, 3]"))
    (folder / "grid.yaml").write_text(SITE)
    (folder / "train.py").write_text(PROGRAM)
    (folder / "text").mkdir()
    draw = random.Random(0)
    for language, letters in (("en", "etaoinshrd"), ("sw", "aiunkmlwyb")):
        lines = [
            " ".join("".join(draw.choices(letters, k=draw.randint(2, 6))) for _ in range(8))
            for _ in range(600)
        ]
        path = folder / "text" / f"{language}.txt"
        path.write_text("\n\n".join(lines) + "\n")
        os.utime(path, (1e9, 1e9))  # long settled, so that its checksum is cached
