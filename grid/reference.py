"""The table of study keys in docs/reference.md, made from the dataclasses of model.config.

`python -m grid.reference docs/reference.md` rewrites the part between the two markers; a test fails
while the file says anything else.
"""

import ast
import dataclasses
import inspect
import itertools
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path

from grid.execution import ExecutionConfig
from model.config import CellConfig

BEGIN = "<!-- keys: begin -->"
END = "<!-- keys: end -->"


def descriptions(config: type) -> dict[str, str]:
    """The string that stands under each field of a dataclass, by field name."""
    found = {}
    bases = [base for base in reversed(config.__mro__) if dataclasses.is_dataclass(base)]
    for statement, after in itertools.chain.from_iterable(map(_statements, bases)):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            text = " ".join(str(after.value.value).split())
            found[statement.target.id] = re.sub(r"(</?\w+>)", r"`\1`", text)
    return found


def _statements(config: type) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Each statement of a class, with the one after it."""
    body = typing.cast(ast.ClassDef, ast.parse(inspect.getsource(config)).body[0]).body
    return itertools.pairwise(body)


def _item(annotation: object) -> type | None:
    """The dataclass of which a field holds several by name."""
    if typing.get_origin(annotation) is dict:
        for part in typing.get_args(typing.get_args(annotation)[1]):
            if dataclasses.is_dataclass(part):
                return typing.cast(type, part)
    return None


def _type_name(annotation: object) -> str:
    if annotation is types.NoneType:
        return "null"
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return " or ".join(_type_name(part) for part in typing.get_args(annotation))
    if typing.get_origin(annotation) is list:
        return "list"
    return getattr(annotation, "__name__", str(annotation))


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "required"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:_}"
    return "" if value == [] else str(value)


def keys(config: type, path: str) -> Iterator[tuple[str, str, str, str]]:
    """(key, type, default, meaning) of every field of a configuration, parts within it too."""
    told = descriptions(config)
    annotations = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        annotation = annotations[field.name]
        if dataclasses.is_dataclass(annotation):
            yield from keys(typing.cast(type, annotation), f"{path}.{field.name}")
        elif (part := _item(annotation)) is not None:
            yield from keys(part, f"{path}.{field.name}.<name>")
        else:
            yield (
                f"{path}.{field.name}",
                _type_name(annotation),
                _default(field),
                told.get(field.name, ""),
            )


def table() -> str:
    """Markdown tables of `cell` and `execution`."""
    lines = []
    for config, path in ((CellConfig, "cell"), (ExecutionConfig, "execution")):
        lines += [f"| {path} key | type | default | meaning |", "|---|---|---|---|"]
        for key, kind, default, meaning in keys(config, path):
            lines.append(f"| `{key}` | {kind} | {default} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def replace(text: str) -> str:
    """`text` with the table between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}{END}{after}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(replace(page.read_text(encoding="utf-8")), encoding="utf-8")
