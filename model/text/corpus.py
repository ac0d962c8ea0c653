"""The corpus stage: describes one language of one source, and reads it again through `open_corpus`.

Raw text is referred to and not copied: the artifact holds counts, checksums and which part is held
out, and the held-out part itself, for it is small, and an evaluation must not read terabytes for
it. Exact duplicates of a document are left out, so each document counts once. The held-out part
is chosen over the whole source by content: the units whose texts hash lowest, as many as fit into
min(max_bytes, fraction of the language's bytes). A unit is a document. Where that would make the
held-out part fewer than about five documents (a small language, or documents as long as books, or
text without blank lines), documents are cut into blocks of consecutive lines, at most 50 and about
a thousandth of the language, and a unit is a block. Training text is everything else, less every
line that also stands in the held-out part, wherever it stands.

Memory: 16 bytes a document (a 64-bit hash and two sizes) while the source is read and about 45 at
the end of that, so 45 MB for each million documents; and twice `max_bytes` of candidates. The
source is read twice, three times where blocks are used. Two different documents of a million share
a hash with probability 3e-8; the later one would be lost.
"""

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.checks import within
from model.context import Context
from model.errors import InputError
from model.stages import CorpusStage
from model.text.held_out import (
    Candidates,
    Unit,
    budget,
    cut_blocks,
    read_held_out,
    text_bytes,
    text_hash,
    write_held_out,
)
from model.text.sources import file_format, read_documents

_FEWEST_UNITS = 5
_PROGRESS_BYTES = 1 << 24

Files = list[tuple[str, Path]]
Document = tuple[int, list[str]]
"""A document's number in the source, duplicates counted, and its lines."""


@dataclass(kw_only=True)
class Counts:
    """Size of a part of a corpus. Bytes and characters leave line ends out."""

    documents: int = 0
    sentences: int = 0
    bytes: int = 0
    characters: int = 0

    def add(self, lines: list[str]) -> None:
        text = "".join(lines)
        self.documents += 1
        self.sentences += len(lines)
        self.bytes += len(text.encode())
        self.characters += len(text)


