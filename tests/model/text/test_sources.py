"""Finding and reading source files: every format, every kind of damage."""

import bz2
import gzip
import json
import lzma
from pathlib import Path

import polars
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InputError
from model.text import sources
from model.text.sources import find_files, read_documents

DOCUMENTS = [["One line.", "Zweite Zeile – ü"], ["世界 你好"], ["нет", "да", "🙂"]]
PLAIN = "\n\n".join("\n".join(lines) for lines in DOCUMENTS) + "\n"
COMPRESS = {
    "": lambda data: data,
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def read(path: Path) -> list[list[str]]:
    return list(read_documents(path))


def message(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    text = str(caught.value)
    assert str(path) in text
    return text


def put(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize("suffix", COMPRESS)
def test_plain_text_in_every_compression(tmp_path: Path, suffix: str) -> None:
    path = put(tmp_path / f"en.txt{suffix}", COMPRESS[suffix](PLAIN.encode()))
    assert read(path) == DOCUMENTS


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".bz2", ".zst"])
def test_several_compressed_streams_in_one_file(tmp_path: Path, suffix: str) -> None:
    compress = COMPRESS[suffix]
    data = compress(b"one\n\n") + compress(b"two\n")
    assert read(put(tmp_path / f"en.txt{suffix}", data)) == [["one"], ["two"]]


def test_records_of_every_format_give_the_same_documents(tmp_path: Path) -> None:
    texts = ["\n\n".join(lines) for lines in DOCUMENTS]
    records = [{"id": str(i), "title": "t", "text": text} for i, text in enumerate(texts)]
    lines = "\n".join(json.dumps(record) for record in records) + "\n"
    wiki = "".join(f'<doc id="1" url="u" title="t">\n{text}\n\n</doc>\n' for text in texts)
    polars.DataFrame(records).write_parquet(tmp_path / "en.parquet", row_group_size=2)
    assert read(put(tmp_path / "en.jsonl", lines)) == DOCUMENTS
    assert read(put(tmp_path / "wiki_00", lines)) == DOCUMENTS
    assert read(put(tmp_path / "wiki_01", wiki)) == DOCUMENTS
    assert read(put(tmp_path / "wiki_02.bz2", bz2.compress(wiki.encode()))) == DOCUMENTS
    assert read(put(tmp_path / "en.txt", wiki)) == DOCUMENTS
    assert read(tmp_path / "en.parquet") == DOCUMENTS


def test_wikiextractor_text_is_unescaped(tmp_path: Path) -> None:
    wiki = '<doc id="1">\nAT&amp;T &lt;b&gt; &amp;lt;\n</doc>\n'
    assert read(put(tmp_path / "wiki_00", wiki)) == [["AT&T <b> &lt;"]]


def test_byte_order_mark_and_carriage_returns_are_no_text(tmp_path: Path) -> None:
    path = put(tmp_path / "en.txt", "\ufeffone\r\ntwo\r\n\r\nthree".encode())
    assert read(path) == [["one", "two"], ["three"]]


def test_only_line_feeds_end_lines(tmp_path: Path) -> None:
    path = put(tmp_path / "en.txt", "a\u2028b\x0bc\u0085d\n")
    assert read(path) == [["a\u2028b\x0bc\u0085d"]]


def test_text_without_blank_lines_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LONGEST_DOCUMENT", 30)
    path = put(tmp_path / "en.txt", "ten chars.\n" * 7)
    assert [len(lines) for lines in read(path)] == [3, 3, 1]


def test_large_files_stream(tmp_path: Path) -> None:
    """Lines and characters that straddle the chunks come out whole."""
    line = "ü" * 1000
    path = put(tmp_path / "en.txt.xz", lzma.compress(f"{line}\n\n".encode() * 3000, preset=0))
    positions: list[int] = []
    assert list(read_documents(path, positions.append)) == [[line]] * 3000
    assert positions == sorted(positions) and positions[-1] <= path.stat().st_size


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]))
            .map(str.strip)
            .filter(lambda line: line and not line.startswith("<doc ")),
            min_size=1,
        )
    )
)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, documents: list) -> None:
    path = tmp_path_factory.mktemp("any") / "en.txt"
    put(path, "\n\n".join("\n".join(lines) for lines in documents))
    if documents and documents[0][0].startswith("\ufeff"):
        documents[0][0] = documents[0][0][1:].strip()
        documents = [kept for lines in documents if (kept := [line for line in lines if line])]
    assert read(path) == documents


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".bz2", ".zst"])
def test_truncated_file(tmp_path: Path, suffix: str) -> None:
    data = COMPRESS[suffix](PLAIN.encode())
    text = message(put(tmp_path / f"en.txt{suffix}", data[:-6]))
    assert "truncated" in text and "Fetch it again" in text


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_file_that_is_not_compressed_at_all(tmp_path: Path, suffix: str) -> None:
    assert "damaged" in message(put(tmp_path / f"en.txt{suffix}", PLAIN))


