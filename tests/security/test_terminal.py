"""What is printed of studies, logs and scores cannot command the terminal that shows it."""

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import grid
from grid.printing import SafeTerminal, safe
from grid.publish import write_json
from grid.store import Store
from tests.grid.processes import ROOT

ATTACKS = {
    "title of the window": "\x1b]0;root@bank\x07",
    "answer to a question": "\x1b[6n",
    "clears the screen": "\x1b[2J\x1b[H",
    "goes back over the line": "passed\rfailed",
    "one byte that begins a command": "\x9b2J",
    "text from right to left": "\u202etxt.exe",
    "backspaces": "no\x08\x08yes",
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_no_control_character_is_left(text: str) -> None:
    shown = safe(text)
    assert shown.isprintable() and shown != text
    assert safe(shown) == shown


def test_what_is_harmless_stays() -> None:
    text = "\x1b[31mred\x1b[0m\tשלום ไทย e\u0301\u200d\n"
    assert safe(text) == text


def test_a_terminal_is_written_safe_text(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        terminal = SafeTerminal(stream)
        assert terminal.write("a\x1b[2Jb") > 0
        assert terminal.fileno() == stream.fileno()
    assert (tmp_path / "out").read_text() == "a\\x1b[2Jb"


def on_a_terminal(folder: Path, *words: str) -> bytes:
    """What a command writes to a real terminal, output and errors together."""
    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("GRID_STORE", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "grid", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written = b""
    with suppress(OSError):  # the end of a terminal
        while block := os.read(master, 65536):
            written += block
    os.close(master)
    assert process.wait() in (0, 1, 2)
    return written


def test_studies_and_logs_on_a_real_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        'title: "A\\e]0;evil\\aB"\nsource: "\\u202exyz"\ncell: {languages: [en, sw]}\n'
    )
    study = grid.load(tmp_path / "a.yaml", store=tmp_path / "runs")
    for stage, key in study.graph().stages:
        attempt = Store(tmp_path / "runs").new_attempt(stage, key, {})
        (attempt / "log").write_text("".join(ATTACKS.values()), encoding="utf-8")
        told = "the screen \x1b[2J and \u202e its title \x1b]0;evil\x07"
        write_json(attempt / "outcome.json", {"state": "failed", "kind": "crash", "message": told})
    for words in (["plan"], ["results"], ["status"], ["logs", "corpus"]):
        written = on_a_terminal(tmp_path, words[0], "a.yaml", *words[1:])
        assert written, words
        for sign in ("\x1b]", "\x1b[2J", "\x07", "\x08", "\u202e"):
            assert sign.encode() not in written, words
    assert b"\\x1b]0;root@bank\\x07" in written
