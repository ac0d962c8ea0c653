"""Reads the texts of a Parquet file in a process of its own, and sees to it that none is lost.

The library that reads Parquet takes a file at its word. Over a damaged one it may end its whole
process (a length of 2^61 bytes cannot be allocated), or give up in one of its threads and end as
if no row were left. So it runs apart and in bounded memory, it is looked at how its process ends,
and rows are counted.

    python -m model.text.parquet FILE

writes lines of JSON: {"rows": those that the file says it has}, a list of texts again and again,
and {"done": true}; or {"error": what is wrong}, or {"damaged": what the library says}.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from model.errors import InputError

LONGEST_TEXT = 1 << 26
"""Bytes of a row's text that are accepted at most, as of a line of JSON."""
MOST_MEMORY = 8 << 30
"""Bytes that the process may hold: some row groups at once."""
_ROOT = Path(__file__).resolve().parents[2]
_ROWS = 2048
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that are the parent's to answer: it ends this process by ending itself."""


def read_texts(path: Path) -> Iterator[tuple[float, list[str | None]]]:
    """Texts of a file's rows in their order, some at once, with the share that has been read.

    Raises InputError, naming the file, for one that is damaged or has no texts; OSError for one
    that cannot be opened.
    """
    path.open("rb").close()
    command = [sys.executable, "-m", "model.text.parquet", str(path.absolute())]
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(
            command,
            bufsize=1 << 20,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=told,
        ) as process,
    ):
        try:
            found = expected = 0
            done = False
            for line in cast(IO[bytes], process.stdout):
                if not line.endswith(b"\n"):
                    break  # its process ended in the middle of it
                message = json.loads(line)
                if isinstance(message, list):
                    found += len(message)
                    yield found / max(1, expected), message
                elif "error" in message:
                    raise InputError(f"{path}: {message['error']}")
                elif "damaged" in message:
                    raise InputError(_damaged(path, message["damaged"]))
                else:
                    expected = message.get("rows", expected)
                    done = message.get("done", done)
            status = process.wait()
        finally:
            process.kill()
        if not done:
            raise _ended(path, status, told)
    if found != expected:
        raise InputError(_damaged(path, f"{found} rows could be read of {expected}"))


def _damaged(path: Path, why: str) -> str:
    return f"{path}: not a Parquet file, or a damaged one ({why}). Fetch it again."


def _ended(path: Path, status: int, told: IO[bytes]) -> Exception:
    """What it means that the process has ended before it was done."""
    if status == -signal.SIGKILL:
        return MemoryError(f"{path}: the process that reads it was killed (out of memory?)")
    if -status in _STOPS:
        return RuntimeError(f"{path}: the process that reads it was ended by signal {-status}")
    told.seek(0)
    lines = told.read(1 << 16).decode("utf-8", "replace").splitlines()
    why = next((line for line in lines if line and not line.startswith("thread ")), "")
    return InputError(_damaged(path, f"its reader crashed: {why[:200] or f'status {status}'}"))


def _send(message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


def _texts(path: Path) -> None:
    import polars

    try:
        frame = polars.scan_parquet(path)
        columns = frame.collect_schema()
        if columns.get("text") != polars.String:
            found = ", ".join(f"{name} ({kind})" for name, kind in columns.items())
            error = f"expected a column 'text' of strings, found {found[:500]}. "
            _send({"error": f"{error}Rename the column that holds the text."})
            return
        _send({"rows": frame.select(polars.len()).collect().item()})
        for batch in frame.select("text").collect_batches(chunk_size=_ROWS, maintain_order=True):
            if not _batch(batch["text"]):
                return
        _send({"done": True})
    except polars.exceptions.PolarsError as error:
        why = next(iter(str(error).splitlines()), "no reason given")
        _send({"damaged": why})


def _batch(texts: Any) -> bool:
    """Sends some texts, few at once where they are long; False where one is too long."""
    sizes = texts.str.len_bytes().fill_null(0)
    start = held = 0
    for row, size in enumerate(sizes):
        if size > LONGEST_TEXT:
            error = f"a row's text is longer than {LONGEST_TEXT} bytes: {texts[row][:60]!r}"
            _send({"error": f"{error} ... Make it several rows."})
            return False
        if held + size > LONGEST_TEXT:
            _send(texts[start:row].to_list())
            start, held = row, 0
        held += size
    _send(texts[start:].to_list())
    return True


if __name__ == "__main__":
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    os.environ["POLARS_ROW_GROUP_PREFETCH_SIZE"] = "2"
    _texts(Path(sys.argv[1]))
