"""Fills a store as if every stage of a graph had run, without running any.

Every artifact and attempt has the files that the real one has; weights, texts and predictions are
a few bytes. Configurations, manifests and keys are real, so `verify` finds all of them whole.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from grid.artifact import MANIFEST, manifest_text
from grid.environment import environment
from grid.execution import ExecutionConfig
from grid.graph import Graph, Stage
from grid.launch.jobs import job_of
from grid.outcome import DONE
from grid.publish import write_json, write_records
from grid.store import Store
from model.config import PretrainingConfig

POINTS = 100
"""Of a learning curve, as `model.training.record` writes it."""


_READ = ("exposure.json", "curve.json", "scores.json")
"""What results are read from."""


def fill(store: Store, graph: Graph, *, age: float = 0.0) -> int:
    """Publishes each stage of the graph that the store lacks; returns how many these are.

    age: seconds ago at which artifacts and attempts were last changed.
    """
    published = {name: store.published(name) for name in {name for name, _ in graph.stages}}
    missing = [stage for stage in graph.stages.values() if stage.key not in published[stage.name]]
    for stage in missing:
        job = job_of(stage, store, ExecutionConfig())
        _attempt(store, stage, job, age)
        _publish(store, stage, job, age)
    return len(missing)


def fill_scores(store: Store, graph: Graph) -> None:
    """Only what results are read from, for very many cells: no configurations and no attempts.

    Files that say the same are one file with many names, so a hundred thousand cells are made soon.
    """
    made: dict[tuple[object, ...], tuple[list[Path], dict[str, Any]]] = {}
    for stage in graph.stages.values():
        if stage.name not in _PAYLOADS or store.has(*stage.id):
            continue
        folder = store.path(*stage.id)
        folder.mkdir(parents=True)
        # What scores depend on here: the languages and the recipe, which cells share.
        recipe = getattr(stage.config, "pretraining", None)
        same = (stage.name, tuple(stage.config.languages), id(recipe))
        paths, listed = made.setdefault(same, ([], {}))
        for path in paths:
            os.link(path, folder / path.name)
        if not paths:
            for name, content in _PAYLOADS[stage.name](stage.config):
                if name in _READ:
                    write_json(folder / name, content)
                    written = (folder / name).read_bytes()
                    checksum = hashlib.sha256(written).hexdigest()
                    listed[name] = {"bytes": len(written), "sha256": checksum}
                    paths.append(folder / name)
        manifest = {"stage": stage.name, "key": stage.key, "version": 1, "files": listed}
        (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")


def _publish(store: Store, stage: Stage, job: dict[str, Any], age: float) -> None:
    folder = store.path(*stage.id)
    folder.mkdir(parents=True)
    for name, content in _PAYLOADS.get(stage.name, _text)(stage.config):
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            write_json(folder / name, content)
    write_records(
        folder,
        config={name: job[name] for name in ("config", "config_type", "inputs")},
        manifest={
            "stage": stage.name,
            "key": stage.key,
            "version": stage.version,
            "environment": environment(),
            "execution": {"device": job["device"], "threads": job["threads"]},
            "revision": job["revision"],
            "wall_seconds": 1.0,
            "finished": "2026-11-20T19:49:32+00:00",
        },
    )
    _make_older(folder, age)


def _attempt(store: Store, stage: Stage, job: dict[str, Any], age: float) -> None:
    folder = store.new_attempt(*stage.id, job)
    (folder / "log").write_bytes(b"")
    (folder / "progress.jsonl").write_text('{"time": 1.0, "step": 1, "total": 1}\n')
    outcome = {"state": DONE, "kind": "", "message": "", "host": "host"}
    write_json(folder / "outcome.json", {**outcome, "wall_seconds": 1.0, "peak_bytes": 1})
    _make_older(folder, age)


def _make_older(folder: Path, age: float) -> None:
    for path in (*folder.iterdir(), folder) if age else ():
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))


def _text(config: Any) -> Iterable[tuple[str, Any]]:
    """What the grid does not read: corpora, tokenizers, shards, the files of tasks."""
    return (("facts.json", {"bytes": 5}), ("content.bin", b"bytes"))


def _pretraining(config: Any) -> Iterable[tuple[str, Any]]:
    recipe: PretrainingConfig = config.pretraining
    tokens = (recipe.updates or 1) * recipe.batch_size * (recipe.sequence_length - 2)
    each = {"sequences": 5, "tokens": tokens // len(config.languages), "epochs": 0.25}
    losses = dict.fromkeys(config.languages, 4.550037384033203)
    curve = [[step, 4.550037384033203 - step / 100, step, losses] for step in range(POINTS)]
    languages = dict.fromkeys(config.languages, each)
    yield "curve.json", curve
    yield (
        "exposure.json",
        {"languages": languages, "updates": recipe.updates or 1, "tokens": tokens},
    )
    yield "model.json", {"rows": 92, "parameters": 2084, "languages": None}
    yield "model.safetensors", b"weights"


def _evaluation(config: Any) -> Iterable[tuple[str, Any]]:
    yield "scores.json", [
        {"task": "likelihood", "metric": metric, "language": code, "value": 1.5, "n": 90}
        | {"seen": True}
        for code in config.languages
        for metric in ("bits_per_byte", "unigram_bits_per_byte", "coverage")
    ]  # fmt: skip


def _finetuning(config: Any) -> Iterable[tuple[str, Any]]:
    languages = config.languages
    yield "scores.json", [
        {"task": config.task, "metric": metric, "language": code, "value": 0.5, "n": 24}
        | {"seen": True, "split": split, "regime": config.regime}
        for split, metrics in (
            ("validation", ("accuracy",)),
            ("test", ("accuracy", "majority_accuracy")),
        )
        for code in languages
        for metric in metrics
    ]  # fmt: skip
    yield "training.json", {"steps": 1, "losses": [1.0]}
    yield "predictions.parquet", b"predictions"


_PAYLOADS = {"pretraining": _pretraining, "evaluation": _evaluation, "finetuning": _finetuning}
