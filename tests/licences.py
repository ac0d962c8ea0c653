"""Writes docs/licences.md from what packages say of themselves: `python -m tests.licences`."""

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
HEAD = """\
# Licences of dependencies

This project is under the [Apache License 2.0](../LICENSE). It ships none of the packages below; pip
installs them in the versions of `constraints.txt`, development and tests included. What stands here
is what each says of itself in its metadata; `python -m tests.licences` writes the page anew.

| package | version | licence |
|---|---|---|
"""


def pinned() -> dict[str, str]:
    """The versions of constraints.txt by normalised name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {normal(name): version for name, _, version in (x.partition("==") for x in lines)}


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(package: importlib.metadata.Distribution) -> str:
    """What it says: an SPDX expression, or else its classifiers, or else a line of text."""
    said = package.metadata
    if expression := said.get("License-Expression"):
        return str(expression)
    classifiers = [
        text.split(" :: ")[-1]
        for text in said.get_all("Classifier") or []
        if text.startswith("License :: ") and text != "License :: OSI Approved"
    ]
    text = ", ".join(classifiers) or next(iter(str(said.get("License") or "").splitlines()), "")
    return text.strip() or "not said"


def rows() -> dict[str, str]:
    """A line of the table for each pinned package that is installed here, by name."""
    installed = {normal(each.metadata["Name"]): each for each in importlib.metadata.distributions()}
    return {
        name: f"| {name} | {version} | {licence(installed[name])} |"
        for name, version in sorted(pinned().items())
        if name in installed and installed[name].version.partition("+")[0] == version
    }


def main() -> None:
    missing = pinned().keys() - rows().keys()
    if missing:
        raise SystemExit(
            f"not installed here in their pinned versions: {', '.join(sorted(missing))}"
        )
    PAGE.write_text(HEAD + "\n".join(rows().values()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
