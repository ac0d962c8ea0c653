"""TEST DATA: a study's artifacts as a run leaves them, around made-up scores."""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import grid
from grid.cell import Cell
from grid.claims import CLAIMS, Comparison, Side, Verdict, Verdicts
from grid.claims.verdicts import text
from grid.graph import StageId
from grid.study import Study
from tests.grid.signed import sign

LANGUAGES = ("en", "fr", "de", "ru", "zh", "sw", "ur")
MANIFEST = {
    "environment": {"python": "3.11.7", "torch": "2.13.0+cpu"},
    "execution": {"device": "cpu", "threads": 1},
    "finished": "2026-11-20T18:17:59+00:00",
    "revision": "c7ba257ac93b700ef9758fd06b682e8058d0db3d",
    "wall_seconds": 2.5,
}
STUDY = """\
title: {title}
source: "Conneau et al. 2020, Section 5.1"
cell:
  corpus: {{source: synthetic}}
  evaluation: {{languages: xlm-7}}
  tasks: {{xnli: {{source: synthetic}}}}
  tokenizer: {{vocab_size: 800}}
  encoder: {{layers: 1, heads: 2, norm: pre, max_positions: 128}}
  pretraining: {{updates: 1000, batch_size: 8, sequence_length: 40, precision: fp32}}
axes:
  - name: {block}
    product: {axes}
  - name: wider
    zip: {{languages: [xlm-7, xlm-30], encoder.width: [16, 24]}}
replicates: {{seed: [1, 2, 3]}}
figures: {figures}
claims:
  - says: {claim}
    source: Figure 2
    expect: {{metric: xnli.accuracy, over: xlm-7, of: {{block: wider, languages: xlm-30}},
             below: {{block: wider, languages: xlm-7}}}}
"""
FEW = "{languages: [xlm-7, xlm-15, xlm-30], encoder.width: [16]}"
MANY = (  # 4 x 7 x 12 points x 3 seeds = 1,008 cells
    "{languages: [xlm-7, xlm-15, xlm-30, xlm-100], encoder.width: [16, 20, 24, 28, 32, 36, 40], "
    "pretraining.learning_rate: {geom: [1e-4, 1e-1, 12]}}"
)


def study(
    folder: Path,
    axes: str = FEW,
    title: str = "More languages",
    block: str = "fixed width",
    claim: str = "All fall",
    figures: str = "[]",
    overrides: Sequence[str] = (),
) -> Study:
    """A study of its own in a store of its own, nothing of it run."""
    file = folder / "more.yaml"
    words = {"title": title, "block": block, "claim": claim}
    quoted = {name: json.dumps(value) for name, value in words.items()}
    file.write_text(STUDY.format(axes=axes, figures=figures, **quoted), encoding="utf-8")
    return grid.load(file, *overrides, store=folder / "runs")


def fill(study: Study, but: Sequence[str] = ()) -> None:
    """Writes the artifacts of every cell, except the own ones of the cells `but`."""
    store, graph = study.open_store(), study.graph()
    cells = {cell.id: cell for cell in study.cells}
    for id, roles in graph.cells.items():
        for role, stage in roles.items():
            if id not in but or stage[0] in ("corpus", "tokenizer", "shards", "task"):
                _artifact(store.path(*stage), stage, role, cells[id])


def judge(study: Study, procedure: str = "t tests, paired by seed; Holm") -> None:
    """Writes verdicts of every kind, made up, on the study's first two blocks."""
    cells = [cell.id for cell in study.cells[:6]]
    seeds = {1: -2.1, 2: -1.6, 3: -2.4}
    compared = Comparison(
        kind="below",
        metric="xnli.accuracy",
        over=LANGUAGES,
        unit="points",
        margin=0.5,
        of=Side(name="wider, xlm-30", cells=tuple(cells[:3]), mean=44.1),
        against=(Side(name="wider, xlm-7", cells=tuple(cells[3:]), mean=46.1),),
        seeds=seeds,
        effect=-2.03,
        low=-3.04,
        high=-1.02,
        standardised=-5.0,
    )
    says = study.claims[0].says
    verdicts = [
        Verdict(
            says=f"{says} ({word})",
            source="Figure 2",
            figure=None,
            verdict=word,
            why="The effect is as large as the paper's.",
            p=0.01,
            p_adjusted=0.04,
            comparisons=(compared,) if word != "not applicable" else (),
            seeds_needed=5 if word == "undecided" else None,
            missing=tuple(cells[:1]) if word == "undecided" else (),
        )
        for word in ("holds", "fails", "undecided", "not applicable")
    ]
    study.folder.mkdir(parents=True, exist_ok=True)
    content = Verdicts(
        study=study.name,
        scale=study.scale,
        judged_at="2026-11-20T19:00:00+00:00",
        results_sha256=None,
        seeds=(1, 2, 3),
        alpha=0.05,
        procedure=procedure,
        claims=tuple(verdicts),
    )
    (study.folder / CLAIMS).write_text(text(content), encoding="utf-8")


def fail(study: Study, cell: str, message: str, log: str) -> None:
    """Leaves a failed attempt at a cell's pretraining."""
    id = study.graph().cells[cell]["pretraining"]
    folder = study.open_store().new_attempt(*id, {})
    (folder / "log").write_text(log, encoding="utf-8")
    outcome = {
        "state": "failed",
        "kind": "crash",
        "message": message,
        "host": "node7",
        "wall_seconds": 90.0,
    }
    (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


def _artifact(folder: Path, stage: StageId, role: str, cell: Cell) -> None:
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    _payload(folder, stage, role, cell)
    sign(folder)


def _payload(folder: Path, stage: StageId, role: str, cell: Cell) -> None:
    _write(folder / "manifest.json", {**MANIFEST, "stage": stage[0], "key": stage[1]})
    noise = random.Random(stage[1])
    spread = math.log2(len(cell.config.languages) / 7) + noise.gauss(0, 0.05)
    if stage[0] == "pretraining":
        each = {
            name: {"tokens": 400_000 // (index + 1), "epochs": 8 / (index + 1), "sequences": 9}
            for index, name in enumerate(cell.config.languages)
        }
        _write(folder / "exposure.json", {"languages": each, "tokens": 320_000, "updates": 1000})
        curve = [
            [
                10 * step,
                4 + 5 * math.exp(-step / 15) + noise.gauss(0, 0.1) + 0.2 * spread,
                320 * step,
                {},
            ]
            for step in range(1, 101)
        ]
        _write(folder / "curve.json", curve)
    elif stage[0] == "evaluation":
        _write(
            folder / "scores.json",
            [
                _score(
                    language, cell, "likelihood", metric, value + 0.1 * index + noise.gauss(0, 0.01)
                )
                for index, language in enumerate(LANGUAGES)
                for metric, value in (
                    ("bits_per_byte", 1.7 + 0.4 * spread),
                    ("unigram_bits_per_byte", 2.4),
                    ("coverage", 0.999),
                )
            ],
        )
    elif stage[0] == "finetuning":
        _write(
            folder / "scores.json",
            [
                {
                    **_score(language, cell, "xnli", metric, value + noise.gauss(0, 0.01)),
                    "split": "test",
                }
                for language in LANGUAGES
                for metric, value in (
                    ("accuracy", 0.5 - 0.02 * spread),
                    ("majority_accuracy", 0.34),
                )
            ],
        )


def _score(language: str, cell: Cell, task: str, metric: str, value: float) -> dict[str, object]:
    seen = language in cell.config.languages
    return {
        "language": language,
        "task": task,
        "metric": metric,
        "n": 900,
        "seen": seen,
        "value": value,
    }


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
