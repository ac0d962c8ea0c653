"""Lays a study together: the files that it extends, its scale, the site file and the overrides.

Later layers win: extended files, the study, the scale, the site (which may only place work), then
the command line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grid.axes import block_name
from grid.errors import StudyError
from grid.named_sizes import resolve
from grid.programs import Program, read_programs
from grid.tree import (
    COMMAND_LINE,
    Node,
    expect_keys,
    expect_list,
    expect_mapping,
    expect_path,
    fail,
    near,
    overlay,
    shown,
)
from grid.yaml_source import parse_yaml, read_yaml

_OPTIONS = ("store", "scale", "site", "workers", "format")
"""Options of the command line that are easily taken for keys."""
LAYER_KEYS = (
    "title",
    "source",
    "cell",
    "axes",
    "blocks",
    "replicates",
    "figures",
    "tables",
    "language_sets",
    "locations",
    "execution",
    "claims",
)
"""What a study and each of its scales may say."""
STUDY_KEYS = ("extends", "scales", *LAYER_KEYS)
SITE_KEYS = ("locations", "execution", "store", "commands")
_SITE_ONLY = re.compile(
    r"execution\.slurm\.(stages\.[^.]+\.)?(setup|extra|python|mail_user)"
    r"|execution\.monitors\.(wandb|[^.]+\.output_path)"
)
"""What runs commands, writes outside of the store or sends to others."""
DEFAULT_SCALE = "laptop"
SITE_FILE = "grid.yaml"


@dataclass(frozen=True, kw_only=True)
class Layers:
    """A study laid together, with origins."""

    tree: Node
    study: Node
    """What the study's files say, with all their scales."""
    scale: str
    store: Path | None
    """The store that the site file names."""
    overrides: Node
    """What the command line says, alone."""
    programs: Mapping[str, Program]
    """The programs that the site file defines."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a site file says."""

    file: Path | None = None
    """None if there is no site file."""
    placed: Node | None = None
    """Its locations and execution."""
    store: Path | None = None
    programs: Mapping[str, Program] = field(default_factory=dict)


def read_site(site: Path | None) -> Site:
    """The site file: the one named, or grid.yaml in the working folder if there is one."""
    file = site or Path.cwd() / SITE_FILE
    if site is None and not file.is_file():
        return Site()
    file = file if file.is_absolute() else Path.cwd() / file
    node = read_yaml(file, "site file")
    placed = dict(expect_keys(node, "", SITE_KEYS))
    store, commands = placed.pop("store", None), placed.pop("commands", None)
    folder = None
    if store is not None and store.value is not None:
        folder = store.origin.folder / expect_path(store, "store")
    return Site(
        file=file,
        placed=Node(placed, node.origin),
        store=folder,
        programs=read_programs(commands),
    )


def read_layers(
    file: Path, *, scale: str | None, overrides: Sequence[str], site: Path | None
) -> Layers:
    """Reads and lays together everything that decides a study. Raises StudyError."""
    written = _extended(file, ())
    study, scale = _with_scale(written, scale, file)
    _refuse_what_only_the_user_may_say(study)
    own = read_site(site)
    if own.placed is not None:
        study = lay(study, own.placed)
    top = Node({}, COMMAND_LINE)
    for text in overrides:
        change = _override(text, lay(study, top))
        top = lay(top, change)
        study = lay(study, change)
    return Layers(
        tree=study,
        study=written,
        scale=scale,
        store=own.store,
        overrides=top,
        programs=own.programs,
    )


def _refuse_what_only_the_user_may_say(study: Node) -> None:
    """A study may come from anyone: it computes, and does nothing else to this machine."""
    execution = study.value.get("execution")
    for path, node in _nodes(execution, "execution") if execution is not None else ():
        if _SITE_ONLY.fullmatch(path):
            raise fail(
                node,
                path,
                "expected it in the site file (grid.yaml, or --site FILE) or on the command line, "
                "found it in a study, which may come from anyone: it runs commands, writes outside "
                "of the store or sends to others",
            )


