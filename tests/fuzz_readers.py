"""Looks for a file of text, a task or a model that ends in anything but a result or a message.

    python -m tests.fuzz_readers --minutes 20 --seed 1 --keep findings [KIND ...]

Mutates small valid files of each kind, and those of tests/bad_files, as bytes and, where they are
JSON, as trees; then reads each with the reader that a run would use. Only InputError may come out,
within seconds and in bounded memory. What breaks that rule is written to the folder of findings,
and belongs in tests/bad_files, as KIND__WHAT, once it is mended.
"""

import argparse
import bz2
import gzip
import io
import json
import lzma
import random
import resource
import shutil
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sentencepiece
import zstandard
from safetensors.numpy import save

from model.config import EncoderConfig
from model.encoder.description import padded_rows
from model.encoder.huggingface import parameters, to_config
from model.encoder.published import check, inspect
from model.errors import InputError
from model.tasks.examples import count_each
from model.text.sources import find_files, read_documents
from tests.fuzz_studies import limited
from tests.model.tasks.formats import files

KEPT = Path(__file__).parent / "bad_files"
LIMIT = 20
"""Seconds of the processor that one file may take."""
MEMORY = 3 << 30
"""Bytes of data that the process may hold."""
SEPARATOR = "__"
_MANY = 30_000
_DEEP = 100_000

_ODD = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x80",
    b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b", b"\x0c", b"\x1c", b"\r", b"\r\n", b"\n",
    b"\n\n", b"\t", b" ", b'"', b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"NaN",
    b"1e999", b"-1", b"null", b"<doc ", b"</doc>", b"#", b"-DOCSTART-", b"1-2", b"O", b"B-",
    b"e\xcc\x81",
    b"9" * 5000, b"[" * _DEEP, b'{"a":' * _DEEP, b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh9", b"(\xb5/\xfd",
    b"PAR1", b"\xff" * 8,
]  # fmt: skip
_ODD_VALUES: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 0.5, 1e308, float("nan"), float("inf"), "", "en",
    "\0", "\ud800", "../../etc/passwd", "/etc/passwd", "x" * 5000, [], {}, [[]], {"": 0}, [0, 0],
    "0",
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of file: valid examples by file name, and what reads one."""

    examples: Mapping[str, bytes]
    read: Callable[[Path], object]
    beside: Callable[[Path], None] | None = None
    """Writes the other files that it is read with."""
    share: float = 1.0
    """How often it is tried, for what takes longer than others."""


def _text(file: Path) -> None:
    folder = file.parent
    for path in find_files("books", folder, "en"):
        for document in read_documents(path):
            assert document and all(line and "\n" not in line for line in document)
            "".join(document).encode()


def _task(task: str, language: str, part: str, file: Path) -> None:
    count_each(task, {language: file}, part=part)


def _model(file: Path) -> None:
    check(inspect(file.parent))


@cache
def _sentencepiece() -> bytes:
    """A real model of SentencePiece's, of few pieces."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat sat on the mat"] * 50),
        model_writer=out,
        vocab_size=20,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return out.getvalue()


