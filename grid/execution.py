"""How work is placed on this machine: never part of a key, recorded in each manifest."""

from dataclasses import dataclass

from model.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ExecutionConfig:
    """A study's or site's `execution`. Nothing here may change what a stage computes."""

    workers: int | None = None
    """Stages that run side by side; by default as many as have `threads` cores each."""
    threads: int = 1
    """Threads of each stage."""
    device: str = "cpu"
    """`cpu` or `cuda`."""
    checkpoint_seconds: float = 20.0
    """A stage that can be resumed saves its state this often."""

    def __post_init__(self) -> None:
        for name, legal, expected in (
            ("workers", self.workers is None or 1 <= self.workers <= 4096, "1 to 4096"),
            ("threads", 1 <= self.threads <= 4096, "1 to 4096"),
            ("checkpoint_seconds", self.checkpoint_seconds > 0, "more than 0"),
        ):
            if not legal:
                raise InputError(
                    f"execution.{name}: expected {expected}, found {getattr(self, name)!r}"
                )
        if self.device.split(":")[0] not in ("cpu", "cuda"):
            raise InputError(f"execution.device: expected cpu or cuda, found {self.device!r}")
