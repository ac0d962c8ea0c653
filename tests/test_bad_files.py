"""Files that once ended in something else than a message, and a few thousand of their mutations."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz_readers import KEPT, LIMIT, fuzz, kinds, named, read

FILES = sorted(KEPT.iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_bad_file_has_a_message(file: Path, tmp_path: Path) -> None:
    kind, name, _ = named(file)
    told = read(kind, name, file.read_bytes(), tmp_path / "tried")
    assert told is not None and str(tmp_path) in told
    assert len(told) < 1000


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_the_examples_themselves_are_read(kind: str, tmp_path: Path) -> None:
    for name, content in kinds()[kind].examples.items():
        assert read(kind, name, content, tmp_path / "tried") is None, name


def test_mutated_files_end_in_a_result_or_a_message(tmp_path: Path) -> None:
    findings = list(fuzz(tmp_path, list(kinds()), seed=20, seconds=60, most=1500))
    assert not findings, findings[0]


def test_a_damaged_table_of_a_tokenizer_is_told(tmp_path: Path) -> None:
    """Only SentencePiece itself looks into its table of characters."""
    content = kinds()["model"].examples["sentencepiece.bpe.model"]
    place = content.index(b"nmt_nfkc") + 100
    broken = content[:place] + b"\xff" * 64 + content[place + 64 :]
    told = read("model", "sentencepiece.bpe.model", broken, tmp_path / "tried")
    assert told is not None and "expected a whole SentencePiece model" in told


LINE = f"""
import sys
from pathlib import Path
from model.errors import InputError
from model.text.sources import read_documents
from tests.fuzz_studies import limited
try:
    with limited({LIMIT}):
        for document in read_documents(Path(sys.argv[1])):
            pass
except InputError as error:
    print(error)
# Not getrusage: its peak is also that of the process which this one was forked from.
(line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
print(int(line.split()[1]) // 1024)
"""


@pytest.mark.parametrize("name", ["en.txt", "en.txt.gz", "en.jsonl.gz", "en.gz"])
def test_a_line_of_a_gigabyte_is_refused_in_bounded_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix == ".gz":
        block = gzip.compress(b"a" * (1 << 24), mtime=0)
        path.write_bytes(block * 64)  # members one after another are one file
    else:
        with path.open("wb") as stream:
            for _ in range(6):  # the rest is never read
                stream.write(b"a" * (1 << 24))
    done = subprocess.run(
        [sys.executable, "-c", LINE, str(path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    told, peak = done.stdout.splitlines()
    assert f"line 1 is longer than {1 << 26} bytes" in told
    assert int(peak) < 600, "MiB"
