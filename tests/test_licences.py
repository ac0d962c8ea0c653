"""Dependencies: each is pinned, and each one's licence stands in docs/licences.md."""

import importlib.metadata
import re

from tests.licences import PAGE, normal, pinned, rows

FREE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|Zlib|CNRI|CC0|Academic Free"
)
OF_THE_PLATFORM = re.compile(r"nvidia-.*|cuda-.*|triton|pip|setuptools|wheel")
"""What PyTorch's builds for GPUs bring, and what environments have anyway."""


def needed() -> set[str]:
    """All that `multilingual-grid[dev]` brings here, by normalised name."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    left: list[tuple[str, frozenset[str]]] = [("multilingual-grid", frozenset({"dev"}))]
    seen = set(left)
    while left:
        name, extras = left.pop()
        try:
            given = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(normal(name))
        for requirement in map(Requirement, given):
            marker = requirement.marker
            wanted = marker is None or any(
                marker.evaluate({"extra": extra}) for extra in extras | {""}
            )
            next_ = (requirement.name, frozenset(requirement.extras))
            if wanted and next_ not in seen:
                seen.add(next_)
                left.append(next_)
    return found - {"multilingual-grid"}


def test_every_dependency_is_pinned() -> None:
    found = needed()
    assert {"torch", "deepspeed", "polars", "pytest"} <= found
    loose = {name for name in found - pinned().keys() if not OF_THE_PLATFORM.fullmatch(name)}
    assert not loose, "constraints.txt does not name them"


def test_the_page_lists_each_with_its_licence() -> None:
    listed = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if "| " in line][1:]
    by_name = {line.split(" | ")[0].removeprefix("| "): line for line in listed}
    assert by_name.keys() == pinned().keys()
    here = rows()
    assert len(here) > 40
    assert {name: by_name[name] for name in here} == here, "python -m tests.licences"


def test_all_of_them_are_free_and_none_is_silent() -> None:
    unknown = {name: row for name, row in rows().items() if not FREE.search(row.split(" | ")[2])}
    assert not unknown
