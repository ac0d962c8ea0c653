"""`claims`: what the results say of the statements that a study makes."""

import math
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from grid.cli import DONE, FAILED
from grid.commands import call_of, load_studies, say
from grid.errors import StoreError, StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grid.claims import Verdicts
    from grid.claims.settle import Outlook, Step
    from grid.graph import StageId
    from grid.launch.report import Report
    from grid.study import Study

MOST_SEEDS = 12
_SLURM_NEEDS = (
    "--budget: expected device hours, such as --budget 100h, found nothing; with --launcher slurm "
    "what may be spent must be said"
)


def claims(options: Namespace) -> int:
    """Judges each study on the results that are there; with --settle adds seeds before."""
    _check_call(options)
    studies = load_studies(options).studies
    if not any(study.claims for study in studies):
        raise StudyError(f"{options.study}: expected `claims`, found none at this scale")
    verdicts = [judged(study) for study in studies if study.claims]
    status = DONE
    if options.settle:
        (study,) = studies
        if options.launcher == "slurm":
            return _submitted(options, study, verdicts[0])
        settled, status = _settled(options, study, verdicts[0])
        verdicts = [settled]
    show(verdicts, options.format)
    return status


def judged(study: "Study") -> "Verdicts":
    """Collects the study's results anew, judges them, and keeps both in its folder."""
    from grid import results
    from grid.claims import record

    results.refuse_foreign(study)
    try:
        results.publish(study, study.graph())
        verdicts = record.publish(study)
    except StoreError as error:  # a store that is only read can be judged, too
        say(f"not kept: {error}")
        verdicts = None
    return verdicts or study.verdicts()


def show(several: "Sequence[Verdicts]", format: str) -> None:
    """Prints the verdicts, as entries to read or as a table for programs."""
    from grid import tables
    from grid.claims import shown
    from grid.commands.studies import terminal_width

    if format != "table":
        tables.write(shown.frame(several), format)
        return
    for verdicts in several:
        print(f"claims of {verdicts.study}, scale {verdicts.scale}: {shown.summary(verdicts)}")
        for line in shown.lines(verdicts, terminal_width()):
            print(line)
    sys.stdout.flush()


def _check_call(options: Namespace) -> None:
    """Refuses options that mean nothing together. Raises StudyError."""
    settling = {
        "--budget": options.budget,
        "--most-seeds": options.most_seeds,
        "--workers": options.workers,
        "--launcher": None if options.launcher == "local" else options.launcher,
        "--dry-run": options.dry_run or None,
    }
    if not options.settle:
        for flag, value in settling.items():
            if value is not None:
                told = "expected --settle beside it, which runs something; without, claims are "
                raise StudyError(f"{flag}: {told}judged on what is there")
        return
    if any(word.startswith("replicates") for word in options.overrides):
        raise StudyError(
            "--settle: expected no replicates on the command line, for it adds seeds to those that "
            "the study declares"
        )
    if any("=" not in word for word in options.overrides):
        raise StudyError("--settle: expected one study, found several; settle one after the other")
    from grid.commands.submission import check_call

    check_call(options)
    if options.launcher == "slurm" and options.budget is None:
        raise StudyError(_SLURM_NEEDS)


def _settled(options: Namespace, study: "Study", verdicts: "Verdicts") -> "tuple[Verdicts, int]":
    """Runs one claim's next look after the other until all are decided or the budget is spent."""
    from grid.claims import settle
    from grid.studies import Studies

    spent, taken = 0.0, set[tuple[str, int]]()
    while True:
        ahead = settle.outlook(study, verdicts, options.most_seeds or MOST_SEEDS)
        ahead = settle.without(ahead, taken)
        step = ahead.steps[0] if ahead.steps else None
        budget = math.inf if options.budget is None else options.budget
        if step is None or spent + step.device_hours > budget:
            _tell_left(ahead, step, spent, options.budget)
            return verdicts, DONE
        taken.add((step.says, len(step.seeds)))
        _tell_step(step)
        study = settle.add(study, step.seeds)
        report = Studies(studies=(study,)).run(workers=options.workers, only=step.stages)
        spent += device_hours(report)
        if not report.ok:
            _tell_failed(options, report)
            return verdicts, FAILED
        verdicts = judged(study)


def _submitted(options: Namespace, study: "Study", verdicts: "Verdicts") -> int:
    """Submits the next looks that the budget allows; a later call judges and goes on."""
    from grid.claims import settle
    from grid.commands.submission import submitted
    from grid.studies import Studies

    ahead = settle.outlook(study, verdicts, options.most_seeds or MOST_SEEDS)
    chosen: list[Step] = []
    stages: set[StageId] = set()
    beyond, spent = None, 0.0
    for step in ahead.steps:
        more = sum(hours for id, hours in step.hours.items() if id not in stages)
        if spent + more > options.budget:
            beyond = step
            break
        chosen.append(step)
        stages |= step.stages
        spent += more
        _tell_step(step)
    _tell_left(ahead, beyond, spent, options.budget)
    if not chosen:
        show([verdicts], options.format)
        return DONE
    if not options.dry_run:
        for step in chosen:
            study = settle.add(study, step.seeds)
    else:
        study = study.with_seeds(max((step.seeds for step in chosen), key=len))
    say("the same command judges the claims when the jobs have ended, and goes on")
    return submitted(options, Studies(studies=(study,)), only=stages)


def device_hours(report: "Report") -> float:
    """Hours for which a run's own stages held devices."""
    from grid.plan import HOUR, OWN

    return sum(
        report.timings[stage.id].seconds * stage.ranks / HOUR
        for stage in report.done
        if stage.name in OWN and stage.id in report.timings
    )


def _tell_step(step: "Step") -> None:
    seeds = f"{len(step.seeds)} seeds, about {step.device_hours:.2g} device hours"
    say(f"to its look at {seeds}: {step.says}")


def _tell_left(ahead: "Outlook", step: "Step | None", spent: float, budget: float | None) -> None:
    """Why no more seeds are added."""
    for says, why in ahead.left.items():
        say(f"no seeds are added for it, {why}: {says}")
    if step is not None:
        say(
            f"the budget is spent: {spent:.2g} of {budget:g} device hours, and the next look takes "
            f"about {step.device_hours:.2g} ({step.says})"
        )
    elif not ahead.steps and not ahead.left:
        say("every claim that applies is decided")


def _tell_failed(options: Namespace, report: "Report") -> None:
    for failure in report.failed:
        say(f"failed: {failure.stage}: {failure.message}")
    if report.unwritten is not None:
        say(f"failed: the results: {report.unwritten}")
    say(f"  {call_of('status', options.study, options)} tells what is left")