def test_damaged_middle(tmp_path: Path) -> None:
    data = bytearray(lzma.compress(bytes(range(1, 10)) * 1000 + PLAIN.encode() * 100))
    data[len(data) // 2] ^= 0xFF
    assert "damaged near byte" in message(put(tmp_path / "en.txt.xz", bytes(data)))


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = put(tmp_path / "en.txt", b"first\nsecond\ncaf\xe9 noir\n")
    text = message(path)
    assert "line 3, byte 16" in text and "0xe9" in text and "iconv -f ISO-8859-1" in text


def test_not_utf8_far_into_a_compressed_file(tmp_path: Path) -> None:
    good = b"a fairly long line of text\n" * 100_000
    path = put(tmp_path / "en.txt.gz", gzip.compress(good + b"\xff\n", 1))
    assert f"line 100001, byte {len(good)}" in message(path)


def test_utf16_is_named(tmp_path: Path) -> None:
    assert "UTF-16" in message(put(tmp_path / "en.txt", "text\n".encode("utf-16")))


def test_nul_characters_are_refused(tmp_path: Path) -> None:
    assert "line 2, byte 7" in message(put(tmp_path / "en.txt", b"line\nab\0c\n"))
    assert "NUL" in message(put(tmp_path / "en.jsonl", json.dumps({"text": "a\0b"})))


def test_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LONGEST_LINE", 1 << 20)
    assert "line 1 is longer" in message(put(tmp_path / "en.txt", b"x" * (3 << 20)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"text": "one"', "one JSON object a line"),
        ('{"content": "one"}', "found ['content']"),
        ('{"text": 3}', "field 'text' that holds a string"),
        ("[1]", "found list"),
        (r'{"text": "\ud800"}', "half a surrogate pair"),
    ],
)
def test_malformed_json_lines(tmp_path: Path, line: str, expected: str) -> None:
    text = message(put(tmp_path / "en.jsonl", '{"text": "good"}\n' + line + "\n"))
    assert "line 2" in text and expected in text


def test_malformed_wikiextractor(tmp_path: Path) -> None:
    start = '<doc id="1">\ntext\n'
    assert "truncated" in message(put(tmp_path / "wiki_00", start))
    assert "line 3" in message(put(tmp_path / "wiki_00", start + start))
    stray = message(put(tmp_path / "wiki_00", start + "</doc>\nstray\n"))
    assert "line 4" in stray and "'stray'" in stray


def test_malformed_parquet(tmp_path: Path) -> None:
    path = tmp_path / "en.parquet"
    polars.DataFrame({"content": ["a"]}).write_parquet(path)
    text = message(path)
    assert "column 'text'" in text and "content (String)" in text
    polars.DataFrame({"text": ["some text"] * 100}).write_parquet(path)
    put(path, path.read_bytes()[:-9])
    assert "Fetch it again" in message(path)


def names(location: Path, language: str) -> list[str]:
    found = find_files("books", location, language)
    return [path.relative_to(location).as_posix() for path in found]


def test_files_are_found_by_code_alias_or_folder(tmp_path: Path) -> None:
    for name in ("zh_Hans.txt.xz", "en.jsonl.gz", "de/AA/wiki_00", "de/AB/wiki_01.bz2", "de/log"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, b"x")
    (tmp_path / "20231101.sw").mkdir()
    put(tmp_path / "20231101.sw" / "train-00000-of-00001.parquet", b"x")
    assert names(tmp_path, "zh") == ["zh_Hans.txt.xz"]
    assert names(tmp_path, "en") == ["en.jsonl.gz"]
    assert names(tmp_path, "de") == ["de/AA/wiki_00", "de/AB/wiki_01.bz2"]
    assert names(tmp_path, "sw") == ["20231101.sw/train-00000-of-00001.parquet"]


def test_missing_file_names_what_was_looked_for(tmp_path: Path) -> None:
    put(tmp_path / "sk.txt.xz", b"x")
    with pytest.raises(InputError) as caught:
        find_files("books", tmp_path, "sw")
    text = str(caught.value)
    assert all(part in text for part in (str(tmp_path), "'sw'", "sw.txt", "sk.txt.xz", "books"))


def test_missing_location_says_how_to_set_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"locations\.books=FOLDER"):
        find_files("books", tmp_path / "nowhere", "en")


def test_two_files_of_one_language_are_ambiguous(tmp_path: Path) -> None:
    put(tmp_path / "en.txt", b"x")
    put(tmp_path / "en.txt.xz", b"x")
    with pytest.raises(InputError, match=r"en\.txt and en\.txt\.xz .* Keep one"):
        find_files("books", tmp_path, "en")


def test_empty_file_and_folder_without_text(tmp_path: Path) -> None:
    path = put(tmp_path / "en.txt", b"")
    with pytest.raises(InputError, match="the file is empty") as caught:
        find_files("books", tmp_path, "en")
    assert str(path) in str(caught.value)
    (tmp_path / "de").mkdir()
    with pytest.raises(InputError, match="no file of a known format"):
        find_files("books", tmp_path, "de")


@pytest.mark.parametrize("name", ["en.txt", "en/part.txt", "en/deeper/part.jsonl.xz"])
def test_a_link_to_a_file_that_is_gone_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path.with_name("more.txt"), b"x")
    path.symlink_to(tmp_path / "gone.txt")
    with pytest.raises(InputError, match=r"a link to .*gone\.txt, which does not exist") as caught:
        find_files("books", tmp_path, "en")
    assert str(path) in str(caught.value)


def test_links_to_files_are_read_and_links_to_folders_within_refused(tmp_path: Path) -> None:
    elsewhere, location = tmp_path / "elsewhere", tmp_path / "location"
    for folder in (elsewhere, location / "en"):
        folder.mkdir(parents=True)
    put(elsewhere / "part.txt", b"x")
    (location / "de").symlink_to(elsewhere)
    assert names(location, "de") == ["de/part.txt"], "the language's folder itself may be a link"
    (location / "en" / "one.txt").symlink_to(elsewhere / "part.txt")
    assert names(location, "en") == ["en/one.txt"]
    (location / "en" / "more").symlink_to(elsewhere)
    with pytest.raises(InputError, match="a link to a folder among the text of 'en'"):
        find_files("books", location, "en")
