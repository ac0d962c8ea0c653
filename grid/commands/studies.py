"""`run`, `plan`, `results` and `show`: what is in a study, and what comes of it."""

import json
import shutil
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grid.cli import DONE, FAILED
from grid.commands import call_of, load_studies, load_study, say
from grid.confine import read_file
from grid.errors import StudyError

if TYPE_CHECKING:
    import polars

    from grid.graph import Graph
    from grid.launch.report import Report
    from grid.studies import Studies
    from grid.study import Study

_NAMED = 12
"""Blocked stages that a message names."""


def run(options: Namespace) -> int:
    """Runs what is missing; prints the results table and draws the figures."""
    from grid.commands.submission import check_call, submitted

    check_call(options)
    studies = load_studies(options)
    count = f"{len(studies.cells)} cells at scale {studies.scale}"
    say(f"{studies.title}: {count}, store {studies.store}")
    for note in studies.notes:
        say(note)
    if options.launcher == "slurm":
        return submitted(options, studies)
    report = studies.run(workers=options.workers)
    return conclude(studies.studies, report, options.format)


def conclude(studies: "Sequence[Study]", report: "Report", format: str) -> int:
    """After a run: tells what happened, prints the results table and draws the figures."""
    from grid.results import RESULTS
    from grid.study_files import read_frame
    from grid.summary import columns

    _tell(report)
    if report.unwritten is not None:
        return FAILED
    frames = [
        read_frame(
            study.folder / RESULTS,
            ["synthetic", *columns(study.paths)] if format == "table" else None,
        )
        for study in studies
    ]
    _print_results(studies, frames, format)
    for study in studies:
        _tell_verdicts(study)
    drawn = [
        frame.is_empty() or _draw(study, format)
        for study, frame in zip(studies, frames, strict=True)
    ]
    return DONE if report.ok and all(drawn) else FAILED


def plan(options: Namespace) -> int:
    """Prints the cells with their states and prices; what they come to goes to standard error.

    A plan needs no text: where a source has no location yet, published sizes stand in.
    """
    from grid import plan_text, tables

    studies = load_studies(options)
    studies.check_placement(machine=False)
    plan = studies.priced(options.device_profile)
    frame = plan.frame()
    width = terminal_width()
    if options.format == "table":
        print(plan_text.shown(plan, frame, width))
    else:
        tables.write(frame, options.format)
    sys.stdout.flush()
    for note in (*studies.notes, *plan_text.lines(plan, frame)):
        for line in tables.fold(note, width):
            say(line)
    if not any(plan.lacking.values()):  # otherwise the keys of today are not known
        for study in studies.studies:
            _tell_orphans(study, plan.graph, call_of("why", study.file, options))
    if options.device_profile is None:  # what is priced for another machine is not run here
        _tell_machine(studies)
    return DONE


def results(options: Namespace) -> int:
    """Prints the summary as a table, or every row in the other formats; or the tasks' tables."""
    studies = load_studies(options)
    frames = [study.results() for study in studies.studies]
    if options.tasks:
        _print_tasks(studies.studies, frames, options.format)
        return DONE
    _print_results(studies.studies, frames, options.format)
    return DONE


def show(options: Namespace) -> int:
    """Prints every value of a cell's configuration with the place where it was written."""
    from grid import tables
    from grid.origins import origins_frame

    study = load_study(options)
    cell = study.cell(options.cell)
    if options.format == "table":
        print(f"cell {cell.id} (number {cell.number}), in {', '.join(cell.blocks)}")
        for path, solved in cell.solved.items():
            print(f"{path} is solved for: {solved}")
    tables.write(origins_frame(study, cell), options.format)
    return DONE


def _tell_verdicts(study: "Study") -> None:
    """A line for each claim that applies; `claims` prints what they rest on."""
    from grid.claims import NOT_APPLICABLE, read
    from grid.tables import fold

    verdicts = read(study.folder)
    for claim in verdicts.claims if verdicts is not None else ():
        if claim.verdict != NOT_APPLICABLE:
            effect = claim.told_effect and f": {claim.told_effect}"
            for line in fold(f"{claim.verdict}: {claim.says}{effect}", terminal_width()):
                say(line)


def terminal_width() -> int:
    """Columns of the terminal; `tables.WIDTH` where there is none."""
    from grid.tables import WIDTH

    return shutil.get_terminal_size((WIDTH, 0)).columns


def _tell_machine(studies: "Studies") -> None:
    """Whether this machine has the GPUs that `execution` asks for: a plan needs none."""
    try:
        studies.check_placement()
    except StudyError as error:
        say(f"it cannot run on this machine: {error}")


