"""Speed of tokenization: our encoding beside HF tokenizers', our stages beside HF datasets' `map`.

Run: OMP_NUM_THREADS=1 python benchmarks/tokenization.py [--text FOLDER] [--datasets PYTHON]

All of them use the same unigram model, which is trained first. Encoding takes turns in one process,
with as many threads on both sides, and numbers are medians; ids are compared line by line. HF's
tokenizer comes in two forms: `exact` is the file that our export writes, whose normaliser has more
steps, so that every id is ours; `plain` is what HF's own converter makes of the same model.

FOLDER holds plain or compressed text, one file or folder a language; without it the text is
synthetic. PYTHON has `datasets` and `tokenizers`, which the project does not need:

    python -m venv hf && hf/bin/pip install datasets tokenizers
"""

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.config import HeldOutConfig, SyntheticConfig, TokenizerConfig
from model.context import Context
from model.stages import CorpusStage, ShardsStage, SourceFile, TokenizerStage
from model.text import corpus, shards, tokenizer
from model.text.sentencepiece_model import read
from model.text.sources import find_files, read_documents
from model.text.synthetic import write_corpus
from model.text.tokenizer import EOS
from model.text.tokenizer_files import tokenizer_json

LANGUAGES = ("en", "ru", "zh", "sw", "ur")
SOURCE = "text"
OURS, LISTS = "ours, one array", "ours, a list a line"

DATASETS = """
import hashlib, json, os, sys, tempfile, time
os.environ["RAYON_NUM_THREADS"] = "1"
import datasets, numpy, tokenizers

datasets.disable_progress_bars()
file, processes, *files = sys.argv[1:]
tokenizer = tokenizers.Tokenizer.from_file(file)

def encode(batch):
    found = tokenizer.encode_batch_fast(batch["text"], add_special_tokens=False)
    return {"ids": [each.ids for each in found]}

def moment():
    return sum(os.times()[:4]), time.perf_counter()

with tempfile.TemporaryDirectory() as cache:
    times = [moment()]
    lines = datasets.load_dataset("text", data_files=files, split="train", cache_dir=cache)
    times.append(moment())
    count = int(processes)
    ids = lines.map(
        encode, batched=True, remove_columns=["text"], num_proc=count if count > 1 else None
    )
    times.append(moment())
    all_ids = ids.with_format("arrow")["ids"][:]
    flat = all_ids.combine_chunks().flatten().to_numpy().astype("<i4")
    digest = hashlib.sha256(flat.tobytes()).hexdigest()
steps = [[later - earlier for earlier, later in zip(*pair)] for pair in zip(times, times[1:])]
print(json.dumps({"steps": steps, "digest": digest, "version": datasets.__version__}))
"""


