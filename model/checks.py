"""How a configuration refuses a value: the key, what was expected, and what was found."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from model.errors import InputError

MONITORS = {
    "tensorboard": {"enabled": bool, "output_path": str, "job_name": str},
    "csv_monitor": {"enabled": bool, "output_path": str, "job_name": str},
    "wandb": {"enabled": bool, "group": str, "team": str, "project": str},
}
"""DeepSpeed's monitors that are on offer, and DeepSpeed's keys of each."""


def require(condition: bool, key: str, expected: str, found: object) -> None:
    """Raises InputError unless the condition holds."""
    if not condition:
        raise InputError(f"{key}: expected {expected}, found {found!r}")


def within(folder: Path, name: object) -> Path:
    """A file below a folder, by a name that an artifact gives. Raises InputError for any other.

    An artifact may come from somebody else: it names files of its source, and no others.
    """
    legal = isinstance(name, str) and name not in ("", ".") and "\0" not in name
    if not legal or Path(str(name)).is_absolute() or ".." in Path(str(name)).parts:
        raise InputError(f"{folder}: expected the name of a file below it, found {name!r}")
    return folder / str(name)


def one_of(value: str, key: str, legal: Collection[str]) -> None:
    require(value in legal, key, "one of " + ", ".join(legal), value)


def check_monitors(monitors: Mapping[str, Mapping[str, Any]], key: str) -> None:
    """Raises InputError for a monitor, or a key or value of one, that DeepSpeed would not take."""
    for name, settings in monitors.items():
        one_of(name, key, MONITORS)
        for setting, value in settings.items():
            one_of(setting, f"{key}.{name}", MONITORS[name])
            kind = MONITORS[name][setting]
            expected = "true or false" if kind is bool else "text"
            require(type(value) is kind, f"{key}.{name}.{setting}", expected, value)
            if setting == "job_name":  # the name of a folder below output_path
                plain = value not in ("", ".", "..") and "/" not in value and value.isprintable()
                require(plain, f"{key}.{name}.{setting}", "the name of a folder", value)
