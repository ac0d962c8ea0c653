"""The command stage: runs a program of the user's own on a cell.

The program is given paths in place of the words in braces: `{config}` is a JSON file with the whole
cell, its settings and the folders of its inputs; `{output}` is an empty folder that becomes the
artifact; `{metrics}` is the file that it writes its scores to; `{work}` is a folder that outlives a
killed attempt, for checkpoints. What it prints is the attempt's log. Scores are JSON: one object of
numbers, a list of rows, or one row a line; a row is {"metric": ..., "value": ..., "language": ...,
"n": ...}, of which the last two may be left out.
"""

import ctypes
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from model.config import CellConfig
from model.context import Context
from model.errors import InputError, Stopped

PLACES = ("config", "output", "metrics", "work", "python")
"""What stands in braces in a program's command line."""
METRICS = "metrics.json"

_PRINTED = 8
"""Lines of output that a failure repeats."""
_LINE = 500
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL when the stage is told to stop."""
_POLL = 0.5


@dataclass(kw_only=True)
class CommandStage:
    """One program on one cell. Inputs: what the cell's command `takes`."""

    command: str
    version: str
    """The program's own, from the site file."""
    cell: CellConfig
    """Complete, with no command but this one."""


@dataclass(kw_only=True)
class Invocation:
    """How the program is started on this machine: placement, never identity."""

    run: list[str]
    folder: str
    environment: dict[str, str] = field(default_factory=dict)


def run(config: CommandStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Runs the program, then writes scores.json from its metrics.

    Raises InputError if it cannot be started, ends with another status than 0, or writes no usable
    metrics; Stopped if the context says so.
    """
    if context.command is None:
        raise InputError(f"commands.{config.command}: expected its command line, found none")
    invocation = Invocation(**context.command)
    places = _places(config, inputs, output, context)
    last = _call(config.command, invocation, places, context)
    _write(output / "scores.json", _scores(config, Path(places["metrics"]), last))


def _places(
    config: CommandStage, inputs: Mapping[str, Path], output: Path, context: Context
) -> dict[str, str]:
    """Writes the program's configuration; returns what each word in braces stands for."""
    work = context.work / "program"
    work.mkdir(exist_ok=True)
    places = {
        "config": str(context.work / "command.json"),
        "output": str(output),
        "metrics": str(output / METRICS),
        "work": str(work),
        "python": sys.executable,
    }
    cell = asdict(config.cell)
    own = cell.pop("commands")[config.command]
    _write(
        Path(places["config"]),
        {
            "command": config.command,
            "version": config.version,
            "settings": own["settings"],
            "cell": cell,
            "inputs": {role: str(folder) for role, folder in sorted(inputs.items())},
            "output": places["output"],
            "metrics": places["metrics"],
            "work": places["work"],
            "threads": context.threads,
            "device": context.device,
        },
    )
    return places


def _call(name: str, invocation: Invocation, places: Mapping[str, str], context: Context) -> str:
    """Runs the program to its end; returns what it printed last."""
    words = list(invocation.run)
    for place, path in places.items():
        words = [word.replace(f"{{{place}}}", path) for word in words]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(context.threads))
    try:
        process = subprocess.Popen(
            words,
            cwd=invocation.folder,
            env={**os.environ, **threads, **invocation.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=_die_with_parent,
            process_group=0,  # so that a stop reaches what a shell script or torchrun started
        )
    except OSError as error:
        raise InputError(
            f"commands.{name}.run: {words[0]!r} cannot be started in {invocation.folder}: "
            f"{error.strerror}. Correct it in the site file"
        ) from None
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process, context.stop, ended), daemon=True)
    watcher.start()
    printed: deque[str] = deque(maxlen=_PRINTED)
    with process:
        _relay(process.stdout, printed)
        status = process.wait()
    ended.set()  # the watcher sees it in a moment; a short program does not wait for that
    last = "\n".join(printed)
    # A program that saves its state when it is asked to may well call that a success.
    if context.stop.is_set() and (status != 0 or not Path(places["metrics"]).exists()):
        raise Stopped
    if status != 0:
        how = f"status {status}" if status > 0 else f"signal {signal.Signals(-status).name}"
        raise InputError(f"the program {name} ended with {how}; {_told(last)}")
    return last


def _relay(stream: "IO[str] | None", printed: deque[str]) -> None:
    """Passes the program's output on to the attempt's log, and keeps the last lines."""
    for line in stream or ():
        print(line, end="", flush=True)
        if line.strip():
            printed.append(line.rstrip()[:_LINE])


def _watch(process: "subprocess.Popen[str]", stop: threading.Event, ended: threading.Event) -> None:
    """Ends the program and all that it started when the stage is told to stop: gently first."""
    while not ended.is_set():
        if stop.wait(_POLL):
            _signal(process, signal.SIGTERM)
            if not ended.wait(_GRACE):
                _signal(process, signal.SIGKILL)
            return


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.killpg(process.pid, number)


def _die_with_parent() -> None:
    """In the child: it must not outlive a stage that is killed. One system call, for other threads
    of the stage may hold locks at the fork."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _told(last: str) -> str:
    return f"it printed last:\n{last}" if last else "it printed nothing"


def _scores(config: CommandStage, file: Path, last: str) -> list[dict[str, Any]]:
    """The rows of scores.json. Raises InputError on anything that is not a score."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            f"the program {config.command} ended well, but wrote no {METRICS} into its output "
            f"folder; {_told(last)}"
        ) from None
    languages = set(config.cell.languages)
    rows = []
    for number, row in enumerate(_rows(text)):
        where = f"{METRICS}[{number}] of the program {config.command}"
        score = _score(row, where)
        language = score["language"]
        seen = None if language is None else language in languages
        rows.append({"task": config.command, **score, "seen": seen})
    return rows


def _rows(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            raise InputError(f"{METRICS}: expected JSON or JSON lines: {error}") from None
    if isinstance(value, dict) and "metric" not in value:
        return [{"metric": name, "value": number} for name, number in value.items()]
    return value if isinstance(value, list) else [value]


def _score(row: Any, where: str) -> dict[str, Any]:
    legal = ("metric", "value", "language", "n")
    if not isinstance(row, dict) or not set(row) <= set(legal) or not isinstance(
        row.get("metric"), str
    ):  # fmt: skip
        raise InputError(f"{where}: expected an object with {', '.join(legal)}, found {row!r}")
    value: Any = row.get("value")
    language, count = row.get("language"), row.get("n")
    if type(value) not in (int, float) or not math.isfinite(value):
        raise InputError(f"{where}: expected a finite number as value, found {value!r}")
    if not (language is None or isinstance(language, str)):
        raise InputError(f"{where}: expected a code as language, found {language!r}")
    if not (count is None or type(count) is int):
        raise InputError(f"{where}: expected a whole number as n, found {count!r}")
    return {"metric": row["metric"], "value": float(value), "language": language, "n": count}


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
