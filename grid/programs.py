"""The programs of the user's own that a site file defines, and a study may only name.

    commands:
      hf_trainer:
        run: ["{python}", train.py, --config, "{config}", --output, "{output}"]
        version: 1
        seconds: 20

So a study from a stranger runs nothing that this machine's owner has not written down.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grid.errors import StudyError
from grid.tree import Node, expect_keys, expect_list, expect_mapping, expect_path, fail, found, near
from model.command import PLACES

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program: how it is started, and the version that is part of its stages' keys."""

    run: tuple[str, ...]
    """The command line; `{config}` and the like stand for paths (`model.command.PLACES`)."""
    version: str
    """Raise it when the program comes to compute something else."""
    folder: str
    """The working folder, absolute."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of whoever runs the study."""
    seconds: float | None = None
    """About how long one run takes, so that short ones share a batch job; None: nobody knows."""

    @property
    def invocation(self) -> dict[str, Any]:
        """What a command stage is given to start it (`model.command.Invocation`)."""
        return {
            "run": list(self.run),
            "folder": self.folder,
            "environment": dict(self.environment),
        }


def read_programs(node: Node | None) -> dict[str, Program]:
    """The `commands` of a site file. Raises StudyError."""
    if node is None or node.value is None:
        return {}
    programs = {}
    for name, item in expect_mapping(node, "commands").items():
        key = f"commands.{name}"
        if not _NAME.fullmatch(name):
            raise fail(item, key, "expected a name of small letters, digits and '_'")
        programs[name] = _program(item, key)
    return programs


def _program(node: Node, key: str) -> Program:
    mapping = expect_keys(node, key, ("run", "version", "folder", "environment", "seconds"))
    for required in ("run", "version"):
        if required not in mapping:
            raise fail(node, key, f"expected `{required}`")
    words = expect_list(mapping["run"], f"{key}.run")
    if not words:
        raise fail(mapping["run"], f"{key}.run", "expected a program and its arguments")
    run = [_word(word, f"{key}.run[{number}]") for number, word in enumerate(words)]
    version = mapping["version"]
    if type(version.value) not in (str, int):
        raise fail(
            version, f"{key}.version", f"expected a whole number or text, found {found(version)}"
        )
    folder, home = mapping.get("folder"), node.origin.folder
    if folder is not None:
        home = home / expect_path(folder, f"{key}.folder")
    variables = mapping.get("environment")
    return Program(
        run=tuple(run),
        version=str(version.value),
        folder=str(home.absolute()),
        environment={}
        if variables is None
        else {
            name: _scalar(value, f"{key}.environment.{name}")
            for name, value in expect_mapping(variables, f"{key}.environment").items()
        },
        seconds=_seconds(mapping.get("seconds"), f"{key}.seconds"),
    )


def _seconds(node: Node | None, key: str) -> float | None:
    if node is None or node.value is None:
        return None
    if type(node.value) not in (int, float) or not 0 < node.value < float("inf"):
        raise fail(node, key, f"expected seconds, a number more than 0, found {found(node)}")
    return float(node.value)


def _word(node: Node, key: str) -> str:
    word = _scalar(node, key)
    for name in re.findall(r"\{([a-z_]+)\}", word):
        if name not in PLACES:
            raise fail(
                node,
                key,
                f"unknown place {{{name}}}{near(name, PLACES)}; expected one of "
                f"{', '.join(f'{{{place}}}' for place in PLACES)}",
            )
    return word


def _scalar(node: Node, key: str) -> str:
    if type(node.value) not in (str, int, float):
        raise fail(node, key, f"expected text, found {found(node)}")
    return str(node.value)


def require(programs: Mapping[str, Program], name: str) -> Program:
    """The program of a name. Raises StudyError if the site file defines none."""
    if name not in programs:
        raise StudyError(
            f"commands.{name}: expected this program in the site file (grid.yaml, or --site "
            f"FILE), found {', '.join(sorted(programs)) or 'none'}{near(name, programs)}. A study "
            "only names a program; how it is started is written there"
        )
    return programs[name]
