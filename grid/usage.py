"""Hours of devices that a study's stages have used, from what their attempts say."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from grid.graph import DONE, Graph, StageId
from grid.plan import HOUR, OWN
from grid.status import RUNNING, Standing, attempted, outcome_of

if TYPE_CHECKING:
    from grid.store import Store


class Usage:
    """Reads each attempt's outcome once, so that it can be asked again and again."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._known: dict[Path, float] = {}
        self._final: dict[StageId, float] = {}

    def hours(self, graph: Graph, found: Mapping[StageId, Standing]) -> dict[StageId, float]:
        """Of each stage that is priced for a device and was tried here: of all its attempts.

        found: how the stages stand. A killed attempt counts until its files were last written to.
        """
        priced = {id for id in graph.stages if id[0] in OWN}
        hours = {}
        for id in attempted(self._store, priced):
            if id not in self._final:
                running = found[id].attempt if found[id].state == RUNNING else None
                attempts = self._store.attempts(*id)
                seconds = sum(self._seconds(each, each == running) for each in attempts)
                hours[id] = seconds * graph.stages[id].ranks / HOUR
                if found[id].state == DONE:
                    self._final[id] = hours[id]  # nobody tries it any more
            else:
                hours[id] = self._final[id]
        return hours

    def _seconds(self, attempt: Path, running: bool) -> float:
        if attempt not in self._known:
            outcome = outcome_of(attempt)
            if outcome is None:
                return _lived(attempt, running)
            self._known[attempt] = float(outcome.get("wall_seconds", 0.0))
        return self._known[attempt]


def _lived(attempt: Path, running: bool) -> float:
    """Seconds since an attempt began, or until it was last heard of."""
    try:
        began = (attempt / "job.json").stat().st_mtime
        last = max(path.stat().st_mtime for path in attempt.iterdir())
    except FileNotFoundError:
        return 0.0  # pruned just now
    return max(0.0, (time.time() if running else last) - began)
