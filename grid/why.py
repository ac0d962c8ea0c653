"""Why two things are not one: the fields in which two cells, or two artifacts, differ.

An artifact differs from another in its stage's version, in its own configuration, or in an input;
an input that differs is followed down to the field that is the cause, through what the store has
recorded and what a study's graph can tell. Nothing that is equal is shown, and nothing that only
follows from a difference already shown: neither keys nor the list of inputs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grid.errors import StudyError
from grid.graph import Stage, StageId
from grid.identity import canonical, plain
from grid.store import Store
from grid.tree import near
from grid.typed import recorded

if TYPE_CHECKING:
    import polars

    from grid.wanted import Orphan

ABSENT = "(absent)"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What an artifact's key was made from."""

    stage: str
    version: int
    config: Any
    """The dataclass if it can still be read as one, otherwise plain JSON."""
    inputs: Mapping[str, StageId]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One field, with both values as JSON; `artifacts` are those whose field it is."""

    field: str
    a: Any
    b: Any
    artifacts: list[str] = dataclass_field(default_factory=list)


@dataclass(kw_only=True)
class Records:
    """Finds records: of a study's graph first, then in a store."""

    store: Store
    stages: Mapping[StageId, Stage] = dataclass_field(default_factory=dict)

    def get(self, id: StageId) -> Record | None:
        """None if neither knows the artifact."""
        stage = self.stages.get(id)
        if stage is not None:
            return of_stage(stage)
        return of_folder(self.store.path(*id)) if self.store.has(*id) else None


def of_stage(stage: Stage) -> Record:
    """The record of a stage, whether or not its artifact is there."""
    return Record(stage=stage.name, version=stage.version, config=stage.config, inputs=stage.inputs)


def of_folder(folder: Path) -> Record:
    """The record of an artifact's folder, wherever it lies. Raises StoreError."""
    from grid.artifact import CONFIG, content, read_record

    config, manifest = read_record(folder)
    content(folder, CONFIG)  # the same bytes as were published
    return Record(
        stage=manifest["stage"],
        version=manifest["version"],
        # As its dataclass, so that fields at their default show too.
        config=config["config"] if (typed := recorded(config)) is None else typed,
        inputs={role: (stage, key) for role, (stage, key) in config["inputs"].items()},
    )


def cells(a: Any, b: Any) -> list[Difference]:
    """The fields in which two configurations differ."""
    return list(_fields(a, b))


def artifacts(a: Record, b: Record, records_a: Records, records_b: Records) -> list[Difference]:
    """The fields in which two artifacts differ, through their inputs, each field once.

    Equal differences of several inputs (the corpora of fifteen languages) are one.
    """
    found: dict[bytes, Difference] = {}
    seen: set[tuple[StageId, StageId]] = set()
    for stage, difference in _artifact(a, b, records_a, records_b, seen):
        name = difference.field if stage == a.stage else f"{stage}: {difference.field}"
        merged = Difference(field=name, a=difference.a, b=difference.b)
        known = found.setdefault(canonical([name, difference.a, difference.b]), merged)
        known.artifacts.append(stage)
    return list(found.values())


def _artifact(
    a: Record, b: Record, records_a: Records, records_b: Records, seen: set[Any]
) -> Iterator[tuple[str, Difference]]:
    if a.stage != b.stage:
        raise StudyError(f"expected two artifacts of one stage, found {a.stage} and {b.stage}")
    own = list(_fields(a.config, b.config))
    if a.version != b.version:
        own.insert(0, Difference(field="version", a=a.version, b=b.version))
    yield from ((a.stage, difference) for difference in own)
    only_a, only_b = sorted({*a.inputs} - {*b.inputs}), sorted({*b.inputs} - {*a.inputs})
    if not own and (only_a or only_b):
        yield a.stage, Difference(field="inputs", a=only_a, b=only_b)
    for role in a.inputs:
        pair = (a.inputs[role], b.inputs.get(role, a.inputs[role]))
        if pair[0] == pair[1] or pair in seen:
            continue
        seen.add(pair)
        inner_a, inner_b = records_a.get(pair[0]), records_b.get(pair[1])
        if inner_a is None or inner_b is None:
            # Nothing here says what they were made from, so the keys are all there is to tell.
            yield pair[0][0], Difference(field="key", a=pair[0][1], b=pair[1][1])
        else:
            yield from _artifact(inner_a, inner_b, records_a, records_b, seen)


