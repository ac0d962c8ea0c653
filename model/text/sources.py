"""Finds a language's files at a location and reads them as documents, streamed.

A document is a list of lines; a line (a sentence, or a paragraph in CC-100) is stripped and never
empty. Formats, known by the file's name and, without an extension, by its first line:

- `.txt` or no extension: plain text as CC-100 has it, a blank line between documents; or, where
  the file begins with `<doc `, WikiExtractor's text blocks; without an extension also
  WikiExtractor's `--json`.
- `.jsonl`, `.ndjson`, `.json`: one JSON object a line, its text in the field `text`.
- `.parquet`: one document a row, its text in the column `text`.

All but Parquet may be compressed: `.xz`, `.gz`, `.bz2`, `.zst`. Lines end with LF or CRLF.
Files are streamed in pieces of a MiB, Parquet by row groups, in a process of its own.
"""

import bz2
import difflib
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from model.errors import InputError
from model.languages import file_codes
from model.text.parquet import read_texts

LONGEST_DOCUMENT = 1 << 20
"""Characters after which a plain-text document is cut between lines: text without blank lines
would otherwise be one document, held in memory as a whole."""

LONGEST_LINE = 1 << 26
"""Bytes of a line that are accepted at most; what is longer is hardly text."""

_CHUNK = 1 << 20
_COMPRESSIONS = ("", ".xz", ".gz", ".bz2", ".zst")
_OPENERS: dict[str, Any] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}
_TEXT = (".txt",)
_JSON = (".jsonl", ".ndjson", ".json")
_SUFFIXES = tuple(base + end for base in _TEXT + _JSON for end in _COMPRESSIONS) + (".parquet",)
_WIKIEXTRACTOR_NAME = re.compile(r"wiki_\d+(\.(xz|gz|bz2|zst))?")

Progress = Callable[[int], None]
"""Called with the bytes of the file (compressed, if it is) that have been read so far."""


def find_files(source: str, location: Path, language: str) -> list[Path]:
    """The files that hold `language` at `location`, in the order in which they are read.

    Either one file `<code>.<format>` or a folder `<code>` (or `<date>.<code>`, as the Wikipedia
    Parquet files are laid out) with any number of files, at any depth. Other customary codes of
    the language are tried in turn (`model.languages.file_codes`).

    Raises InputError if the location or the language's file is missing, if a file is empty, or if
    several files could be meant.
    """
    if not location.is_dir():
        found = "a file" if location.exists() else "nothing"
        raise InputError(
            f"locations.{source}: expected a folder that holds the text of source {source!r}, "
            f"found {found} at {location}. Set it: locations.{source}=FOLDER"
        )
    codes = file_codes(language)
    names = sorted(path.name for path in location.iterdir())
    for code in codes:
        matches = _named_after(code, names)
        if len(matches) > 1:
            raise InputError(
                f"{location}: {' and '.join(matches)} could all be the text of {language!r}. "
                "Keep one of them there."
            )
        if matches:
            path = location / matches[0]
            files = _files_in(path, language) if path.is_dir() else [path]
            for file in files:
                _require_target(file)
                if file.stat().st_size == 0:
                    raise InputError(
                        f"{file}: the file is empty, expected the text of {language!r}. "
                        "Fetch it again, or leave the language out."
                    )
            return files
    raise InputError(_missing(source, location, language, codes, names))


def _named_after(code: str, names: list[str]) -> list[str]:
    files = {code + suffix for suffix in _SUFFIXES}
    dated = re.compile(r"\d{8}\." + re.escape(code))
    return [name for name in names if name in files or name == code or dated.fullmatch(name)]