def _nodes(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """A node and all below it that have a path of keys."""
    yield path, node
    if isinstance(node.value, dict):
        for name, item in node.value.items():
            yield from _nodes(item, f"{path}.{name}")


def scales_of(file: Path) -> list[str]:
    """The scales that a study may be taken at. Raises StudyError."""
    scales = _extended(file, ()).value.get("scales")
    return [] if scales is None or scales.value is None else list(scales.value)


def every_scale(study: Node) -> list[Node]:
    """What a study's files say at each scale, and without one."""
    base, scales = _without(study, ("scales",)), study.value.get("scales")
    own = [] if scales is None or scales.value is None else list(scales.value.values())
    return [base, *(lay(base, scale) for scale in own if scale.value is not None)]


def lay(base: Node, top: Node) -> Node:
    """`top` over `base`, both studies or scales: axes by block name, all else key by key."""
    special = ("axes", "scales")
    merged = dict(overlay(_without(base, special), _without(top, special)).value)
    for name in special:
        below, above = base.value.get(name), top.value.get(name)
        if below is None or above is None or above.value is None:
            if above is not None or below is not None:
                merged[name] = above if above is not None else below
        elif name == "axes":
            merged[name] = _lay_axes(below, above)
        else:
            scales = dict(expect_mapping(below, "scales"))
            for scale, node in expect_mapping(above, "scales").items():
                known = scales.get(scale)
                scales[scale] = lay(known, node) if known and known.value and node.value else node
            merged[name] = Node(scales, above.origin)
    return Node(merged, top.origin)


def _without(node: Node, keys: Sequence[str]) -> Node:
    return Node({key: item for key, item in node.value.items() if key not in keys}, node.origin)


def _lay_axes(base: Node, top: Node) -> Node:
    blocks: dict[str, Node] = {}
    for layer in (base, top):
        names = []
        for number, node in enumerate(expect_list(layer, "axes")):
            name = block_name(node, f"axes[{number}]")
            if name in names:
                raise fail(
                    node, "axes", f"two blocks are named {name!r}; a block's name is its own"
                )
            names.append(name)
            blocks[name] = node
    return Node(list(blocks.values()), top.origin)


def _extended(file: Path, chain: tuple[Path, ...]) -> Node:
    """A study file over the files that it extends, of which later ones win."""
    node = read_yaml(file)
    for name in _cell_groups():
        if name in expect_mapping(node, ""):
            where = " A program itself is defined in the site file." * (name == "commands")
            told = f"unknown key (did you mean cell.{name}?).{where}"
            raise fail(node.value[name], name, told)
    expect_keys(node, "", STUDY_KEYS)
    node = _with_sizes(node)
    scales = node.value.get("scales")
    if scales is not None:
        for name, scale in expect_mapping(scales, "scales").items():
            if scale.value is not None:
                expect_keys(scale, f"scales.{name}", LAYER_KEYS)
    parents = node.value.get("extends")
    if parents is None or parents.value is None:
        return _without(node, ("extends",))
    chain = (*chain, file.resolve())
    below: Node | None = None
    for parent in parents.value if isinstance(parents.value, list) else [parents]:
        target = file.parent / expect_path(parent, "extends")
        if target.resolve() in chain:
            names = " -> ".join(shown(path) for path in (*chain, target.resolve()))
            raise fail(parent, "extends", f"goes round in a circle: {names}")
        if not target.is_file():
            raise fail(parent, "extends", f"no such file: {shown(target)} (relative to this study)")
        extended = _extended(target, chain)
        below = extended if below is None else lay(below, extended)
    above = _without(node, ("extends",))
    return above if below is None else lay(below, above)


def _with_sizes(layer: Node) -> Node:
    """A study, scale or override in which every `encoder.size` below a `cell` is written out.

    Each layer is written out before it is laid over another, so that a size replaces what earlier
    layers said of its fields, and a later layer replaces what the size said.
    """
    changed = dict(layer.value)
    if changed.get("cell") is not None:
        changed["cell"] = resolve(changed["cell"], "cell")
    axes = changed.get("axes")
    if axes is not None and isinstance(axes.value, list):
        changed["axes"] = Node([_block_with_sizes(block) for block in axes.value], axes.origin)
    scales = changed.get("scales")
    if scales is not None and isinstance(scales.value, dict):
        written_out = {
            name: _with_sizes(scale) if isinstance(scale.value, dict) else scale
            for name, scale in scales.value.items()
        }
        changed["scales"] = Node(written_out, scales.origin)
    return Node(changed, layer.origin)


def _block_with_sizes(block: Node) -> Node:
    if not isinstance(block.value, dict) or block.value.get("cell") is None:
        return block
    cell = resolve(block.value["cell"], "cell")
    return Node({**block.value, "cell": cell}, block.origin)


def _with_scale(study: Node, scale: str | None, file: Path) -> tuple[Node, str]:
    scales = study.value.get("scales")
    legal = dict(scales.value) if scales is not None and scales.value is not None else {}
    wanted = scale or DEFAULT_SCALE
    base = _without(study, ("scales",))
    if wanted in legal:
        top = legal[wanted]
        return (base if top.value is None else lay(base, top)), wanted
    if not legal and scale is None:
        return base, wanted
    names = ", ".join(legal) or "none, for this study has no `scales`"
    raise StudyError(
        f"{shown(file)}: unknown scale {wanted!r}{near(wanted, legal)}; expected one of {names}"
    )


def _override(text: str, study: Node) -> Node:
    """One `key=value` of the command line as a layer."""
    path, equals, written = text.partition("=")
    path = path.strip()
    if not equals or not path:
        raise StudyError(f"command line: expected key=value, found {text!r}")
    try:
        value = parse_yaml(written)
    except StudyError as error:
        raise StudyError(f"{error} (in {text!r})") from None
    keys = path.split(".")
    if keys[0] not in LAYER_KEYS:
        meant = near(keys[0], LAYER_KEYS)
        if keys[0] in _cell_groups():
            meant = f" (did you mean cell.{path}?)"
        elif keys[0] in _OPTIONS:
            meant = f" (did you mean --{keys[0]} {written}?)"
        raise StudyError(
            f"command line: {path}: unknown key{meant}; expected one of {', '.join(LAYER_KEYS)}"
        )
    if keys[0] == "axes" and len(keys) > 1:
        return _axes_override(path, value, study)
    for key in reversed(keys):
        value = Node({key: value}, COMMAND_LINE)
    return _with_sizes(value)


def _axes_override(path: str, value: Node, study: Node) -> Node:
    """`axes.BLOCK.product.encoder.width=[...]`: changes a part of the block of that name."""
    rest = path.removeprefix("axes.")
    axes = study.value.get("axes")
    nodes = [] if axes is None else expect_list(axes, "axes")
    blocks = {block_name(node, "axes"): node for node in nodes}
    name = next((name for name in blocks if rest == name or rest.startswith(f"{name}.")), None)
    if name is None:
        first = rest.split(".")[0]
        raise StudyError(
            f"command line: {path}: unknown block {first!r}{near(first, blocks)}; expected one of "
            f"{', '.join(blocks)}"
        )
    keys = [key for key in rest[len(name) + 1 :].split(".") if key]
    if keys and keys[0] in ("product", "zip") and len(keys) > 1:
        keys = [keys[0], ".".join(keys[1:])]  # an axis path is one key
    if keys and keys[0] == "solve" and len(keys) > 2:
        keys = [keys[0], ".".join(keys[1:3]), *keys[3:]]
    for key in reversed(keys):
        value = Node({key: value}, COMMAND_LINE)
    changed = overlay(blocks[name], _block_with_sizes(value))
    expect_mapping(changed, path)
    named = dict(changed.value)
    named.setdefault("name", Node(name, COMMAND_LINE))
    return Node({"axes": Node([Node(named, changed.origin)], COMMAND_LINE)}, COMMAND_LINE)


def _cell_groups() -> tuple[str, ...]:
    from grid.schema import hints
    from model.config import CellConfig

    return tuple(hints(CellConfig))
