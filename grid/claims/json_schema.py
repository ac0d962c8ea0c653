"""The JSON Schema of a study's claims: `claim`, and the definitions that it refers to."""

from typing import Any

from grid.claims.declaration import ALONG, FIRST, LAST, MILESTONE, VERSUS
from grid.claims.metrics import METRICS
from model.languages import SETS
from model.task_config import REGIMES

_TEXT = {"type": "string"}


def _object(properties: dict[str, Any], required: list[str], more: Any = False) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": more,
    }


def _one_or_more(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def _refer(name: str, description: str) -> dict[str, Any]:
    return {"description": description, "allOf": [{"$ref": f"#/definitions/{name}"}]}


_MEASURED: dict[str, Any] = {
    "metric": {
        "description": "TASK.METRIC, or a likelihood's.",
        "anyOf": [{"enum": list(METRICS)}, _TEXT],
    },
    "over": {
        "description": "The languages that a value is the mean over: a set's name, or codes.",
        "anyOf": [{"enum": sorted(SETS)}, _TEXT, {"type": "array", "items": _TEXT}],
    },
    "regime": {"description": "Of a task; zero-shot unless given.", "enum": list(REGIMES)},
    MILESTONE: {
        "description": "Updates, `first` or `last` of the milestones; else the end of training.",
        "anyOf": [{"type": "integer"}, _TEXT],
    },
}
_SIDE = {"anyOf": [{"$ref": "#/definitions/point"}, {"$ref": "#/definitions/difference"}]}


def claim() -> dict[str, Any]:
    """One item of `claims`."""
    return _object(
        {
            "says": {**_TEXT, "description": "The statement, in a sentence."},
            "source": {**_TEXT, "description": "Where the publication says it."},
            "figure": {**_TEXT, "description": "The figure or table that shows it."},
            "expect": {
                "description": "The comparison, or several that must all hold.",
                **_one_or_more({"$ref": "#/definitions/expectation"}),
            },
        },
        ["says", "expect"],
    )


def definitions() -> dict[str, Any]:
    """What `claim` refers to."""
    two = {"type": "array", "items": {"$ref": "#/definitions/point"}, "minItems": 2}
    return {
        "expectation": _object(
            {
                **_MEASURED,
                "of": _refer("side", "What is compared."),
                **{verb: _one_or_more(_SIDE) for verb in VERSUS},
                **{verb: {**_TEXT, "description": "An axis, or milestone."} for verb in ALONG},
                "margin": {
                    "description": "What still is on par, or the smallest effect of interest.",
                    "type": "number",
                },
            },
            ["of"],
        ),
        "side": _SIDE,
        "difference": _object(
            {**_MEASURED, "difference": {**two, "description": "The first minus the second."}},
            ["difference"],
        ),
        "point": _object(
            {
                **_MEASURED,
                "block": {**_TEXT, "description": "The block's name."},
                "text": {**_TEXT, "description": "A source, or what generated text is made after."},
                "point": {"description": "Of those that are left.", "enum": [FIRST, LAST]},
                "averaged": {
                    "description": "Axes whose points count together, as one mean.",
                    **_one_or_more(_TEXT),
                },
            },
            ["block"],
            more={"description": "A value of this axis; also `first` or `last`."},
        ),
    }
