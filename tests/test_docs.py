"""The documents are true: their examples run, their links lead somewhere, their tables are current.

An HTML comment on the line before a fenced block says what to do with it: `<!-- test -->` runs a
bash or python block, `<!-- test: exit=2 -->` expects that exit status, `<!-- test: file=NAME -->`
writes the block to NAME, `<!-- test: study=N -->` loads it as a study of N cells, and of
`<!-- test: output -->` each line is one that the last block has printed. Blocks of one document are
taken in order, in one new folder with the studies beside it; with a `<!-- test: slow -->` among
them the test is slow. In blocks without a comment, every `python -m grid` command must at least
name a study and overrides that load.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import grid
from grid import reference

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(
    r"^(?:<!-- test(?P<marked>)(?:: (?P<how>[^>]*?))? -->\n+)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def _pages_with_blocks() -> list[object]:
    pages = []
    for page in PAGES:
        hows = [match["how"] for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]
        marks = [pytest.mark.slow] if "slow" in hows else []
        if hows:
            pages.append(pytest.param(page, marks=marks, id=page.stem))
    return pages


def _run(block: re.Match[str], folder: Path) -> str:
    """What it printed, errors behind the rest."""
    program = {
        "bash": ["bash", "-euo", "pipefail", "-c", block["text"]],
        "python": [sys.executable, "-c", block["text"]],
    }[block["language"]]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GRID_STORE": str(folder / "runs"),
        "COLUMNS": "120",  # as wide as the documents' outputs are
    }
    done = subprocess.run(
        program, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    how = block["how"] or ""
    expected = int(how.removeprefix("exit=")) if how.startswith("exit=") else 0
    assert done.returncode == expected, f"{block['text']}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def _load(commands: str) -> None:
    """Loads the study of every `python -m grid` command with its overrides and scale."""
    for line in commands.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:3] != ["python", "-m", "grid"] or not words[4:] or words[4].isupper():
            continue
        scale = words[words.index("--scale") + 1] if "--scale" in words else None
        grid.load(words[4], *(word for word in words[5:] if "=" in word), scale=scale)


@pytest.mark.parametrize("page", _pages_with_blocks())
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    monkeypatch.chdir(tmp_path)
    printed = ""
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        how = block["how"] or ""
        if how.startswith("file="):
            target = tmp_path / how.removeprefix("file=")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block["text"], encoding="utf-8")
        elif how.startswith("study="):
            target = tmp_path / "example.yaml"
            target.write_text(block["text"], encoding="utf-8")
            found = len(grid.load(target).cells)
            assert found == int(how.removeprefix("study=")), block["text"]
        elif how == "output":
            assert set(block["text"].splitlines()) <= set(printed.splitlines()), printed
        elif block["marked"] is not None:
            printed = _run(block, tmp_path)
        elif block["language"] == "bash":
            _load(block["text"])


def _anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    without_code = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(without_code):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in _anchors(target), f"{page.name}: {link}"


def test_reference_lists_every_key() -> None:
    page = ROOT / "docs" / "reference.md"
    text = page.read_text(encoding="utf-8")
    assert text == reference.replace(text), "run: python -m grid.reference docs/reference.md"
    assert "| `cell.encoder.width` | int | 768 |" in text


def test_every_key_says_what_it_means() -> None:
    rows = [line for line in reference.table().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.endswith("|  |")] == []
