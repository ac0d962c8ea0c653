"""TEST DATA: stores around small studies with made-up scores. No number in them was measured."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars

import grid
from grid.planned import planned
from grid.results import plan_frame
from grid.study import Study
from model.tasks.catalogue import TASKS
from plots.studies import StudyOutput, find_studies

SIZES = """\
cell:
  languages: xlm-100
  corpus: {{source: {source}}}
  evaluation: {{languages: xlm-15}}
  tasks:
    xnli: {{source: {files}, regimes: [zero-shot, translate-train-all], seeds: {tuned}}}
{tasks}
axes:
  - {{name: sizes, product: {{{axis}}}}}
replicates: {{seed: {seeds}}}
tables: [xlmr_table_1]
"""
FILES = """\
    ner:
      source: conll
      languages: [de, en, es, nl]
      regimes: [zero-shot, in-language, in-language-all]
    mlqa: {source: mlqa, languages: [ar, de, en, es, hi, vi, zh]}
    mnli: &glue {source: glue, languages: [en]}
    mnli_mismatched: *glue
    qnli: *glue
    qqp: *glue
    sst2: *glue
    mrpc: *glue
    xquad: {source: xquad, languages: [ar, de, el, en, es, hi, ru, th, tr, vi, zh]}
"""
MONOLINGUAL = """\
axes:
  - name: alone
    product:
      languages: [[en], [fr], [de], [ru], [zh], [sw], [ur]]
      corpus.source: [wikipedia, cc100]
    cell: {tokenizer: {vocab_size: 40_000}, tasks: {xnli: {regimes: [translate-train]}}}
  - name: together
    product: {languages: [xlm-7], corpus.source: [wikipedia, cc100]}
    cell:
      tokenizer: {vocab_size: 150_000}
      tasks: {xnli: {regimes: [zero-shot, translate-train-all]}}
replicates: {seed: [1, 2, 3]}
tables: [xlmr_table_5]
"""
Score = Callable[[dict[str, Any]], float | None]
"""A score from what its row says of it; None for one that is not there."""


def sizes(
    folder: Path,
    name: str = "xlmr",
    *,
    axis: str = "encoder.size: [base, large]",
    real: bool = True,
    seeds: str = "[1, 2, 3]",
    tuned: str = "null",
) -> Path:
    """Writes a study of sizes, with files of every task, or with generated text and XNLI alone."""
    text = SIZES.format(
        source="cc100" if real else "synthetic",
        files="xnli" if real else "synthetic",
        tasks=FILES if real else "",
        axis=axis,
        seeds=seeds,
        tuned=tuned,
    )
    return _write(folder, name, text)


def monolingual(folder: Path) -> Path:
    """Writes a study of models for one language and for seven."""
    return _write(folder, "monolingual", MONOLINGUAL)


def fill(file: Path, store: Path, score: Score | None) -> StudyOutput:
    """A study's folder as a run leaves it; without `score`, as one that has computed nothing."""
    study = grid.load(file, store=store)
    study.folder.mkdir(parents=True)
    description = {
        "name": study.name,
        "scale": study.scale,
        "path": f"studies/{file.name}",
        "figures": list(study.figures),
        "tables": list(study.tables),
    }
    (study.folder / "study.json").write_text(json.dumps(description), encoding="utf-8")
    plan_frame(study).write_parquet(study.folder / "plan.parquet")
    planned(study.cells).write_parquet(study.folder / "planned.parquet")
    if score is not None:
        rows = list(_rows(study, score))
        frame = polars.DataFrame(rows, infer_schema_length=None)
        frame.write_parquet(study.folder / "results.parquet")
    return next(each for each in find_studies(store, study.name, study.scale))


def spread(row: dict[str, Any]) -> float:
    """A score between 0.5 and 0.6, its own for each row."""
    told = "task regime language metric cell finetuning_seed".split()
    return 0.5 + 0.1 * random.Random(" ".join(str(row[name]) for name in told)).random()


def _write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def _rows(study: Study, score: Score) -> Iterator[dict[str, Any]]:
    for cell in study.cells:
        source = cell.config.corpus.source
        shared: dict[str, Any] = {
            "study": study.name, "scale": study.scale, "block": cell.blocks[0], "cell": cell.id,
            "seed": cell.seed, **cell.coordinates, "n_languages": len(cell.config.languages),
            "milestone": None, "split": "test", "seen": True, "source": source,
            "profile": "wikipedia" if source == "synthetic" else None,
            "synthetic": source == "synthetic",
        }  # fmt: skip
        for metric, value in (("tokens", 6.2e12), ("corpus_tokens", 1.67e11)):
            about = {"regime": None, "finetuning_seed": None, "language": None, "value": value}
            yield {**shared, **about, "task": "pretraining", "metric": metric}
        for task, config in cell.config.tasks.items():
            if config is None:
                continue
            wanted = config.languages or cell.config.evaluation.languages or cell.config.languages
            for regime in config.regimes:
                for language in wanted:
                    for tuned in config.seeds or [cell.seed]:
                        about = {"task": task, "regime": regime, "language": language}
                        for metric in TASKS[task].metrics:
                            row = {**shared, **about, "finetuning_seed": tuned, "metric": metric}
                            value = score(row)
                            if value is not None:
                                yield {**row, "value": value}
                                yield {**row, "metric": f"majority_{metric}", "value": 0.345}
