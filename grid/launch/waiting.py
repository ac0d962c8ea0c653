"""Stages that other processes hold: watched until they are done, free, or seen to be in work."""

import time
from collections.abc import Iterator

from grid.graph import Stage, StageId
from grid.lease import Observer
from grid.store import Store

_LOOK = 1.0
"""Seconds between two looks at one lease."""
DONE, FREE, HELD = "done", "free", "held"


class Waiting:
    """The stages that a launcher may not start now, each with an eye on its lease."""

    def __init__(self, store: Store, wait: bool) -> None:
        """wait: whether to wait for a holder that lives, or to leave its stage to it."""
        self._store = store
        self._wait = wait
        self._observers: dict[StageId, tuple[Observer, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._observers)

    def __contains__(self, id: StageId) -> bool:
        return id in self._observers

    def add(self, stage: Stage, observer: Observer) -> None:
        """Watches the lease of a stage that is held."""
        self._observers[stage.id] = (observer, time.monotonic() + _LOOK)

    def take(self, id: StageId) -> Observer | None:
        """The observer of a stage that is watched no more; None if it was not."""
        return self._observers.pop(id, (None, 0.0))[0]

    def clear(self) -> list[StageId]:
        """Watches nothing any more; returns what it did watch."""
        ids = list(self._observers)
        self._observers.clear()
        return ids

    def look(self) -> Iterator[tuple[StageId, str]]:
        """What has changed since the last look: stages that are done, free, or surely in work."""
        now = time.monotonic()
        for id, (observer, due) in list(self._observers.items()):
            if now < due:
                continue
            before = observer.seen
            if self._store.has(*id):
                yield id, DONE
            elif observer.available():
                self._observers[id] = (observer, float("inf"))
                yield id, FREE
            elif not self._wait and (observer.alive or before not in (None, observer.seen)):
                yield id, HELD
            else:
                self._observers[id] = (observer, now + _LOOK)