class Corpus:
    """A language's training text: see the module's docstring. It streams, and starts afresh."""

    def __init__(
        self,
        info: dict[str, Any],
        files: list[Path],
        held_out: list[list[str]],
        places: np.ndarray,
        duplicates: np.ndarray,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """places: [n, 2] uint64, document and block of what is held out; duplicates: documents."""
        self.language: str = info["language"]
        self.held_out = held_out
        """Units that are never trained on, in the order of their hashes, as lists of lines."""
        self.info = info
        self._files = files
        self._block = info["block_sentences"]
        self._places: dict[int, set[int]] = {}
        for document, block in places.tolist():
            self._places.setdefault(document, set()).add(block)
        self._duplicates = duplicates
        self._held_out_lines = {line for unit in held_out for line in unit}
        self._progress = progress

    def train(self) -> Iterator[list[str]]:
        """Documents to train on, in the order of the files, as lists of lines."""
        held_out = self._held_out_lines
        for number, lines in self._documents():
            if number in self._places:
                blocks = self._places[number]
                lines = [
                    line
                    for block, part in enumerate(cut_blocks(lines, self._block))
                    if block not in blocks
                    for line in part
                ]
            lines = [line for line in lines if line not in held_out]
            if lines:
                yield lines

    def _documents(self) -> Iterator[Document]:
        """All documents but exact duplicates of earlier ones."""
        duplicates = iter(self._duplicates.tolist())
        skip = next(duplicates, -1)
        for number, lines in _read(self._files, self._progress):
            if number == skip:
                skip = next(duplicates, -1)
            else:
                yield number, lines


def open_corpus(artifact: Path, locations: Mapping[str, str]) -> Corpus:
    """The corpus that the stage described in `artifact`, to be read where its files lie now.

    Raises InputError if the source's location is not set, or a file is missing or has another
    size than the one that was described.
    """
    info = json.loads((artifact / "corpus.json").read_text(encoding="utf-8"))
    files = _locate(
        info["source"],
        [(file["name"], file["bytes"]) for file in info["files"]],
        artifact if info["synthetic"] else None,
        locations,
    )
    return Corpus(
        info,
        [path for _, path in files],
        read_held_out(artifact),
        np.load(artifact / "held_out.npy"),
        np.load(artifact / "duplicates.npy"),
    )


def run(config: CorpusStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes corpus.json, held_out.jsonl (the held-out units' lines), held_out.npy (document and
    block of each), duplicates.npy (documents that are left out) and held_out_lines.npy (sorted
    hashes of held-out lines, for programs that read the text elsewhere); for the synthetic source
    also text.txt.

    Raises InputError for files that are missing or changed, for what `read_documents` refuses, and
    for text that is empty or too short to be split.
    """
    files = _source_files(config, output, context)
    described = [
        {"name": name, "bytes": path.stat().st_size, "sha256": _checksum(path)}
        for name, path in files
    ]
    _check_unchanged(config, files, described)
    progress = _Progress(context, files)
    survey = _survey(config, files, progress)
    info: dict[str, Any] = {
        "language": config.language,
        "source": config.source,
        "synthetic": config.synthetic is not None,
        "format": "+".join(sorted({file_format(path) for _, path in files})),
        "files": described,
        "documents": survey.documents,
        "sentences": survey.sentences,
        "bytes": survey.bytes,
        "duplicate_documents": len(survey.duplicates),
        "block_sentences": survey.block,
        "held_out_threshold": f"{max(unit.hash for unit in survey.units):016x}",
    }
    held_out = [unit.lines for unit in survey.units]
    places = np.array(sorted((unit.document, unit.block) for unit in survey.units), np.uint64)
    hashes = {text_hash(line) for lines in held_out for line in lines}
    held_out_lines = np.array(sorted(hashes), np.uint64)
    paths = [path for _, path in files]
    corpus = Corpus(info, paths, held_out, places, survey.duplicates, progress)
    train, held = Counts(), Counts()
    for document in corpus.train():
        train.add(document)
    for lines in held_out:
        held.add(lines)
    if train.sentences == 0:
        raise InputError(_too_short(config, paths, survey.sentences))
    info["train"] = asdict(train)
    info["held_out"] = asdict(held)
    write_held_out(output, held_out)
    np.save(output / "held_out.npy", places)
    np.save(output / "duplicates.npy", survey.duplicates)
    np.save(output / "held_out_lines.npy", held_out_lines)
    (output / "corpus.json").write_text(
        json.dumps(info, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def _source_files(config: CorpusStage, output: Path, context: Context) -> Files:
    if config.synthetic is not None:
        from model.text.synthetic import write_corpus

        write_corpus(config.synthetic, config.language, output / "text.txt")
        return [("text.txt", output / "text.txt")]
    planned = [(file.name, file.bytes) for file in config.files or []]
    return _locate(config.source, planned, None, context.locations)


def _locate(
    source: str,
    planned: list[tuple[str, int]],
    synthetic: Path | None,
    locations: Mapping[str, str],
) -> Files:
    if synthetic is None and source not in locations:
        raise InputError(
            f"locations.{source}: not set, so the files of source {source!r} cannot be found. "
            f"Set it: locations.{source}=FOLDER"
        )
    folder = synthetic or Path(locations[source])
    files = []
    for name, size in planned:
        path = within(folder, name)
        if not path.is_file():
            raise InputError(
                f"{path}: this file of the corpus is missing. Put it back, or correct the "
                "location of its source."
            )
        if path.stat().st_size != size:
            raise InputError(
                f"{path}: expected {size} bytes, found {path.stat().st_size}: the file changed "
                "after it was planned. Run the study again to plan with the new file."
            )
        files.append((name, path))
    return files


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_unchanged(config: CorpusStage, files: Files, described: list[dict[str, Any]]) -> None:
    for planned, (_, path), found in zip(config.files or [], files, described, strict=False):
        if planned.sha256 != found["sha256"]:
            raise InputError(
                f"{path}: expected SHA-256 {planned.sha256}, found {found['sha256']}: the file "
                "changed after it was planned. Run the study again to plan with the new file."
            )


def _read(files: list[Path], progress: Callable[[int], None] | None) -> Iterator[Document]:
    number = 0
    for path in files:
        for lines in read_documents(path, progress):
            yield number, lines
            number += 1


class _Progress:
    """Turns positions in files into progress over two readings of all of them."""

    def __init__(self, context: Context, files: Files) -> None:
        self._context = context
        self._total = 2 * sum(path.stat().st_size for _, path in files)
        self._done = 0
        self._last = 0
        self._reported = 0

    def __call__(self, position: int) -> None:
        self._done += position - self._last if position >= self._last else position
        self._last = position
        if self._done - self._reported >= _PROGRESS_BYTES:
            self._reported = self._done
            self._context.progress(min(self._done, self._total), self._total)


@dataclass(kw_only=True)
class _Survey:
    """What the first reading finds; totals are of distinct documents."""

    documents: int
    sentences: int
    bytes: int
    duplicates: np.ndarray
    block: int
    units: list[Unit]


def _survey(config: CorpusStage, files: Files, progress: _Progress) -> _Survey:
    paths = [path for _, path in files]
    hashes, sizes, sentences = array("Q"), array("I"), array("I")
    candidates = Candidates(2 * config.held_out.max_bytes)
    for number, lines in _read(paths, progress):
        size, value = text_bytes(lines), text_hash("\n".join(lines))
        hashes.append(value)
        sizes.append(size)
        sentences.append(len(lines))
        candidates.offer(number, 0, lines, size, value)
    if not hashes:
        raise InputError(
            f"{_named(paths)}: expected text of {config.language!r}, found blank lines only. Put "
            "text there, or leave the language out."
        )
    first = np.unique(np.frombuffer(hashes, np.uint64), return_index=True)[1]
    distinct = np.zeros(len(hashes), bool)
    distinct[first] = True
    survey = _Survey(
        documents=len(first),
        sentences=int(np.frombuffer(sentences, np.uint32)[distinct].sum(dtype=np.uint64)),
        bytes=int(np.frombuffer(sizes, np.uint32)[distinct].sum(dtype=np.uint64)),
        duplicates=np.flatnonzero(~distinct).astype(np.uint64),
        block=0,
        units=[],
    )
    if survey.sentences < 2:
        raise InputError(_too_short(config, paths, survey.sentences))
    limit = budget(config.held_out, survey.bytes)
    if survey.bytes * _FEWEST_UNITS > limit * survey.documents:
        survey.block = min(50, max(1, survey.sentences // 1000))
        candidates = _block_candidates(config, paths, survey)
    survey.units = candidates.choose(limit)
    return survey


def _block_candidates(config: CorpusStage, paths: list[Path], survey: _Survey) -> Candidates:
    candidates = Candidates(2 * config.held_out.max_bytes)
    skipped = set(survey.duplicates.tolist())
    for number, lines in _read(paths, None):
        if number not in skipped:
            for block, part in enumerate(cut_blocks(lines, survey.block)):
                candidates.offer(number, block, part, text_bytes(part), text_hash("\n".join(part)))
    return candidates


def _too_short(config: CorpusStage, paths: list[Path], sentences: int) -> str:
    return (
        f"{_named(paths)}: the text of {config.language!r} has {sentences} "
        f"sentence{'s' * (sentences != 1)}, too few to hold some out and train on others. Put more "
        "text there, or leave the language out."
    )


def _named(paths: list[Path]) -> str:
    """Files of one language as a message names them: the first ones stand for many."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(map(str, paths[:3])) + more