class Bench:
    """Text, tokenizer and stages in a folder of their own."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.languages: list[str] = options.languages
        self.tokenizer = folder / "tokenizer"
        for path in (folder / "text", folder / "lines", self.tokenizer):
            path.mkdir()
        for code in self.languages:
            write_text(self._text(code), code, options.text, options.bytes)
            self.describe(code)
        config = TokenizerConfig(
            languages=self.languages,
            vocab_size=options.vocabulary,
            sample_bytes=options.sample,
            threads=os.cpu_count() or 1,
        )
        inputs = {f"corpus/{code}": self.corpus(code) for code in self.languages}
        tokenizer.run(TokenizerStage(tokenizer=config), inputs, self.tokenizer, self.context)

    @property
    def context(self) -> Context:
        return Context(work=self.folder, locations={SOURCE: str(self.folder / "text")})

    def _text(self, code: str) -> Path:
        return self.folder / "text" / f"{code}.txt"

    def corpus(self, code: str) -> Path:
        return self.folder / f"corpus-{code}"

    def documents(self, code: str) -> list[list[str]]:
        return list(corpus.open_corpus(self.corpus(code), self.context.locations).train())

    def lines_file(self, code: str) -> Path:
        """The training text of a language for HF, one line a row."""
        path = self.folder / "lines" / f"{code}.txt"
        if not path.exists():
            lines = [line for document in self.documents(code) for line in document]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        return path

    def describe(self, code: str) -> None:
        """The corpus stage."""
        path = self._text(code)
        self.corpus(code).mkdir(exist_ok=True)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        file = SourceFile(name=path.name, bytes=path.stat().st_size, sha256=sha256)
        stage = CorpusStage(
            language=code, source=SOURCE, synthetic=None, files=[file], held_out=HeldOutConfig()
        )
        corpus.run(stage, {}, self.corpus(code), self.context)

    def shard(self, code: str) -> np.ndarray:
        """The shards stage; the ids without </s>."""
        output = self.folder / f"shards-{code}"
        output.mkdir(exist_ok=True)
        inputs = {"corpus": self.corpus(code), "tokenizer": self.tokenizer}
        shards.run(ShardsStage(language=code), inputs, output, self.context)
        rows = json.loads((output / "shards.json").read_text(encoding="utf-8"))["rows"]
        ids = np.fromfile(output / "tokens.bin", shards.dtype_for(rows))
        return ids[ids != EOS].astype("<i4")


def write_text(path: Path, code: str, source: Path | None, limit: int) -> None:
    """About `limit` bytes of the language: whole documents, from all over its files."""
    if source is None:
        return write_corpus(SyntheticConfig(size=limit, smallest=limit), code, path)
    files = find_files(SOURCE, source, code)
    documents = [lines for file in files for lines in read_documents(file)]
    size = sum(len(line.encode()) for lines in documents for line in lines)
    chosen = documents[:: max(1, round(size / limit))]
    path.write_text("\n\n".join("\n".join(lines) for lines in chosen) + "\n", encoding="utf-8")
    return None


def hf_files(folder: Path) -> dict[str, Path]:
    """tokenizer.json as our export writes it, and as HF's converter would."""
    exact = tokenizer_json(read((folder / "sentencepiece.model").read_bytes()))
    table = next(
        step for step in exact["normalizer"]["normalizers"] if step["type"] == "Precompiled"
    )
    single = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    plain = {
        **exact,
        "normalizer": {"type": "Sequence", "normalizers": [table, single]},
        "pre_tokenizer": exact["decoder"],
    }
    paths = {}
    for name, value in (("exact", exact), ("plain", plain)):
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(json.dumps(value), encoding="utf-8")
    return paths


