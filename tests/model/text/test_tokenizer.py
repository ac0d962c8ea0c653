"""The tokenizer stage: fairseq's ids, the sample's composition, and errors that say what fits."""

import json
import lzma
import re
import unicodedata

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InputError
from model.text import pre_tokenize, tokenizer
from model.text.tokenizer import byte_shares, spread


@pytest.fixture
def corpora(workshop, documents):
    workshop.write("en", documents("en", 400))
    workshop.write("ru", documents("ru", 100))
    return {language: workshop.corpus(language) for language in ("en", "ru")}


def info_of(artifact):
    return json.loads((artifact / "tokenizer.json").read_text("utf-8"))


def test_ids_are_laid_out_as_in_fairseq(workshop, corpora) -> None:
    artifact = workshop.tokenizer(corpora, vocab_size=500, character_coverage=1.0)
    pieces = tokenizer.load(artifact)
    plain = sentencepiece.SentencePieceProcessor(model_file=str(artifact / "sentencepiece.model"))
    assert [plain.id_to_piece(i) for i in range(3)] == ["<unk>", "<s>", "</s>"]
    assert (tokenizer.BOS, tokenizer.PAD, tokenizer.EOS, tokenizer.UNK) == (0, 1, 2, 3)
    assert pieces.rows == 502 and pieces.mask == 501
    lines = [line for document in workshop.open(corpora["ru"]).train() for line in document]
    lines += ["", "日 a 本"]
    encoded = pieces.encode_batch(lines)
    assert encoded == [pieces.encode(line) for line in lines]
    for line, ids in zip(lines, encoded, strict=True):
        assert ids == [i + 1 if i > 2 else 3 for i in plain.encode(line)]
    assert encoded[-1].count(tokenizer.UNK) == 2
    assert max(map(max, filter(None, encoded))) < pieces.mask


def test_documents_end_with_the_end_token(workshop, corpora) -> None:
    pieces = tokenizer.load(workshop.tokenizer(corpora, vocab_size=300))
    text = [["one", "two 日"], ["three"]]
    expected = [
        token
        for document in text
        for token in [*(i for line in document for i in pieces.encode(line)), tokenizer.EOS]
    ]
    assert pieces.encode_documents(text).tolist() == expected
    assert pieces.encode_documents([]).tolist() == []


