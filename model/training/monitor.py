"""DeepSpeed's monitors (TensorBoard, CSV, Weights & Biases), fed at the report points of a run."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.checks import check_monitors
from model.context import Context
from model.errors import InputError

KEY = "execution.monitors"
_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb"}


def check(context: Context) -> None:
    """Raises InputError for settings that DeepSpeed would not take or a package that is missing."""
    check_monitors(context.monitors, KEY)
    for name, settings in context.monitors.items():
        package = _PACKAGES.get(name)
        missing = package is not None and importlib.util.find_spec(package) is None
        if settings.get("enabled", True) and missing:
            raise InputError(
                f"{KEY}.{name}: expected the package {package}, which is not installed here: "
                f"install it, or leave this monitor out"
            )
        folder = settings.get("output_path")
        if folder is not None and not Path(folder).is_absolute():
            raise InputError(f"{KEY}.{name}.output_path: expected a whole path, found {folder!r}")


def configuration(context: Context) -> dict[str, dict[str, Any]]:
    """DeepSpeed's configuration: what is named is enabled, and files lie in the attempt's folder.

    In a folder that the user gives each run has one of its own, called by the stage's key.
    """
    attempt = context.work if context.progress_file is None else context.progress_file.parent
    found: dict[str, dict[str, Any]] = {}
    for name, given in context.monitors.items():
        places: dict[str, Any] = {}
        if name != "wandb":
            places = {"output_path": str(attempt.absolute()), "job_name": name}
            if "output_path" in given:
                places["job_name"] = context.work.name
        found[name] = {"enabled": True, **places, **given}
    return found


class Monitors:
    """The monitors that a run was given; on rank 0 only, and none at all by default."""

    def __init__(self, context: Context) -> None:
        """The process group must have been joined."""
        self._master: Any = None
        if context.monitors and context.rank == 0:
            from deepspeed.monitor.config import get_monitor_config
            from deepspeed.monitor.monitor import MonitorMaster

            self._master = MonitorMaster(get_monitor_config(configuration(context)))

    def __bool__(self) -> bool:
        return self._master is not None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve, at `step` finished updates."""
        if self._master is not None:
            self._master.write_events([(name, value, step) for name, value in values.items()])