def _fields(a: Any, b: Any) -> Iterator[Difference]:
    left, right = dict(leaves(a)), dict(leaves(b))
    for path in dict.fromkeys([*left, *right]):
        one, other = left.get(path, ABSENT), right.get(path, ABSENT)
        if canonical(one) != canonical(other):
            yield Difference(field=path, a=one, b=other)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every path to a plain value below a configuration; files of a source by their name."""
    inner: Mapping[str, Any] | None = None
    if is_dataclass(value):
        inner = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, dict) and value:
        inner = value
    elif isinstance(value, list) and value and not isinstance(value[0], str | int | float):
        inner = {_name(item, number): item for number, item in enumerate(value)}
    if inner is None:
        yield path, plain(value)
        return
    for name, item in inner.items():
        yield from leaves(item, f"{path}.{name}" if path else name)


def _name(item: Any, number: int) -> str:
    name = item.get("name") if isinstance(item, dict) else getattr(item, "name", None)
    return str(number if name is None else name)


def frame(differences: Sequence[Difference], names: tuple[str, str]) -> "polars.DataFrame":
    """One row for each difference: field, and its value in each of the two."""
    import polars

    columns: dict[str, list[str]] = {"field": [], names[0]: [], names[1]: []}
    for difference in differences:
        columns["field"].append(difference.field)
        for name, own, other in (
            (names[0], difference.a, difference.b),
            (names[1], difference.b, difference.a),
        ):
            columns[name].append(text(own, other))
    return polars.DataFrame(columns, schema=dict.fromkeys(columns, polars.String))


def text(own: Any, other: Any) -> str:
    """One value beside the other: of two lists, what they share and what only this one has."""
    if isinstance(own, list) and isinstance(other, list):
        only = [str(item) for item in own if item not in other]
        shared = len(own) - len(only)
        parts = [f"{shared} shared"] if shared else []
        return " + ".join([*parts, *([" ".join(only)] if only else [])]) or "none"
    if isinstance(own, bool):
        return str(own).lower()
    return "null" if own is None else str(own)


def store_around(folder: Path) -> Store:
    """The store that an artifact's folder lies in; if it lies in none, an empty one."""
    parents = folder.absolute().parents
    return Store(parents[3] if len(parents) > 3 and parents[2].name == "artifacts" else folder)


def find(store: Store, name: str) -> Path:
    """The folder of the artifact that a path, `stage/key`, a key or its beginning names."""
    path = Path(name).expanduser()
    if (path / "manifest.json").is_file():
        return path
    stage, _, key = name.rpartition("/")
    root = store.root / "artifacts"
    stages = [stage] if stage else sorted(each.name for each in root.glob("*") if each.is_dir())
    close = [
        (each, known)
        for each in stages
        for known in sorted(store.published(each))
        if known.startswith(key)
    ]
    exact = [id for id in close if id[1] == key] or close
    if len(exact) == 1:
        return store.path(*exact[0])
    if exact:
        told = ", ".join("/".join(id) for id in exact[:5])
        raise StudyError(f"artifact {name!r} could be any of {len(exact)}: {told}")
    every = [known for each in stages for known in store.published(each)]
    raise StudyError(
        f"artifact {name!r} is not in the store {store.root}{near(key, every)}; expected a key or "
        "its beginning, STAGE/KEY, or the path of an artifact's folder"
    )


def orphans_frame(orphans: "Sequence[Orphan]") -> "polars.DataFrame":
    """One row for each orphan and field that differs from what is wanted in its place."""
    import polars

    rows = []
    for orphan in orphans:
        for each in orphan.differences or [Difference(field="", a=None, b=None)]:
            told = bool(each.field)
            rows.append(
                {
                    "stage": orphan.stage,
                    "key": orphan.key,
                    "now": orphan.successor,
                    "field": each.field if told else None,
                    "was": text(each.a, each.b) if told else None,
                    "is": text(each.b, each.a) if told else None,
                }
            )
    columns = ("stage", "key", "now", "field", "was", "is")
    return polars.DataFrame(rows, schema=dict.fromkeys(columns, polars.String))
