"""A study whose trainer is a program of somebody's own: all stages real, none needs torch."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUDY = """\
title: Two trainers
cell:
  languages: [en, sw]
  corpus: {synthetic: {size: 30_000, smallest: 20_000, concepts: 60}}
  tokenizer: {vocab_size: 120, sample_bytes: 40_000, character_coverage: 0.98}
  commands:
    mine: {takes: [tokenizer, shards], replaces_pretraining: true, settings: {does: well, rate: 1}}
axes:
  - name: rates
    product: {commands.mine.settings.rate: [1, 2]}
"""
SITE = """\
commands:
  mine:
    run: ["{python}", train.py, "{config}"]
    version: 1
    environment: {GREETING: hello}
"""
PROGRAM = """\
import json, os, pathlib, sys, time

config = json.loads(pathlib.Path(sys.argv[1]).read_text())
settings, output = config["settings"], pathlib.Path(config["output"])
does, rate = settings["does"], settings["rate"]
print(os.environ["GREETING"], "at rate", rate, flush=True)
flag = pathlib.Path(__file__).with_name("fixed")
if does == "fail" and rate == 2 and not flag.exists():
    sys.exit("the loss is not finite")
if does == "wait":
    work = pathlib.Path(config["work"])
    count = len(list(work.iterdir()))
    (work / f"attempt{count}").write_text(str(os.getpid()))
    while not flag.exists():
        print("waiting", flush=True)
        time.sleep(0.1)
if does == "saves":
    import signal
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    saved = pathlib.Path(config["work"], "saved")
    while not saved.exists() and not asked:
        print("training", flush=True)
        time.sleep(0.05)
    if asked:
        saved.touch()
        sys.exit(0)
if does == "reserved":
    (output / "config.json").write_text("{}")
shards = {role: folder for role, folder in config["inputs"].items() if role.startswith("shards/")}
scores = [
    {"metric": "size", "language": role.partition("/")[2], "n": 1,
     "value": rate * (pathlib.Path(folder) / "tokens.bin").stat().st_size}
    for role, folder in shards.items()
]
metrics = {"well": json.dumps(scores), "lines": "\\n".join(map(json.dumps, scores)),
           "one": '{"loss": 1.5, "accuracy": 1}'}.get(does, json.dumps(scores))
if does == "nan":
    metrics = '{"loss": NaN}'
if does == "odd":
    metrics = '[{"metric": "loss", "score": 1}]'
if does != "silent":
    pathlib.Path(config["metrics"]).write_text(metrics)
(output / "model").mkdir()
(output / "model" / "weights.bin").write_bytes(bytes(1000 * rate))
(output / "seen.json").write_text(json.dumps(config["cell"]["languages"]))
"""


def write(folder: Path, study: str = STUDY) -> None:
    """The study, the site file and the program."""
    (folder / "own.yaml").write_text(study)
    (folder / "grid.yaml").write_text(SITE)
    (folder / "train.py").write_text(PROGRAM)


def environment() -> dict[str, str]:
    result = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    result.pop("GRID_STORE", None)
    return result


def grid(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """`python -m grid` in a folder. Whatever is wrong, it must not end in a traceback."""
    result = subprocess.run(
        [sys.executable, "-m", "grid", *map(str, arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in result.stdout + result.stderr, result.stderr
    return result
