"""The JSON Schema of study files, made from the configuration dataclasses.

An editor that knows it completes keys and shows what they mean; the line
`# yaml-language-server: $schema=study.schema.json` at the top of a study says where it is. It is
draft 7, which editors know best. It knows keys, types and named choices; what depends on several
values (a width that its heads do not divide) only `python -m grid plan` can tell.
"""

import dataclasses
import re
import typing
from typing import Any

from grid.claims import json_schema as claims
from grid.execution import ExecutionConfig
from grid.language_sets import LANGUAGE_PATHS, takes_languages
from grid.named_sizes import SIZE_PATH, SIZES
from grid.reference import descriptions
from grid.schema import leaf_hint, leaf_paths, without_none
from grid.solve import HOLDS, SOLVABLE
from model.config import GENERATED, CellConfig
from model.errors import InputError
from model.languages import SETS
from model.task_config import TaskConfig
from model.tasks.catalogue import TASKS

_GROUPED = r"^[-+]?[0-9][0-9_]*(\.[0-9_]+)?([kKMBT]|e[-+]?[0-9]+)?$"
"""Numbers as studies write them: `150_000` and `150k` are text to an editor."""
_NUMBERS: dict[type, dict[str, Any]] = {
    int: {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": _GROUPED}]},
    float: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": _GROUPED}]},
}
_TEXT = {"type": "string"}


_SIZE = "A published size: sets layers, width, heads and what else goes with it."


def _ref(name: str, description: str = "") -> dict[str, Any]:
    reference = {"$ref": f"#/definitions/{name}"}
    # Draft 7 ignores what stands beside a $ref, so a description needs a shell around it.
    return {"description": description, "allOf": [reference]} if description else reference


_PART = {
    "product": _ref("parts", "Every combination of the values, or of the parts."),
    "zip": _ref("parts", "First with first, second with second; of one length."),
    "union": {
        "description": "The points of each part, one after the other.",
        "type": "array",
        "items": _ref("part"),
        "minItems": 1,
    },
    "where": {"description": "Keeps the points that fulfil this condition.", **_TEXT},
}


def study_schema() -> dict[str, Any]:
    """The schema of a study file."""
    layer = _layer()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A study of multilingual-grid",
        "description": "What varies, what is held, what each figure shows. See docs/reference.md.",
        **_object(
            {
                "extends": {
                    "description": "Study file that this one is laid over, or a list of such.",
                    "anyOf": [_TEXT, _list(_TEXT)],
                },
                **layer,
                "scales": {
                    "description": "Named sets of changes to all of these keys; see --scale.",
                    "type": "object",
                    "additionalProperties": {
                        "anyOf": [{"type": "null"}, _object(layer)],
                    },
                },
            }
        ),
        "definitions": {
            "cell": _cell(),
            "task": _dataclass(TaskConfig),
            **{
                f"axis_of_task_{field.name}": _axis(f"tasks.{GENERATED}.{field.name}")
                for field in dataclasses.fields(TaskConfig)
            },
            "execution": _dataclass(ExecutionConfig),
            "block": _block(),
            "axes": _axes(),
            "part": {"anyOf": [_object(_PART), _ref("axes")]},
            "parts": {"anyOf": [_ref("axes"), _list(_ref("part"), least=1)]},
            "span": _span(),
            "claim": claims.claim(),
            **claims.definitions(),
            "values": {
                "anyOf": [{"type": "array", "minItems": 1}, _ref("span")],
            },
        },
    }


def _layer() -> dict[str, Any]:
    """What a study and each of its scales may say."""
    return {
        "title": {**_TEXT, "description": "What figures and tables call the study."},
        "source": {**_TEXT, "description": "The publication that it reproduces."},
        "cell": _ref("cell", "What every cell shares."),
        "axes": {
            "description": "What varies: blocks, whose cells are united.",
            "type": "array",
            "items": _ref("block"),
        },
        "blocks": {
            "description": "The blocks that are run: `all`, one name, or a list of names.",
            "anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}],
        },
        "replicates": {
            "description": "Every point is run once with each seed.",
            **_object({"seed": {"anyOf": [_list(_NUMBERS[int], least=1), _ref("span")]}}),
        },
        "figures": {"description": "Figures that the study draws.", **_list(_TEXT)},
        "tables": {"description": "Published tables that the study fills.", **_list(_TEXT)},
        "language_sets": {
            "description": "A file of names and lists of codes, or such a mapping itself.",
            "anyOf": [_TEXT, {"type": "object", "additionalProperties": _list(_TEXT, least=1)}],
        },
        "locations": {
            "description": "Where each source's files lie on this machine; never part of a key.",
            "type": "object",
            "additionalProperties": _TEXT,
        },
        "execution": _ref("execution", "How work is placed; never part of a key."),
        "claims": {
            "description": "Statements of the publication as testable comparisons.",
            "type": "array",
            "items": _ref("claim"),
        },
    }


def _block() -> dict[str, Any]:
    return _object(
        {
            "name": {**_TEXT, "description": "The block's own name, which results carry."},
            "cell": _ref("cell", "What the block lays over the shared cell."),
            **_PART,
            "solve": {
                "description": "Values that are sought at each point, to hold a quantity.",
                **_object({path: _solve() for path in SOLVABLE}),
            },
        },
        required=["name"],
    )


def _solve() -> dict[str, Any]:
    number = _NUMBERS[float]
    return _object(
        {
            "hold": {"description": "The quantity that is held.", "enum": sorted(HOLDS)},
            "at": {
                "description": "Its target: a number, or values of the cell that has it.",
                "anyOf": [number, {"type": "object"}],
            },
            "within": {
                "description": "Relative tolerance, such as 1.5%.",
                "anyOf": [number, {"type": "string", "pattern": r"^[0-9_.]+\s*%$"}],
            },
            "multiple_of": {"description": "Of which it is a multiple.", **_NUMBERS[int]},
            "head_size": {"description": "Width of a head: sets the heads.", **_NUMBERS[int]},
        },
        required=["hold", "at"],
    )


