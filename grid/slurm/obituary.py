"""Writes the outcomes of attempts that were killed with their whole job, and so could not.

Slurm forgets a job soon; what it says now of how one ended is kept with the attempt, so that it is
shown later, and that the next request has more memory where that was the cause.
"""

from contextlib import suppress
from dataclasses import asdict

from grid.graph import Graph
from grid.outcome import FAILED, Outcome
from grid.publish import write_json
from grid.slurm.watch import View
from grid.status import outcome_of, standings
from grid.store import Store


def write_obituaries(graph: Graph, store: Store, view: View) -> None:
    """For the last attempt of each stage, where its job's end is known and it says nothing."""
    for standing in standings(graph, store, view).values():
        attempt = standing.attempt
        if standing.state != FAILED or attempt is None or outcome_of(attempt) is not None:
            continue
        outcome = Outcome(
            state=FAILED,
            kind=standing.cause or "",
            message=standing.message or "",
            host=standing.node or "",
        )
        with suppress(OSError):  # then it stays silent, as before
            write_json(attempt / "outcome.json", asdict(outcome))
