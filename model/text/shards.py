"""The shards stage: a language's training text as one stream of token ids on disk.

Languages are stages of their own, which run side by side. Within one, `threads` encode while one
more reads ahead; what is written does not depend on their number.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from model.context import Context
from model.errors import InputError
from model.stages import ShardsStage
from model.text import tokenizer
from model.text.corpus import Counts, open_corpus

_BATCH_CHARACTERS = 1 << 20


def dtype_for(rows: int) -> np.dtype:
    """The smallest little-endian type that holds ids below `rows`."""
    return np.dtype("<u2") if rows <= 1 << 16 else np.dtype("<u4")


def run(config: ShardsStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Writes tokens.bin, the ids of all training documents with </s> after each, and shards.json.

    Raises InputError if the text is not what the corpus artifact describes.
    """
    corpus = open_corpus(inputs["corpus"], context.locations)
    pieces = tokenizer.load(inputs["tokenizer"])
    dtype = dtype_for(pieces.rows)
    counts = Counts()
    tokens = unknown = 0
    total = corpus.info["train"]["bytes"]
    with (output / "tokens.bin").open("wb") as stream:
        for documents in _ahead(_batches(corpus.train()), context.threads):
            ids = pieces.encode_documents(documents, context.threads)
            stream.write(ids.astype(dtype).tobytes())
            tokens += len(ids)
            unknown += int(np.count_nonzero(ids == tokenizer.UNK))
            for document in documents:
                counts.add(document)
            context.progress(counts.bytes, total)
    if asdict(counts) != corpus.info["train"]:
        raise InputError(
            f"the text of {config.language!r} in source {corpus.info['source']!r} changed after "
            f"it was described: expected {corpus.info['train']}, found {asdict(counts)}. Run the "
            "study again to plan with the new text."
        )
    info = {
        "language": config.language,
        "dtype": "uint16" if dtype.itemsize == 2 else "uint32",
        "tokens": tokens,
        "documents": counts.documents,
        "sentences": counts.sentences,
        "bytes": counts.bytes,
        "rows": pieces.rows,
        "unknown": unknown,
    }
    (output / "shards.json").write_text(
        json.dumps(info, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def _batches(documents: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    batch: list[list[str]] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += sum(map(len, document))
        if characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _ahead(batches: Iterator[list[list[str]]], threads: int) -> Iterator[list[list[str]]]:
    """The same batches; with several threads the next one is read while one is worked on."""
    if threads == 1:
        yield from batches
        return
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch
