"""How a launcher behaves: before a person, or as a job that shares its work with others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What differs between a run at a machine (the defaults) and an element of a job array."""

    wait: bool = True
    """Whether to wait while another process works on a stage. Otherwise the stage is left to that
    one, as soon as it is seen to live."""
    retries: int = 0
    """Times that a stage is tried again after a process of it was killed or hung."""
    batch: Mapping[str, Any] | None = None
    """The job that runs it, for its attempts' job.json: `submission`, `array`, `index`, `job`,
    `restart`; where ranks are to be started by srun, `srun`: their number on each node and such."""
