"""The JSON Schema: current, complete, true of every shipped study, and strict with broken ones."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from grid.execution import ExecutionConfig
from grid.json_schema import choices_of, study_schema
from grid.reference import keys
from grid.schema import leaf_paths
from grid.yaml_source import read_yaml
from model.config import CellConfig, EncoderConfig, PretrainingConfig
from model.task_config import REGIMES, TaskConfig

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted([*ROOT.glob("studies/*.yaml"), *ROOT.glob("examples/*/study.yaml")])
BROKEN = ROOT / "tests" / "bad_studies"
HEADER = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
REFUSED = """a_list a_text axes_a_mapping axis_a_group axis_is_the_seed axis_unknown
    block_unknown_kind block_without_name cell_group_is_a_list cell_is_text cell_key_at_top
    cell_key_in_wrong_group
    cell_misspelt_key claim_unknown_key claim_without_expectation command_unknown_key
    execution_unknown_key languages_empty norm_unknown precision_unknown product_axis_one_value
    product_axis_without_values product_empty programs_in_a_study replicates_a_list
    replicates_of_something_else scale_with_unknown_key scales_is_a_list seed_is_text seeds_empty
    series_unknown size_unknown solve_unknown_quantity solve_unknown_value solve_without_a_target
    suffix_unknown task_unknown title_is_a_list union_empty union_of_a_name unit_unknown
    unknown_key updates_a_yes width_is_null width_is_text where_a_list""".split()


class Validator:
    """The part of JSON Schema draft 7 that ours uses; a keyword that it does not know fails."""

    ANNOTATIONS = frozenset({"$schema", "title", "description", "default", "definitions"})

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    def errors(self, value: Any, schema: dict[str, Any] | None = None, at: str = "") -> list[str]:
        found: list[str] = []
        for keyword, rule in (self.schema if schema is None else schema).items():
            if keyword not in self.ANNOTATIONS:
                check = getattr(self, "_" + keyword.strip("$"))
                found += check(value, rule, self.schema if schema is None else schema, at)
        return found

    def _ref(self, value: Any, rule: str, _: Any, at: str) -> list[str]:
        return self.errors(value, self.schema["definitions"][rule.rpartition("/")[2]], at)

    def _allOf(self, value: Any, rule: Any, _: Any, at: str) -> list[str]:  # noqa: N802
        return [error for each in rule for error in self.errors(value, each, at)]

    def _anyOf(self, value: Any, rule: Any, _: Any, at: str) -> list[str]:  # noqa: N802
        fits = any(not self.errors(value, each, at) for each in rule)
        return [] if fits else [f"{at}: {value!r} fits nothing"]

    def _enum(self, value: Any, rule: Any, _: Any, at: str) -> list[str]:
        return [] if value in rule else [f"{at}: {value!r} is not one of {rule}"]

    def _type(self, value: Any, rule: str, _: Any, at: str) -> list[str]:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = {
            "object": isinstance(value, dict),
            "array": isinstance(value, list),
            "string": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "null": value is None,
            "integer": number and float(value).is_integer(),
            "number": number,
        }[rule]
        return [] if fits else [f"{at}: {value!r} is no {rule}"]

    def _pattern(self, value: Any, rule: str, _: Any, at: str) -> list[str]:
        fits = not isinstance(value, str) or re.search(rule, value)
        return [] if fits else [f"{at}: {value!r} does not look like {rule}"]

    def _properties(self, value: Any, rule: Any, schema: Any, at: str) -> list[str]:
        inner = value if isinstance(value, dict) else {}
        return [
            error
            for name, each in inner.items()
            if name in rule
            for error in self.errors(each, rule[name], f"{at}.{name}")
        ]

    def _patternProperties(self, value: Any, rule: Any, _: Any, at: str) -> list[str]:  # noqa: N802
        inner = value if isinstance(value, dict) else {}
        return [
            error
            for pattern, schema in rule.items()
            for name, each in inner.items()
            if re.search(pattern, name)
            for error in self.errors(each, schema, f"{at}.{name}")
        ]

    def _additionalProperties(  # noqa: N802
        self, value: Any, rule: Any, schema: Any, at: str
    ) -> list[str]:
        inner = value if isinstance(value, dict) else {}
        patterns = schema.get("patternProperties", {})
        others = {
            name: each
            for name, each in inner.items()
            if name not in schema.get("properties", {})
            and not any(re.search(pattern, name) for pattern in patterns)
        }
        if rule is False:
            return [f"{at}.{name}: unknown" for name in others]
        return [e for name, each in others.items() for e in self.errors(each, rule, f"{at}.{name}")]

    def _required(self, value: Any, rule: Any, _: Any, at: str) -> list[str]:
        missing = set(rule) - set(value) if isinstance(value, dict) else set()
        return [f"{at}: {name} is missing" for name in missing]

    def _items(self, value: Any, rule: Any, _: Any, at: str) -> list[str]:
        inner = value if isinstance(value, list) else []
        return [e for n, each in enumerate(inner) for e in self.errors(each, rule, f"{at}[{n}]")]

    def _minItems(self, value: Any, rule: int, _: Any, at: str) -> list[str]:  # noqa: N802
        short = isinstance(value, list) and len(value) < rule
        return [f"{at}: has fewer than {rule}"] if short else []

    def _minProperties(self, value: Any, rule: int, _: Any, at: str) -> list[str]:  # noqa: N802
        short = isinstance(value, dict) and len(value) < rule
        return [f"{at}: has fewer than {rule}"] if short else []


VALIDATOR = Validator(study_schema())


def test_the_committed_schema_is_current() -> None:
    text = (ROOT / "studies" / "study.schema.json").read_text(encoding="utf-8")
    told = "run: python -m grid schema > studies/study.schema.json"
    assert json.loads(text) == study_schema(), told


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_shipped_study_names_the_schema_and_fits_it(file: Path) -> None:
    header = HEADER.match(file.read_text(encoding="utf-8"))
    assert header is not None, "its first line is # yaml-language-server: $schema=..."
    assert (file.parent / header[1]).resolve() == ROOT / "studies" / "study.schema.json"
    assert VALIDATOR.errors(read_yaml(file).plain()) == []


@pytest.mark.parametrize("name", REFUSED)
def test_an_editor_marks_what_is_broken(name: str) -> None:
    assert VALIDATOR.errors(read_yaml(BROKEN / f"{name}.yaml").plain()) != []


def test_the_language_is_known_to_its_last_form() -> None:
    study = {
        "extends": ["base.yaml", "other.yaml"],
        "cell": {
            "languages": "xlm-7",
            "encoder": {"size": "base", "width": 768},
            "tokenizer": {"vocab_size": "150k"},
            "commands": {"mine": {"takes": ["shards"], "settings": {"rate": [1, {"a": None}]}}},
            "tasks": {"xnli": None},
        },
        "axes": [
            {
                "name": "all of it",
                "product": [
                    {"zip": {"encoder.size": ["base"], "languages": [["en", "de"]]}},
                    {"pretraining.updates": "geom(32k, 512k, 5)"},
                ],
                "where": "encoder.width > 3",
                "solve": {"encoder.width": {"hold": "parameters", "at": "90M", "within": "1.5%"}},
            }
        ],
        "replicates": {"seed": {"range": [1, 40]}},
        "scales": {"paper": None, "laptop": {"blocks": "all"}},
    }
    assert VALIDATOR.errors(study) == []


def test_every_key_has_type_default_and_meaning() -> None:
    definitions = study_schema()["definitions"]
    cell = definitions["cell"]
    for path in leaf_paths():
        schema = cell
        for name in path.split("."):
            schema = schema["properties"][name]
            if path.startswith("tasks.") and "anyOf" in schema and "description" not in schema:
                assert schema["anyOf"][0] == {"$ref": "#/definitions/task"}
                schema = definitions["task"]
        assert schema["description"], path
        assert "default" in schema and schema.keys() & {"type", "anyOf", "enum"}, path
    for config, path in ((CellConfig, "cell"), (ExecutionConfig, "execution")):
        for key, kind, _, meaning in keys(config, path):
            assert kind and meaning, f"{key} has no docstring"


def test_named_choices_are_asked_of_the_dataclasses() -> None:
    assert choices_of(EncoderConfig, "norm") == ["post", "pre"]
    assert choices_of(PretrainingConfig, "precision") == ["bf16", "fp32"]
    assert choices_of(EncoderConfig, "width") == []
    assert choices_of(TaskConfig, "regimes") == list(REGIMES)
