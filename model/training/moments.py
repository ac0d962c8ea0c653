"""When a training loop reports, saves and stops: by the clock and the stop signal of rank 0."""

import time
from typing import NamedTuple

from model.context import Context
from model.training import distributed
from model.training.checkpoint import Pace

PROGRESS_SECONDS = 0.5


class Due(NamedTuple):
    """What is to be done after an update. To save or to stop is to report first."""

    report: bool
    save: bool
    stop: bool


class Moments:
    """The clocks of one run. Every rank asks after every update, and all get one answer."""

    def __init__(self, context: Context) -> None:
        self._stop = context.stop
        self._saves = Pace(context.checkpoint_seconds)
        self._reported = time.monotonic()

    def after_update(self, *, report: bool) -> Due:
        """What is due now; `report` asks for a report whatever the clock says."""
        save, stop = self._saves.due(), self._stop.is_set()
        soon = time.monotonic() - self._reported >= PROGRESS_SECONDS
        return Due(*distributed.decide(report or soon or save or stop, save, stop))

    def reported(self) -> float:
        """Says that training goes on from now. Returns the seconds since it was last said."""
        now = time.monotonic()
        passed, self._reported = now - self._reported, now
        return passed

    def saved(self, began: float) -> None:
        """Says that a checkpoint, begun at this time, is written: it is no time of training."""
        self._saves.saved(began)
        self._reported = time.monotonic()