def timed(function: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of CPU (all threads), seconds by the clock, and the result."""
    clock, cpu = time.perf_counter(), time.process_time()
    found = function()
    return time.process_time() - cpu, time.perf_counter() - clock, found


def encoding(bench: Bench, files: dict[str, Path], threads: int, rounds: int) -> None:
    """Lines in memory to ids: one array, as our stage takes them, or a list a line."""
    import tokenizers

    ours = tokenizer.load(bench.tokenizer)
    theirs = {name: tokenizers.Tokenizer.from_file(str(path)) for name, path in files.items()}
    print(f"\nThreads: {threads}\n")
    print("| language | MB | encoding | MB a CPU s | ours, CPU | clock | lines with other ids |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for code in bench.languages:
        documents = bench.documents(code)
        lines = [line for document in documents for line in document]
        size = sum(len(line.encode()) for line in lines) / 1e6

        def hf(name: str, lines: list[str] = lines) -> list[list[int]]:
            found = theirs[name].encode_batch_fast(lines, add_special_tokens=False)
            return [each.ids for each in found]

        ways: dict[str, Callable[[], Any]] = {
            OURS: partial(ours.encode_documents, documents, threads),
            LISTS: partial(ours.encode_batch, lines),
            **{f"HF, {name}": partial(hf, name) for name in files},
        }
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        results = {}
        for _ in range(rounds):
            for way, function in ways.items():
                *seconds, results[way] = timed(function)
                times[way].append((seconds[0], seconds[1]))
        if list(filter(EOS.__ne__, results[OURS].tolist())) != sum_up(results[LISTS]):
            raise SystemExit(f"{code}: encode_documents and encode_batch differ")
        own = medians(times[OURS])
        for way in ways:
            cpu, clock = medians(times[way])
            row = f"| {code} | {size:.1f} | {way} | {size / cpu:.2f} |"
            if way != OURS:
                row += f" {cpu / own[0]:.1f} times | {clock / own[1]:.1f} times |"
            if way in (OURS, LISTS):
                print(row + " |" * (3 if way == OURS else 1), flush=True)
                continue
            other = sum(a != b for a, b in zip(results[LISTS], results[way], strict=True))
            print(f"{row} {other} of {len(lines):,} |", flush=True)


def sum_up(lists: list[list[int]]) -> list[int]:
    return list(itertools.chain.from_iterable(lists))


def medians(rows: list[tuple[float, float]]) -> list[float]:
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def side_by_side(processes: int, function: Callable[[str], Any], codes: list[str]) -> list[Any]:
    """As the launcher runs stages: languages in processes, the next when one has ended."""
    if processes == 1:
        return [function(code) for code in codes]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        found = pool.map(function, codes, chunksize=1)
        pool.close()
        pool.join()  # or the children's time is not counted
    return found


def moment() -> tuple[float, float]:
    """CPU seconds of this process and its children that have ended, and seconds by the clock."""
    return sum(os.times()[:4]), time.perf_counter()


def stages(
    bench: Bench, files: dict[str, Path], interpreter: str, processes: int, rounds: int
) -> None:
    """Files of text to ids on the disk, with as many processes."""
    texts = [str(bench.lines_file(code)) for code in bench.languages]
    size = sum(Path(path).stat().st_size for path in texts) / 1e6
    times: dict[str, list[tuple[float, float]]] = {}
    equal: dict[str, bool] = {}

    def note(what: str, cpu: float, clock: float) -> None:
        times.setdefault(what, []).append((cpu, clock))

    for _ in range(rounds):
        began = moment()
        side_by_side(processes, bench.describe, bench.languages)
        described = moment()
        parts = side_by_side(processes, bench.shard, bench.languages)
        ended = moment()
        note("ours, shards stage", ended[0] - described[0], ended[1] - described[1])
        note("ours, corpus and shards stage", ended[0] - began[0], ended[1] - began[1])
        digest = hashlib.sha256(np.concatenate(parts).tobytes()).hexdigest()
        for name, file in files.items():
            command = [interpreter, "-c", DATASETS, str(file), str(processes), *texts]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            loaded, mapped = found["steps"]
            both = loaded[0] + mapped[0], loaded[1] + mapped[1]
            for what, seconds in (("`map`", mapped), ("`load_dataset` and `map`", both)):
                note(f"HF, {name}, {what}", *seconds)
                equal[f"HF, {name}, {what}"] = found["digest"] == digest
    print(f"\n{size:.1f} MB of text, processes: {processes}, datasets {found['version']}\n")
    print("| files to ids on the disk | CPU, s | clock, s | ours, CPU | clock | ids |")
    print("|---|---|---|---|---|---|")
    own = list(times)[:2]
    for index, (what, measured) in enumerate(times.items()):
        cpu, clock = medians(measured)
        row = f"| {what} | {cpu:.2f} | {clock:.2f} |"
        if what in own:
            print(row + " | | |", flush=True)
            continue
        other = medians(times[own[index % 2]])
        row += f" {cpu / other[0]:.1f} times | {clock / other[1]:.1f} times |"
        print(f"{row} {'equal' if equal[what] else 'not all equal'} |", flush=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, help="a folder of text by language")
    parser.add_argument("--datasets", help="a Python that has datasets and tokenizers")
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES))
    parser.add_argument("--bytes", type=int, default=400_000, help="of each language (400000)")
    parser.add_argument("--vocabulary", type=int, default=4000, help="pieces (4000)")
    parser.add_argument("--sample", type=int, default=1_000_000, help="bytes to train on (1000000)")
    parser.add_argument("--threads", type=int, default=1, help="and processes of the stages (1)")
    parser.add_argument("--rounds", type=int, default=3, help="(3)")
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)  # before tokenizers is imported
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), options)
        files = hf_files(bench.tokenizer)
        encoding(bench, files, options.threads, options.rounds)
        if options.datasets:
            stages(bench, files, options.datasets, options.threads, options.rounds)


if __name__ == "__main__":
    main()
