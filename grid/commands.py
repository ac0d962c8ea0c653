"""The commands of `python -m grid`, each on the options that grid/cli.py has read."""

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grid.cli import DONE, FAILED
from grid.studies import Studies, load_studies
from grid.study import Study, load

if TYPE_CHECKING:
    import polars

    from grid.launch.report import Report

STUDY_ENDINGS = (".yaml", ".yml", ".json")
_NAMED = 12
"""Blocked stages that a message names."""


def run(options: Namespace) -> int:
    """Runs what is missing; prints the results table and draws the figures."""
    from grid.results import RESULTS, read_frame

    studies = _load_several(options)
    count = f"{len(studies.cells)} cells at scale {studies.scale}"
    _say(f"{studies.title}: {count}, store {studies.store}")
    report = studies.run(workers=options.workers)
    _tell(report)
    if report.unwritten is not None:
        return FAILED
    frames = [read_frame(study.folder / RESULTS) for study in _each(studies)]
    _print_results(studies, frames, options.format)
    drawn = [
        frame.is_empty() or _draw(study, options.format)
        for study, frame in zip(_each(studies), frames, strict=True)
    ]
    return DONE if report.ok and all(drawn) else FAILED


def plan(options: Namespace) -> int:
    """Prints the cells with their states and prices; what they come to goes to standard error.

    A plan needs no text: where a source has no location yet, published sizes stand in.
    """
    from grid import plan_text, tables

    studies = _load_several(options)
    studies.check_placement(machine=False)
    plan = studies.priced(options.device_profile)
    frame = plan.frame()
    narrow = options.format == "table"
    tables.write(plan_text.table(plan, frame) if narrow else frame, options.format)
    sys.stdout.flush()
    for note in studies.notes:
        _say(note)
    for line in plan_text.lines(plan, frame):
        _say(line)
    return DONE


def results(options: Namespace) -> int:
    """Prints the summary as a table, or every row in the other formats."""
    studies = _load_several(options)
    frames = [study.results() for study in _each(studies)]
    _print_results(studies, frames, options.format)
    return DONE


def show(options: Namespace) -> int:
    """Prints every value of a cell's configuration with the place where it was written."""
    from grid import tables
    from grid.origins import origins_frame

    study = _load(options)
    cell = study.cell(options.cell)
    if options.format == "table":
        print(f"cell {cell.id} (number {cell.number}), in {', '.join(cell.blocks)}")
        for path, solved in cell.solved.items():
            print(f"{path} is solved for: {solved}")
    tables.write(origins_frame(study, cell), options.format)
    return DONE


def status(options: Namespace) -> int:
    """Prints one row for each stage: its state, attempts, and what the last failure said."""
    from grid import tables
    from grid.status import status_frame

    frame = status_frame(_load_several(options))
    tables.write(frame, options.format)
    counts = dict(frame["state"].value_counts().sort("state").iter_rows())
    _say(", ".join(f"{count} {state}" for state, count in counts.items()))
    return FAILED if "failed" in counts else DONE


def logs(options: Namespace) -> int:
    """Prints the latest attempt's logs of each stage of a cell that has one."""
    from grid.outcome import logs_of

    study = _load(options)
    cell = study.cell(options.cell)
    graph, store = study.graph(), study.open_store()
    tried = False
    for stage, key in dict.fromkeys(graph.cells[cell.id].values()):
        for attempt in store.attempts(stage, key)[-1:]:
            tried = True
            print(f"==> {stage} {key}, attempt {attempt.name}: {attempt / 'log'}")
            for log in logs_of(attempt):  # one for each rank
                if log.name != "log":
                    print(f"--> {log}")
                print(log.read_text(encoding="utf-8", errors="replace").rstrip())
    if not tried:
        _say(f"no logs: no stage of {cell.id} has been tried in the store {study.store}")
    return DONE


def _load(options: Namespace) -> Study:
    return load(
        options.study,
        *options.overrides,
        scale=options.scale,
        store=options.store,
        site=options.site,
    )


def _load_several(options: Namespace) -> Study | Studies:
    """The study that the call names, or all of them where it names several."""
    more = [text for text in options.overrides if text.endswith(STUDY_ENDINGS) and "=" not in text]
    if not more:
        return _load(options)
    return load_studies(
        [options.study, *more],
        *(text for text in options.overrides if text not in more),
        scale=options.scale,
        store=options.store,
        site=options.site,
    )


def _each(studies: Study | Studies) -> tuple[Study, ...]:
    return studies.studies if isinstance(studies, Studies) else (studies,)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_results(
    studies: Study | Studies, frames: "Sequence[polars.DataFrame]", format: str
) -> None:
    from grid import tables
    from grid.results import summary
    from grid.studies import stacked

    if format != "table":
        tables.write(stacked(_each(studies), frames), format)
        return
    for study, frame in zip(_each(studies), frames, strict=True):
        if frame.is_empty():
            _say("no results yet: nothing of this study has been pretrained in this store")
            continue
        note = " (synthetic text)" if frame["synthetic"].all() else ""
        print(f"{study.title}, scale {study.scale}{note}: means over seeds")
        tables.write(summary(frame, study.paths), "table")
        sys.stdout.flush()


def _tell(report: "Report") -> None:
    """What ran, what was found, and what failed with the place of its log."""
    _say(
        f"{len(report.done)} stages run, {len(report.cached)} found in the store, "
        f"{report.wall_seconds:.1f} s"
        + (f", workers busy {report.busy:.0%} of it" if report.done else "")
    )
    for stage in report.stopped:
        _say(f"stopped: {stage}; the same command goes on with it")
    for failure in report.failed:
        _say(f"failed: {failure.stage}: {failure.message}")
        if failure.log is not None:
            _say(f"  log: {failure.log}")
    waiting: dict[str, list[str]] = {}
    for blocked in report.blocked:
        waiting.setdefault(str(blocked.because), []).append(str(blocked.stage))
    for because, names in waiting.items():
        more = f" and {len(names) - _NAMED} more (see status)" if len(names) > _NAMED else ""
        _say(f"blocked by {because}: {', '.join(names[:_NAMED])}{more}")
    if report.unwritten is not None:
        _say(f"failed: the results: {report.unwritten}")


def _draw(study: Study, format: str) -> bool:
    """Draws the study's figures in a process of their own, unless they show these results."""
    from grid.results import results_sha256

    checksum = results_sha256(study)
    shown = [_drawn_from(study.folder / "figures" / f"{name}.json") for name in study.figures]
    # A figure whose blocks this run leaves out has no sidecar: plots says so once, when it draws.
    if not study.figures or (checksum in shown and set(shown) <= {checksum, None}):
        return True
    command = [sys.executable, "-m", "plots", "--store", str(study.store)]
    command += ["--study", study.name, "--scale", study.scale]
    # Its paths are part of what a person reads, but not of a CSV, JSON or Parquet file.
    output = None if format == "table" else sys.stderr.fileno()
    status = subprocess.run(command, stdout=output, check=False).returncode
    if status != 0:
        _say(
            f"failed: the figures {', '.join(study.figures)} (python -m plots ended with {status})"
        )
    return status == 0


def _drawn_from(sidecar: Path) -> str | None:
    """Checksum of the results that a figure was drawn from."""
    try:
        value = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value.get("results_sha256") if isinstance(value, dict) else None