def _axes() -> dict[str, Any]:
    """Axis path to its values; each path is a key that an editor can complete."""
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {
            path: _ref(f"axis_of_task_{path.split('.')[-1]}") if _is_of_task(path) else _axis(path)
            for path in (*leaf_paths(), SIZE_PATH)
            if path != "seed"
        },
        "patternProperties": {r"^commands\.": _ref("values")},
        "additionalProperties": False,
    }


def _is_of_task(path: str) -> bool:
    return path.startswith("tasks.")


def _axis(path: str) -> dict[str, Any]:
    return {
        "description": _meaning(path),
        "anyOf": [_list(_leaf(path), least=1), _ref("span")],
    }


def _cell() -> dict[str, Any]:
    schema = _dataclass(CellConfig)
    size = {"description": _SIZE, "enum": list(SIZES)}
    schema["properties"]["encoder"]["properties"]["size"] = size
    schema["properties"]["tasks"] = {
        "description": "Downstream tasks by name; null switches one off.",
        **_object({name: _nullable(_ref("task")) for name in TASKS}),
    }
    return schema


def _dataclass(config: type, path: str = "") -> dict[str, Any]:
    """An object of a dataclass's fields, with default and meaning in each description."""
    hints, told = typing.get_type_hints(config), descriptions(config)
    properties = {}
    for field in dataclasses.fields(config):
        inner = without_none(hints[field.name])[0]
        where = f"{path}{field.name}"
        if dataclasses.is_dataclass(inner):
            properties[field.name] = _dataclass(typing.cast(type, inner), f"{where}.")
            continue
        schema = _hint(hints[field.name])
        if where in LANGUAGE_PATHS:
            schema = _languages(optional=without_none(hints[field.name])[1])
        elif choices := choices_of(config, field.name):
            schema = _chosen(choices, hints[field.name])
        default = _default(field)
        written = f" Default: {_shown(default)}." if default is not _REQUIRED else ""
        meaning = told.get(field.name, "")
        properties[field.name] = {"description": f"{meaning}{written}", **schema}
        if default is not _REQUIRED:
            properties[field.name]["default"] = default
    return _object(properties)


def _hint(hint: Any) -> dict[str, Any]:
    inner, optional = without_none(hint)
    origin = typing.get_origin(inner)
    if dataclasses.is_dataclass(inner):
        schema = _dataclass(typing.cast(type, inner))
    elif origin is list:
        schema = _list(_hint(typing.get_args(inner)[0]))
    elif origin is dict:
        schema = {"type": "object", "additionalProperties": _hint(typing.get_args(inner)[1])}
    elif inner is Any:
        schema = {}
    else:
        schema = {bool: {"type": "boolean"}, str: _TEXT, **_NUMBERS}[inner]
    return _nullable(schema) if optional else schema


def choices_of(config: type, name: str) -> list[str]:
    """The names that a text field, or a list of them, accepts, told by the dataclass's refusal."""
    hint = typing.get_type_hints(config)[name]
    if hint not in (str, list[str]):
        return []
    try:
        config(**{name: "\0" if hint is str else ["\0"]})
    except InputError as error:
        found = re.search(r"expected one of (.+?), found", str(error))
        if found is not None:
            return found[1].split(", ")
    return []


def _leaf(path: str) -> dict[str, Any]:
    if path == SIZE_PATH:
        return {"enum": list(SIZES)}
    if takes_languages(path):
        return _languages(optional=path != "languages")
    owner: Any = CellConfig
    *groups, name = path.split(".")
    for group in groups:
        owner = (
            TaskConfig if owner is dict or group in TASKS else typing.get_type_hints(owner)[group]
        )
        owner = dict if typing.get_origin(owner) is dict else owner
    choices = choices_of(owner, name)
    return _chosen(choices, leaf_hint(path)) if choices else _hint(leaf_hint(path))


def _chosen(choices: list[str], hint: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"enum": choices}
    return names if hint is str else _list(names)


def _meaning(path: str) -> str:
    if path == SIZE_PATH:
        return _SIZE
    owner: Any = CellConfig
    *groups, name = path.split(".")
    for group in groups:
        owner = TaskConfig if group in TASKS else typing.get_type_hints(owner).get(group, owner)
    return descriptions(owner).get(name, "")


def _languages(*, optional: bool) -> dict[str, Any]:
    """A set's name, the built-in ones for completion, or codes."""
    schema: dict[str, Any] = {
        "anyOf": [{"enum": sorted(SETS)}, _TEXT, _list(_TEXT, least=1)],
    }
    return _nullable(schema) if optional else schema


def _span() -> dict[str, Any]:
    number = _NUMBERS[float]
    return {
        "anyOf": [
            {
                **_object(
                    {
                        "range": {
                            "description": "First, last and, if it is not 1, the step.",
                            **_list(number, least=2),
                        },
                        "geom": {
                            "description": "First, last and how many, at equal ratios.",
                            **_list(number, least=3),
                        },
                    }
                ),
                "minProperties": 1,
            },
            {"type": "string", "pattern": r"^(range|geom)\("},
        ]
    }


def _list(items: dict[str, Any], *, least: int = 0) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": items}
    return {**schema, "minItems": least} if least else schema


def _object(properties: dict[str, Any], *, required: list[str] | None = None) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_REQUIRED = object()


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _REQUIRED


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    return f"{value:_}" if isinstance(value, int) else str(value)