def _tell_orphans(study: "Study", graph: "Graph", listed_by: str) -> None:
    """Which artifacts of the last run this study does not use any more, and why."""
    from grid import wanted
    from grid.why import text

    store = study.open_store()
    orphans = wanted.orphaned(study, graph, store)
    if not orphans:
        return
    say(
        f"{len(orphans)} artifacts of its last run are not used any more "
        f"({wanted.summary(orphans)}):"
    )
    causes = []
    for orphan in wanted.explain(study, graph, store, wanted.sample(orphans)):
        told = "; ".join(
            f"{found.field} was {text(found.a, found.b)}, is {text(found.b, found.a)}"
            for found in orphan.differences
        )
        causes.append(told or "nothing takes their place")
    for cause in list(dict.fromkeys(causes))[:_NAMED]:
        say(f"  {cause}")
    say(f"  {listed_by} lists them")


def _print_results(
    studies: "Sequence[Study]", frames: "Sequence[polars.DataFrame]", format: str
) -> None:
    from grid import tables
    from grid.studies import stacked
    from grid.summary import summary

    if format != "table":
        tables.write(stacked(studies, frames), format)
        return
    for study, frame in zip(studies, frames, strict=True):
        if frame.is_empty():
            say("no results yet: nothing of this study has been pretrained in this store")
            continue
        note = " (synthetic text)" if frame["synthetic"].all() else ""
        print(f"{study.title}, scale {study.scale}{note}: means over seeds")
        print(tables.fitted(summary(frame, study.paths), terminal_width()))
        sys.stdout.flush()


def _print_tasks(
    studies: "Sequence[Study]", frames: "Sequence[polars.DataFrame]", format: str
) -> None:
    from grid import tables, task_results
    from grid.studies import stacked

    found = [
        task_results.by_language(frame, study.paths)
        for study, frame in zip(studies, frames, strict=True)
    ]
    if format != "table":
        tables.write(stacked(studies, found), format)
        return
    for study, long in zip(studies, found, strict=True):
        print(f"{study.title}, scale {study.scale}")
        for title, table in task_results.tables(long, study.paths):
            print(f"\n{title}\n{tables.fitted(table, terminal_width())}")
        if long.is_empty():
            say("no task of this study has been scored in this store yet")
        sys.stdout.flush()


def _tell(report: "Report") -> None:
    """What ran, what was found, and what failed with the place of its log."""
    say(
        f"{len(report.done)} stages run, {len(report.cached)} found in the store, "
        f"{report.wall_seconds:.1f} s"
        + (f", workers busy {report.busy:.0%} of it" if report.done else "")
    )
    for stage in report.stopped:
        say(f"stopped: {stage}; the same command goes on with it")
    for failure in report.failed:
        say(f"failed: {failure.stage}: {failure.message}")
        if failure.log is not None:
            say(f"  log: {failure.log}")
    waiting: dict[str, Counter[str]] = {}
    for blocked in report.blocked:
        waiting.setdefault(str(blocked.because), Counter())[blocked.stage.name] += 1
    for because, kinds in waiting.items():
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        say(f"blocked by {because}: {counts} (see status)")
    if report.unwritten is not None:
        say(f"failed: the results: {report.unwritten}")


def _draw(study: "Study", format: str) -> bool:
    """Makes the study's figures and tables in a process of their own, unless they show these."""
    from grid.results import results_sha256

    checksum = results_sha256(study)
    made = [f"figures/{name}" for name in study.figures]
    made += [f"tables/{name}" for name in study.tables]
    shown = [_drawn_from(study.folder / f"{name}.json") for name in made]
    # A figure whose blocks this run leaves out has no sidecar: plots says so once, when it draws.
    if not made or (checksum in shown and set(shown) <= {checksum, None}):
        return True
    command = [sys.executable, "-m", "plots", "--store", str(study.store)]
    command += ["--study", study.name, "--scale", study.scale]
    # Its paths are part of what a person reads, but not of a CSV, JSON or Parquet file.
    output = None if format == "table" else sys.stderr.fileno()
    status = subprocess.run(command, stdout=output, check=False).returncode
    if status != 0:
        say(f"failed: {', '.join(made)} (python -m plots ended with {status})")
    return status == 0


def _drawn_from(sidecar: Path) -> str | None:
    """Checksum of the results that a figure or a table was made from."""
    try:
        value = json.loads(read_file(sidecar))
    except (OSError, ValueError, RecursionError):
        return None
    return value.get("results_sha256") if isinstance(value, dict) else None