def _files_in(folder: Path, language: str) -> list[Path]:
    visible = [
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    for path in visible:
        # Text must not go missing in silence: rglob goes into no folder that is a link.
        if path.is_symlink() and path.is_dir():
            raise InputError(
                f"{path}: found a link to a folder among the text of {language!r}, and links "
                "within a language's folder are not followed. Put the folder itself there, or "
                "leave the link out."
            )
    files = sorted(
        path
        for path in visible
        if (path.is_file() or path.is_symlink())
        and (path.name.endswith(_SUFFIXES) or _WIKIEXTRACTOR_NAME.fullmatch(path.name))
    )
    if not files:
        raise InputError(
            f"{folder}: no file of a known format for {language!r}. Expected names ending in "
            ".txt, .jsonl (each may have .xz, .gz, .bz2, .zst) or .parquet, or wiki_00, wiki_01 …"
        )
    return files


def _require_target(file: Path) -> None:
    if file.is_symlink() and not file.exists():
        raise InputError(
            f"{file}: found a link to {file.readlink()}, which does not exist. Put the file there, "
            "or remove the link."
        )


def _missing(
    source: str, location: Path, language: str, codes: tuple[str, ...], names: list[str]
) -> str:
    looked_for = ", ".join(f"{code}.txt[.xz|.gz|.bz2|.zst]" for code in codes)
    message = (
        f"{location}: no text of language {language!r} for source {source!r}. Looked for "
        f"{looked_for}, the same with .jsonl or .parquet, and a folder {codes[0]}/."
    )
    stems = {name.split(".")[0]: name for name in reversed(names) if not name.startswith(".")}
    near = [stems[stem] for stem in difflib.get_close_matches(codes[0], stems, n=3, cutoff=0.5)]
    if near:
        message += f" Nearest there: {', '.join(near)}."
    elif not names:
        message += " The folder is empty."
    return message + f" Add the file, leave the language out, or correct locations.{source}."


def file_format(path: Path) -> str:
    """`text`, `wikiextractor`, `json` or `parquet`, by the file's name and its first line."""
    name = path.name
    if name.endswith(".parquet"):
        return "parquet"
    for end in _COMPRESSIONS[1:]:
        name = name.removesuffix(end)
    if name.endswith(_JSON):
        return "json"
    for line in _lines(path, None):
        if line.startswith("<doc "):
            return "wikiextractor"
        if line.startswith("{") and not name.endswith(_TEXT):
            return "json"
        if line:
            break
    return "text"


def read_documents(path: Path, progress: Progress | None = None) -> Iterator[list[str]]:
    """Yields the documents of one file in their order; documents without text are left out.

    Raises InputError, naming the file and the line or byte, for text that is not UTF-8, for NUL
    characters, for malformed records and for a compressed file that is truncated or damaged.
    """
    kind = file_format(path)
    if kind == "parquet":
        return _parquet_documents(path, progress)
    if kind == "json":
        return _json_documents(path, progress)
    if kind == "wikiextractor":
        return _wikiextractor_documents(path, progress)
    return _text_documents(path, progress)


def _text_documents(path: Path, progress: Progress | None) -> Iterator[list[str]]:
    document: list[str] = []
    characters = 0
    for line in _lines(path, progress):
        if line:
            document.append(line)
            characters += len(line)
            if characters < LONGEST_DOCUMENT:
                continue
        if document:
            yield document
        document, characters = [], 0
    if document:
        yield document


def _wikiextractor_documents(path: Path, progress: Progress | None) -> Iterator[list[str]]:
    """WikiExtractor escapes &, < and >; the title is the first line of a document's text."""
    document: list[str] | None = None
    for number, line in enumerate(_lines(path, progress), 1):
        if line.startswith("<doc "):
            if document is not None:
                raise InputError(_unclosed(path, number))
            document = []
        elif line == "</doc>":
            if document:
                yield document
            document = None
        elif line:
            if document is None:
                raise InputError(
                    f"{path}: line {number}: expected <doc …> as WikiExtractor writes it, found "
                    f"{line[:60]!r}. Extract the file again."
                )
            if "&" in line:
                line = line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            document.append(line)
    if document is not None:
        raise InputError(_unclosed(path, None))


def _unclosed(path: Path, number: int | None) -> str:
    where = "the end of the file" if number is None else f"line {number}"
    return (
        f"{path}: expected </doc> before {where}: the file is truncated or was not written by "
        "WikiExtractor. Extract it again."
    )


def _json_documents(path: Path, progress: Progress | None) -> Iterator[list[str]]:
    for number, line in enumerate(_lines(path, progress), 1):
        if not line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # numbers and nesting have their limits too
            told = getattr(error, "msg", None) or str(error).partition(";")[0]
            raise InputError(
                f"{path}: line {number}: expected one JSON object a line, found {line[:60]!r} "
                f"({told}). Write each record on one line."
            ) from error
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            fields = sorted(record) if isinstance(record, dict) else type(record).__name__
            raise InputError(
                f"{path}: line {number}: expected an object with a field 'text' that holds a "
                f"string, found {fields}. Rename the field that holds the text."
            )
        document = _split(record["text"], f"{path}: line {number}")
        if document:
            yield document


def _parquet_documents(path: Path, progress: Progress | None) -> Iterator[list[str]]:
    size = path.stat().st_size
    row = 0
    for share, texts in read_texts(path):
        for text in texts:
            row += 1
            document = _split(text, f"{path}: row {row}") if text else []
            if document:
                yield document
        if progress is not None:
            progress(int(size * share))


def _split(text: str, where: str) -> list[str]:
    """A record's text as lines. JSON escapes can spell what UTF-8 files cannot hold."""
    if "\0" in text:
        raise InputError(f"{where}: the text holds a NUL character. Remove it from the file.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: the text holds half a surrogate pair (\\u{ord(text[error.start]):04x}), "
            "which is no character. Remove it from the file."
        ) from error
    return [line for raw in text.split("\n") if (line := raw.strip())]


def _lines(path: Path, progress: Progress | None) -> Iterator[str]:
    """Stripped lines, blank ones included; a byte-order mark is left out."""
    number = 1  # of the first line in `rest`
    offset = 0  # of the first byte in `rest`, in the uncompressed file
    rest = b""
    for chunk in _chunks(path, progress):
        cut = chunk.rfind(b"\n") + 1
        if cut == 0:
            rest += chunk
            if len(rest) > LONGEST_LINE:
                raise InputError(
                    f"{path}: line {number} is longer than {LONGEST_LINE} bytes. Is it text? "
                    "Break it into lines."
                )
            continue
        block = rest + chunk[:cut]
        rest = chunk[cut:]
        lines = _decode(block, path, number, offset).split("\n")
        lines.pop()
        yield from map(str.strip, lines)
        number += len(lines)
        offset += len(block)
    if rest:
        yield _decode(rest, path, number, offset).strip()


def _decode(block: bytes, path: Path, number: int, offset: int) -> str:
    """`block` begins with line `number`, at byte `offset` of the file."""
    start = 3 if offset == 0 and block.startswith(b"\xef\xbb\xbf") else 0
    try:
        text = block.decode("utf-8") if start == 0 else block[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = start + error.start
        hint = "Convert it, for example with iconv -f ISO-8859-1 -t UTF-8."
        if offset == 0 and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
            hint = "It begins like UTF-16: convert it with iconv -f UTF-16 -t UTF-8."
        raise InputError(
            f"{path}: line {number + block.count(10, 0, at)}, byte {offset + at}: expected UTF-8, "
            f"found the byte 0x{block[at]:02x}. {hint}"
        ) from error
    if "\0" in text:
        at = block.index(0)
        raise InputError(
            f"{path}: line {number + block.count(10, 0, at)}, byte {offset + at}: expected text, "
            "found a NUL byte: a binary file or UTF-16 without its mark. Convert it to UTF-8."
        )
    return text


def _chunks(path: Path, progress: Progress | None) -> Iterator[bytes]:
    """The file's uncompressed bytes."""
    with path.open("rb") as raw:
        try:
            for chunk in _decompressed(path, raw):
                if progress is not None:
                    progress(raw.tell())
                yield chunk
        except EOFError as error:
            raise InputError(
                f"{path}: the compressed file is truncated: it ends at byte {raw.tell()} before "
                "its end-of-stream mark. Fetch it again."
            ) from error
        except (lzma.LZMAError, gzip.BadGzipFile, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InputError(
                f"{path}: the compressed file is damaged near byte {raw.tell()} ({error}). "
                "Fetch it again."
            ) from error


def _decompressed(path: Path, raw: IO[bytes]) -> Iterator[bytes]:
    if path.name.endswith(".zst"):
        yield from _zstandard_chunks(raw)
        return
    opener = _OPENERS.get(path.suffix)
    with opener(raw) if opener else nullcontext(raw) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _zstandard_chunks(raw: IO[bytes]) -> Iterator[bytes]:
    """By hand, since zstandard's own reader takes a truncated frame for the end of the file."""
    import zstandard

    # 2 GiB is the window of `zstd --long=31`.
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    frame = None
    try:
        while data := raw.read(_CHUNK >> 3):
            while data:
                frame = frame or decompressor.decompressobj()
                if chunk := frame.decompress(data):
                    yield chunk
                data = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
    except zstandard.ZstdError as error:
        raise zlib.error(str(error)) from error
    if frame is not None:
        raise EOFError
