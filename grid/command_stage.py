"""The stage that runs a program of the user's own on a cell: its configuration and inputs."""

from collections.abc import Mapping
from dataclasses import replace

from grid.declarations import declare
from grid.errors import StudyError
from grid.graph import Stage, StageId
from grid.programs import Program, require
from model.command import CommandStage
from model.config import CellConfig

_SECONDS = 60.0
"""For the order of work, where the site file does not say how long a program takes."""


def command_stage(
    config: CellConfig,
    name: str,
    stages: Mapping[str, StageId],
    programs: Mapping[str, Program],
    *,
    slug: str,
    locations: Mapping[str, str],
) -> Stage:
    """The stage of one command of a cell. `stages`: those that the cell has so far, by role.

    Raises StudyError for a command without a program, or one that takes what the cell has not.
    """
    own = config.commands[name]
    if own is None:
        raise ValueError(f"the command {name} is switched off")
    program = require(programs, name)
    taken = {*own.takes, "held_out"} if "corpus" in own.takes else {*own.takes}
    inputs = {role: id for role, id in stages.items() if role.partition("/")[0] in taken}
    if "pretraining" in own.takes and "pretraining" not in inputs:
        raise StudyError(
            f"cell.commands.{name}.takes: expected no pretraining, for another command of the cell "
            "has replaces_pretraining"
        )
    cell = replace(config, commands={name: own})
    stage = declare(
        "command",
        CommandStage(command=name, version=program.version, cell=cell),
        inputs,
        slug,
        seconds=program.seconds or _SECONDS,
        locations=locations,
        command=program.invocation,
    )
    return replace(stage, seconds_known=program.seconds is not None)