def test_specials_are_not_decoded(workshop, corpora) -> None:
    pieces = tokenizer.load(workshop.tokenizer(corpora, vocab_size=300))
    ids = pieces.encode("abc")
    framed = [tokenizer.BOS, *ids, pieces.mask, tokenizer.EOS, tokenizer.PAD]
    assert pieces.decode(framed) == "abc"
    assert "⁇" in pieces.decode([tokenizer.UNK])


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("pre", ["none", "xlm"])
def test_same_sample_gives_the_same_bytes(workshop, corpora, kind: str, pre: str) -> None:
    config = {"vocab_size": 400, "kind": kind, "pre_tokenize": pre}
    first, second = (workshop.tokenizer(corpora, **config) for _ in range(2))
    for name in ("sentencepiece.model", "tokenizer.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    info = info_of(first)
    assert info["pieces"] == 400 and info["rows"] == 402
    assert set("abcdefghij") <= set(info["covered_characters"])
    assert info["config"]["kind"] == kind


def test_training_is_silent(workshop, corpora, capfd: pytest.CaptureFixture[str]) -> None:
    workshop.tokenizer(corpora, vocab_size=300)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_vocabulary_that_the_text_cannot_fill(workshop, documents, kind: str) -> None:
    workshop.write("en", documents("en", 40))
    corpora = {"en": workshop.corpus("en")}
    with pytest.raises(InputError, match="more than the sample can fill") as caught:
        workshop.tokenizer(corpora, vocab_size=50_000, kind=kind)
    text = str(caught.value)
    assert "tokenizer.vocab_size: 50000" in text and "in 1 languages" in text
    found = re.search(r"largest possible is (\d+)", text)
    assert found
    largest = int(found[1])
    assert info_of(workshop.tokenizer(corpora, vocab_size=largest, kind=kind))["pieces"] == largest
    with pytest.raises(InputError):
        workshop.tokenizer(corpora, vocab_size=largest + 1, kind=kind)


def test_vocabulary_smaller_than_the_characters(workshop, corpora) -> None:
    with pytest.raises(InputError, match="cannot hold the characters") as caught:
        workshop.tokenizer(corpora, vocab_size=20)
    found = re.search(r"least possible is (\d+)", str(caught.value))
    assert found
    least = int(found[1])
    assert info_of(workshop.tokenizer(corpora, vocab_size=least))["pieces"] == least
    with pytest.raises(InputError):
        workshop.tokenizer(corpora, vocab_size=least - 1)


def test_text_that_normalises_to_nothing(workshop) -> None:
    workshop.write("en", [["\x01\x02", "\x03", "\x04"]])
    with pytest.raises(InputError, match="nothing is left of the sample"):
        workshop.tokenizer({"en": workshop.corpus("en")}, vocab_size=20)


def test_shares_follow_alpha() -> None:
    sizes = {
        "en": {"sentences": 8000, "bytes": 800_000},
        "ru": {"sentences": 1000, "bytes": 200_000},
    }
    assert byte_shares(sizes, 1.0, 1000) == pytest.approx({"en": 800, "ru": 200})
    assert byte_shares(sizes, 0.0, 1200) == pytest.approx({"en": 400, "ru": 800})
    q = 8**0.5
    assert byte_shares(sizes, 0.5, 1000)["en"] == pytest.approx(1000 * q / (q + 2))


def test_sample_has_its_stated_size_and_composition(workshop, corpora) -> None:
    artifact = workshop.tokenizer(corpora, vocab_size=200, sample_bytes=20_000, alpha=0.5)
    taken = info_of(artifact)["languages"]
    sizes = {language: workshop.open(path).info["train"] for language, path in corpora.items()}
    shares = byte_shares(sizes, 0.5, 20_000)
    assert sum(shares.values()) == pytest.approx(20_000)
    for language, share in shares.items():
        assert share - 400 < taken[language]["bytes"] <= share
        assert taken[language]["available_bytes"] == sizes[language]["bytes"]


def test_small_language_gives_all_it_has(workshop, corpora) -> None:
    artifact = workshop.tokenizer(corpora, vocab_size=200, sample_bytes=10_000_000)
    for language, taken in info_of(artifact)["languages"].items():
        train = workshop.open(corpora[language]).info["train"]
        assert taken["bytes"] == taken["available_bytes"] == train["bytes"]
        assert taken["sentences"] == train["sentences"]


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.9])
def test_sample_is_spread_evenly_and_keeps_the_lengths(workshop, documents, part: float) -> None:
    workshop.write("en", documents("en", 2000))
    found = workshop.open(workshop.corpus("en"))
    lines = [line for document in found.train() for line in document]
    size = found.info["train"]["bytes"]
    taken = list(spread(found, part * size))
    places: dict[str, int] = {line: number for number, line in enumerate(lines)}
    tenths = [0] * 10
    for line, length in taken:
        assert length == len(line.encode())
        tenths[places[line] * 10 // len(lines)] += length
    assert sum(tenths) <= part * size
    assert min(tenths) > 0.8 * part * size / 10
    mean = size / len(lines)
    assert sum(length for _, length in taken) / len(taken) == pytest.approx(mean, rel=0.08)


def test_long_lines_are_cut_and_not_dropped(workshop, documents) -> None:
    workshop.write("en", [*documents("en", 200), ["ж" + " ab" * 30_000 + " щ"]])
    config = {"vocab_size": 200, "character_coverage": 1.0}
    artifact = workshop.tokenizer({"en": workshop.corpus("en")}, **config)
    assert {"ж", "щ"} <= set(info_of(artifact)["covered_characters"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Où est l'École ?", "ou est l ' ecole ?"),
        ("你好,world", "你 好 , world"),
        ("हिंदी", "हिदी"),
        ("  a\tb  ", "a b"),
        ("Ёлка—это", "елка — это"),
        ("3€+", "3 € +"),
    ],
)
def test_xlm_pre_tokenization(text: str, expected: str) -> None:
    assert pre_tokenize.xlm(text) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_xlm_pre_tokenization_is_single_spaced_lower_case(text: str) -> None:
    once = pre_tokenize.xlm(text)
    assert once == " ".join(once.split())
    assert not any(unicodedata.category(character) == "Mn" for character in once)


def test_pre_tokenization_is_applied_when_encoding(workshop, corpora) -> None:
    config = {"vocab_size": 300, "kind": "bpe", "pre_tokenize": "xlm"}
    pieces = tokenizer.load(workshop.tokenizer(corpora, **config))
    assert pieces.encode("ÀB, c") == pieces.encode("ab , c")
    assert pieces.normalize("ÀB,c") == "ab , c"
    assert pieces.decode(pieces.encode("ÀB")) == "ab"


def test_round_trip_of_real_scripts(workshop, real_text) -> None:
    """Whatever has no <unk> comes back as it was normalised; few lines have one."""
    languages = ("am", "ar", "hi", "ka", "ko", "ru", "th", "ur", "zh")
    corpora = {}
    for language in languages:
        with lzma.open(real_text / "corpus_a" / f"{language}.txt.xz", "rt", encoding="utf-8") as f:
            (workshop.text / f"{language}.txt").write_text(f.read(60_000), "utf-8")
        corpora[language] = workshop.corpus(language)
    config = {"vocab_size": 6000, "sample_bytes": 400_000, "character_coverage": 1.0}
    pieces = tokenizer.load(workshop.tokenizer(corpora, **config))
    for language in languages:
        lines = [line for unit in workshop.open(corpora[language]).held_out for line in unit]
        whole = [line for line in lines if tokenizer.UNK not in pieces.encode(line)]
        assert len(whole) > 0.3 * len(lines)
        for line in whole:
            assert pieces.decode(pieces.encode(line)) == pieces.normalize(line)


def test_words_begin_at_white_space_and_at_every_unspaced_piece(workshop) -> None:
    lines = {
        "ru": "мы читаем книги дома",
        "th": "ฉันอ่านหนังสือที่บ้าน",
        "zh": "我们在家里看书。",
    }
    for code, line in lines.items():
        workshop.write(code, [[line + " " + line[: 1 + i % 7]] for i in range(40)])
    corpora = {code: workshop.corpus(code) for code in lines}
    config = {"vocab_size": 60, "kind": "bpe", "character_coverage": 1.0}
    pieces = tokenizer.load(workshop.tokenizer(corpora, **config))
    starts = pieces.word_starts()
    assert starts.shape == (pieces.rows,) and starts.dtype == bool
    assert starts[: tokenizer.SPECIALS].all(), "each special id is a word of its own"
    for code in ("th", "zh"):
        assert starts[pieces.encode(lines[code])].all()
    ids = pieces.encode(lines["ru"])
    assert starts[ids].sum() == 4 < len(ids) and starts[ids[0]]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_xlm_pre_tokenization_is_aligned_with_the_raw_text(workshop, corpora, kind: str) -> None:
    config = {"vocab_size": 300, "kind": kind, "pre_tokenize": "xlm"}
    pieces = tokenizer.load(workshop.tokenizer(corpora, **config))
    for line in ("", "\u0301", " ÀBc,d  e\u0301 ", "漢字，漢字", "한국 a…b", "İΣ ŉ"):
        aligned = pieces.align(line)
        assert [piece for piece, _, _ in aligned] == pieces.encode(line)
        bounds = [begin for _, begin, _ in aligned] + [len(line)]
        assert [end for _, _, end in aligned] == bounds[1:] and bounds == sorted(bounds)
    parts = {line[begin:end] for line in ["漢字漢字"] for _, begin, end in pieces.align(line)}
    assert parts - {""} == {"漢", "字"}, "each unknown character is paid for by its own piece"


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_xlm_characters_come_from_where_they_stood(text: str) -> None:
    prepared, places = pre_tokenize.xlm(text), pre_tokenize.places(text)
    assert len(places) == len(prepared) + 1 and places[-1] == len(text)
    assert places == sorted(places)
    for character, place in zip(prepared, places, strict=False):
        assert character in " ς" or character in pre_tokenize.xlm(text[place])


def test_large_samples_give_the_same_pieces(
    workshop, corpora, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores() -> list[tuple[str, float]]:
        model = workshop.tokenizer(corpora, vocab_size=300) / "sentencepiece.model"
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
        return [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(300)]

    small = scores()
    monkeypatch.setattr(tokenizer, "_LARGE_SAMPLE", 1000)
    assert scores() == small


@pytest.mark.parametrize("pre_tokenization", ["none", "xlm"])
def test_pieces_cover_the_least_part_of_the_raw_text(
    workshop, corpora, pre_tokenization: str
) -> None:
    config = {"vocab_size": 300, "pre_tokenize": pre_tokenization}
    pieces = tokenizer.load(workshop.tokenizer(corpora, **config))
    for line in (
        "",
        " ",
        "a  b",
        " ÀBc,d  e\u0301 ",
        "漢字，漢字",
        "x\u200b y",
        "\u33c4 1\u00bd",
        "İΣ ŉ",
    ):
        covered = pieces.cover(line)
        assert [piece for piece, _, _ in covered] == pieces.encode(line)
        parts = [line[begin:end] for _, begin, end in covered]
        assert all(part == part.strip() for part in parts)
        reached = {place for _, begin, end in covered for place in range(begin, end)}
        left = [line[place] for place in range(len(line)) if place not in reached]
        assert all(character.isspace() or character == "\u200b" for character in left), line
    squared = [line[begin:end] for line in ["\u33c4"] for _, begin, end in pieces.cover(line)]
    assert set(squared) - {""} == {"\u33c4"}, "each piece of one character covers all of it"
