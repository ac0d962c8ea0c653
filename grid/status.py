"""What of a study is done, to run, stopped or failed, and why: one row for each stage."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from grid.outcome import FAILED, STOPPED

if TYPE_CHECKING:
    import polars

    from grid.studies import Studies
    from grid.study import Study


def status_frame(studies: "Study | Studies") -> "polars.DataFrame":
    """Stage, key, state, attempts at what is not done, cells, and what the last attempt said.

    States: `done`, `to run`, `not needed`; `failed` and `stopped` as the last attempt ended.
    """
    import polars

    graph, store = studies.graph(), studies.open_store()
    needing: dict[tuple[str, str], int] = dict.fromkeys(graph.stages, 0)
    for roles in graph.cells.values():
        for id in set(roles.values()):
            needing[id] += 1
    rows = []
    for id, state in graph.states(store).items():
        attempts = store.attempts(*id) if state != "done" else []
        ending, message = ended(attempts[-1]) if attempts else (None, None)
        rows.append(
            {
                "stage": id[0],
                "key": id[1],
                "state": ending if ending and state == "to run" else state,
                "attempts": None if state == "done" else len(attempts),
                "cells": needing[id],
                "message": message,
            }
        )
    schema = {
        "stage": polars.String,
        "key": polars.String,
        "state": polars.String,
        "attempts": polars.Int64,
        "cells": polars.Int64,
        "message": polars.String,
    }
    return polars.DataFrame(rows, schema=schema)


def ended(attempt: Path) -> tuple[str | None, str | None]:
    """How an attempt ended if not well, `failed` or `stopped`, and what it said."""
    try:
        outcome = json.loads((attempt / "outcome.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, None  # killed before it could say anything: the next run goes on from there
    state = outcome["state"]
    return (state, outcome["message"]) if state in (FAILED, STOPPED) else (None, None)
