"""`status`, `logs` and `retry`: what runs, what failed and why, and once more."""

from argparse import Namespace

from grid.cli import DONE, FAILED
from grid.commands import load_studies, load_study, say
from grid.commands.studies import conclude


def status(options: Namespace) -> int:
    """Prints one row for each stage: its state, attempts, and what the last failure said."""
    from grid import tables
    from grid.status import status_frame

    frame = status_frame(load_studies(options))
    tables.write(frame, options.format)
    counts = dict(frame["state"].value_counts().sort("state").iter_rows())
    say(", ".join(f"{count} {state}" for state, count in counts.items()))
    return FAILED if "failed" in counts else DONE


def logs(options: Namespace) -> int:
    """Prints the latest attempt's log of each stage that a cell's or a stage's name means."""
    from grid.logs import follow, latest, show
    from grid.select import select

    study = load_study(options)
    graph, store = study.graph(), study.open_store()
    (name,) = options.words
    attempts = latest(store, select(study, graph, name))
    if not attempts:
        say(f"no logs: no stage of {name} has been tried in the store {study.store}")
    if options.follow:
        follow(store, attempts)
        return DONE
    for attempt in attempts:
        show(attempt)
    return DONE


def retry(options: Namespace) -> int:
    """Runs the stages that have failed, and what waits for them; nothing else that is missing."""
    from grid.select import failed, select

    study = load_study(options)
    graph, store = study.graph(), study.open_store()
    chosen = set(graph.stages) if not options.words else set(select(study, graph, *options.words))
    again = [id for id in failed(graph, store) if id in chosen]
    if not again:
        say("nothing has failed" + (f" of {options.words[0]}" if options.words else ""))
        return DONE
    for stage, key in again:
        say(f"again: {stage} {key}")
    report = study.run(workers=options.workers, only=graph.after(again))
    return conclude((study,), report, options.format)