@cache
def _published() -> dict[str, bytes]:
    """The files of a tiny published model."""
    encoder = EncoderConfig(layers=1, width=8, heads=2, max_positions=8)
    processor = sentencepiece.SentencePieceProcessor(model_proto=_sentencepiece())
    ids = processor.get_piece_size() + 2
    rows = padded_rows(encoder, ids)
    tensors = {}
    for parameter in parameters(encoder, rows):
        shape = (parameter.shape[0] // len(parameter.theirs), *parameter.shape[1:])
        tensors.update({name: np.zeros(shape, np.float32) for name in parameter.theirs})
    names = {"weight_map": dict.fromkeys(tensors, "a.safetensors")}
    return {
        "config.json": json.dumps(to_config(encoder, rows)).encode(),
        "sentencepiece.bpe.model": _sentencepiece(),
        "tokenizer_config.json": b'{"model_max_length": 8}',
        "model.safetensors": save(tensors),
        "model.safetensors.index.json": json.dumps(names).encode(),
    }


def _beside_model(file: Path) -> None:
    for name, content in _published().items():
        if not (file.parent / name).exists():
            (file.parent / name).write_bytes(content)
    if file.name == "model.safetensors.index.json":
        (file.parent / "model.safetensors").rename(file.parent / "a.safetensors")
    else:
        (file.parent / "model.safetensors.index.json").unlink(missing_ok=True)


def _parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame(
        {"text": ["One line.\nTwo.", None, "", "Ωμέγα שלום"], "n": [1, 2, 3, 4]}
    ).write_parquet(out)
    return out.getvalue()


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by name."""
    plain = "A first line.\nSecond: é, שלום, e\u0301.\n\nNew document.\n".encode()
    lines = b'{"text": "One.\\nTwo.", "id": 1}\n\n{"text": "Three \\u00e9"}\n'
    wiki = b'<doc id="1" title="T">\nT\n\nText &lt;b&gt;.\n</doc>\n'
    packed = {
        "en.txt.gz": gzip.compress(plain, mtime=0),
        "en.txt.xz": lzma.compress(plain),
        "en.txt.bz2": bz2.compress(plain),
        "en.txt.zst": zstandard.compress(plain),
        "en.jsonl.gz": gzip.compress(lines, mtime=0),
    }
    made = {
        "text": Kind({"en.txt": plain, "en": wiki, **packed}, _text),
        "json_lines": Kind({"en.jsonl": lines, "en": lines}, _text),
        "parquet": Kind({"en.parquet": _parquet()}, _text, share=0.02),
        "squad": Kind(
            {"xquad.en.json": json.dumps(files.squad()).encode()},
            partial(_task, "xquad", "en", "test"),
        ),
        "squad_train": Kind(
            {"train-v1.1.json": json.dumps(files.squad()).encode()},
            partial(_task, "xquad", "en", "train"),
        ),
        "conllu": Kind(
            {"fr_x-ud-test.conllu": files.CONLLU.encode()}, partial(_task, "pos", "fr", "test")
        ),
        "model": Kind(_published(), _model, _beside_model),
    }
    for name, (place, language, content) in files.TABLES.items():
        task = "xnli" if name == "xnli train" else name
        part = "train" if name == "xnli train" else "test"
        read = partial(_task, task, language, part)
        made[name.replace(" ", "_")] = Kind({place: content.encode()}, read)
    for language, (place, text) in files.CONLL.items():
        made[f"conll_{language}"] = Kind(
            {place: text.encode("latin-1")}, partial(_task, "ner", language, "test")
        )
    return made


def mutated(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """The same with a few changes, as JSON where it is that, or else as bytes."""
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        value = _value(content) if draw.random() < 0.5 else None
        content = _bytes(content, others, draw) if value is None else _tree(value, draw)
    return content


def _value(content: bytes) -> Any:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) and value else None


def _tree(value: Any, draw: random.Random) -> bytes:
    places = list(_places(value))
    holder, key = draw.choice(places)
    how = draw.randrange(5)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[draw.choice(("", "x", "text", "id", "data", "dtype", "../x"))] = holder.pop(key)
    elif how == 2:
        holder[key] = [deepcopy(holder[key])] * draw.choice((1, 2, 50))
    else:
        holder[key] = deepcopy(draw.choice(_ODD_VALUES))
    return json.dumps(value).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)


def _bytes(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    size = len(content)
    start = draw.randrange(size + 1)
    end = min(size, start + draw.choice((0, 1, 1, 2, 8, 64, 1000)))
    how = draw.randrange(9)
    if how == 0:
        return content[:start]
    if how == 1:
        return content[:start] + content[end:]
    if how == 2:
        return content[:start] + content[start:end] * draw.choice((2, 3, _MANY)) + content[end:]
    if how == 3:
        other = draw.choice(others)
        return content[:start] + other[draw.randrange(len(other) + 1) :]
    if how == 4 and size:
        at = min(start, size - 1)
        return content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :]
    if how == 5:
        return content[:start] + struct.pack("<Q", draw.getrandbits(64)) + content[end:]
    if how == 6 and size < 10_000:
        text = content.decode("utf-8", "replace")
        return text.encode(draw.choice(("utf-16", "utf-16-le", "utf-32", "latin-1")), "replace")
    return content[:start] + draw.choice(_ODD) + content[end:]


def read(kind: str, name: str, content: bytes, folder: Path) -> str | None:
    """Reads a file of this kind, name and content; the message of its mistake, or None."""
    shutil.rmtree(folder, ignore_errors=True)
    file = folder / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    one = kinds()[kind]
    if one.beside is not None:
        one.beside(file)
    try:
        with limited(LIMIT):
            one.read(file)
    except InputError as error:
        return str(error)
    return None


def fuzz(
    folder: Path, wanted: Sequence[str], *, seed: int, seconds: float, most: int | None = None
) -> Iterator[tuple[str, str, bytes, str]]:
    """Kind, name, content and traceback of each finding, until the time is over or `most` tried.

    Standard error gets how many of each kind were tried.
    """
    draw, counts = random.Random(seed), Counter[str]()
    pool = {kind: [(n, c) for n, c in kinds()[kind].examples.items()] for kind in wanted}
    for path in sorted(KEPT.iterdir()):
        kind, name, _ = named(path)
        if kind in pool:
            pool[kind].append((name, path.read_bytes()))
    end = time.monotonic() + seconds
    for number in range(most if most is not None else sys.maxsize):
        if time.monotonic() > end:
            break
        (kind,) = draw.choices(wanted, [kinds()[each].share for each in wanted])
        name, content = draw.choice(pool[kind])
        content = mutated(content, [each for _, each in pool[kind]], draw)
        counts[kind] += 1
        try:
            read(kind, name, content, folder / "tried")
        except KeyboardInterrupt:
            raise
        except BaseException:
            yield kind, name, content, f"case {number}\n{traceback.format_exc()}"
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print(f"{sum(counts.values())} files: {told}", file=sys.stderr)


def named(path: Path) -> tuple[str, str, str]:
    """Kind, name to be read under and description of a kept file: KIND__WHAT__PART__OF__NAME."""
    kind, what, *name = path.name.split(SEPARATOR)
    return kind, "/".join(name), what


def main() -> int:
    """The command `python -m tests.fuzz_readers`; status 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("kinds", nargs="*", help=f"some of {', '.join(kinds())}")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=Path("findings"), help="folder of findings")
    options = parser.parse_args()
    folder = options.keep.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    known: set[str] = set()
    wanted = options.kinds or list(kinds())
    for kind, name, content, told in fuzz(
        folder, wanted, seed=options.seed, seconds=60 * options.minutes
    ):
        lines = told.strip().splitlines()
        last = " ".join((kind, lines[-1][:200], next((x for x in lines[::-1] if "File" in x), "")))
        if last in known:
            continue
        known.add(last)
        kept = SEPARATOR.join((kind, f"found{len(known)}", *Path(name).parts))
        (folder / kept).write_bytes(content)
        (folder / f"{kept}.told").write_text(told, encoding="utf-8")
        print(last, flush=True)
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
