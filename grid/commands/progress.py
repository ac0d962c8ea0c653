"""`status`, `logs` and `retry`: what runs, what failed and why, and once more."""

import shutil
import sys
from argparse import Namespace

from grid.cli import DONE, FAILED
from grid.commands import load_studies, load_study, logs_call, say
from grid.commands.studies import conclude


def status(options: Namespace) -> int:
    """Prints what is done, runs, waits and failed; with --watch again and again while it does."""
    from grid import tables
    from grid.overview import Overview
    from grid.overview_text import counted, report

    overview = Overview(load_studies(options))
    call = logs_call(overview, options)
    if options.watch:
        from grid.watching import screen, watch

        look = watch(overview, screen(overview, sys.stderr, call))
    else:
        look = overview.look()
    if options.format == "table":
        width = shutil.get_terminal_size((tables.WIDTH, 0)).columns
        for line in report(overview, look, call, width):
            print(line)
    else:
        tables.write(overview.frame(look), options.format)
        say(counted(look.counts))
    return FAILED if look.counts["failed"] else DONE


def logs(options: Namespace) -> int:
    """Prints the latest attempt's log of each stage that a cell's or a stage's name means."""
    from grid.logs import follow, latest, show, show_job
    from grid.select import select
    from grid.slurm.watch import job_logs

    study = load_study(options)
    graph, store = study.graph(), study.open_store()
    (name,) = options.words
    chosen = select(study, graph, name)
    attempts = latest(store, chosen)
    untried = set(chosen) - {attempt.id for attempt in attempts}
    jobs = job_logs(study.folder, untried)
    for path, ids in jobs.items():
        show_job(path, ids)
    if not attempts and not jobs:
        say(f"no logs: no stage of {name} has been tried in the store {study.store}")
    if options.follow:
        follow(store, attempts)
        return DONE
    for attempt in attempts:
        show(attempt)
    return DONE


def retry(options: Namespace) -> int:
    """Runs the stages that have failed, and what waits for them; nothing else that is missing."""
    from grid.commands.submission import check_call, submitted
    from grid.select import failed, select
    from grid.studies import Studies

    check_call(options)
    study = load_study(options)
    graph, store = study.graph(), study.open_store()
    chosen = set(graph.stages) if not options.words else set(select(study, graph, *options.words))
    again = [id for id in failed(graph, store) if id in chosen]
    if not again:
        say("nothing has failed" + (f" of {options.words[0]}" if options.words else ""))
        return DONE
    for stage, key in again:
        say(f"again: {stage} {key}")
    if options.launcher == "slurm":
        return submitted(options, Studies(studies=(study,)), only=graph.after(again))
    report = study.run(workers=options.workers, only=graph.after(again))
    return conclude((study,), report, options.format)
