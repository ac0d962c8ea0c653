"""What a launcher did: one report for every launcher."""

from dataclasses import dataclass, field
from pathlib import Path

from grid.damage import Damage
from grid.graph import Stage, StageId


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A stage that did not end well. `log` is None if it never got so far as to have one."""

    stage: Stage
    message: str
    kind: str
    """The cause, as in `grid.outcome.CAUSES`."""
    log: Path | None


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """A stage that could not start, and the failed or stopped stage that it waits for."""

    stage: Stage
    because: Stage


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When a stage ran, in seconds since the launcher started, and what it used."""

    started: float
    ended: float
    cpu_seconds: float
    peak_bytes: int
    workers: int = 1
    """That it occupied."""

    @property
    def seconds(self) -> float:
        return self.ended - self.started


@dataclass(kw_only=True)
class Report:
    """What a run ended with. `ok` is false if anything is missing or unwritten."""

    done: list[Stage] = field(default_factory=list)
    """Run now, by this launcher or by another one that was waited for."""
    cached: list[Stage] = field(default_factory=list)
    """Found in the store."""
    failed: list[Failure] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    stopped: list[Stage] = field(default_factory=list)
    """Asked to stop, by someone else than the launcher; the next run goes on with them."""
    held: list[Stage] = field(default_factory=list)
    """Left to other processes that work on them."""
    damaged: list[Damage] = field(default_factory=list)
    """Taken out of the store before the run, and run anew if anything needed it."""
    unwritten: str | None = None
    """Why the results could not be written into the study's folder; None if they are there."""
    timings: dict[StageId, Timing] = field(default_factory=dict)
    workers: int = 1
    wall_seconds: float = 0.0

    @property
    def ok(self) -> bool:
        missing = self.failed or self.blocked or self.stopped or self.held
        return not missing and self.unwritten is None

    @property
    def ids(self) -> set[StageId]:
        """The stages that were to be run, however that ended."""
        unable = [each.stage for each in self.failed] + [each.stage for each in self.blocked]
        return {stage.id for stage in [*self.done, *self.stopped, *self.held, *unable]}

    @property
    def span(self) -> float:
        """Seconds between the start of the first stage and the end of the last."""
        if not self.timings:
            return 0.0
        first = min(timing.started for timing in self.timings.values())
        return max(timing.ended for timing in self.timings.values()) - first

    @property
    def busy(self) -> float:
        """Share of the workers' time, between first and last stage, that held a stage."""
        held = sum(timing.seconds * timing.workers for timing in self.timings.values())
        return held / (self.span * self.workers) if self.span else 1.0

    @property
    def cpu(self) -> float:
        """CPU seconds that the stages used, as a share of the workers' time in that span."""
        used = sum(timing.cpu_seconds for timing in self.timings.values())
        return used / (self.span * self.workers) if self.span else 1.0
