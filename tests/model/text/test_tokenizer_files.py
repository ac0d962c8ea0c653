"""The files of a tokenizer, loaded by transformers, give the ids of ours."""

import io
import itertools
import json
import lzma
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InputError
from model.text import sentencepiece_model, tokenizer_files
from model.text.tokenizer import Tokenizer

LINES = 205
"""Lines of each of the 101 languages, for more than 20,000; the smallest have fewer."""
ODD = [
    "",
    " ",
    "   ",
    " a",
    "a ",
    "a  b",
    "\t",
    "a\tb\r\nc",
    "\x00a\x01b\x01",
    "\x01",
    "a\u200bb\u200c\u200d\u200e",
    "\ufeffa",
    "\u00ada\u00adb",
    "\u00a0 \u00a0a\u3000b\u2028c\u0085d\u0085",
    "\u2581a \u2581\u2581b\u2581",
    "e\u0301 \u0301e \u0301",
    "q\u0323\u0307 a\u0316\u0301x",
    "ａ\u0308 ﻻ\u064b 、\u0594 ½\u0301",
    "\u1112\u1161\u11ab \u1112\u1161\u11abx",
    "か\u3099 ｶﾞ ﾊﾟ",
    "ক\u09c7\u09be ട\u0d46\u0d3e ట\u0c46\u0c56",
    "שּׁ \u05e9\u05bc\u05c1 \u0634\u0651\u064e",
    "Việt \u0041\u0323\u0302 \u03b9\u0308\u0301",
    "👨\u200d👩\u200d👧 🇩🇪 ❤\ufe0f ™\ufe0f 1\ufe0f\u20e3",
    "ﷺ ﬁ ㎏ ⑳ ＡＢＣ！",
    "日本 龘龘龘 龘a龘",
    "\ue000x\U0010ffff",
    "x" * 5000,
    "ab" * 3000,
    "a" * 37 + " " + "ha" * 50,
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def lines_of(folder: Path, count: int, after: int = 0) -> Iterator[str]:
    """Lines of every language, the first `after` left out."""
    for file in sorted(folder.glob("*.txt.xz")):
        with lzma.open(file, "rt", encoding="utf-8") as stream:
            lines = (line.rstrip("\n") for line in stream if line.strip())
            yield from itertools.islice(lines, after, after + count)


def train(kind: str, lines: list[str], pieces: int) -> bytes:
    """A SentencePiece model as the tokenizer stage makes it."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type=kind,
        vocab_size=pieces,
        hard_vocab_limit=False,
        character_coverage=0.9995,
        normalization_rule_name="nmt_nfkc",
        max_sentence_length=1 << 16,
        minloglevel=4,
    )
    return sentencepiece_model.with_rounded_scores(model.getvalue())


def load(folder: Path, content: bytes):
    """Ours, and what `AutoTokenizer` makes of the files."""
    from transformers import AutoTokenizer

    tokenizer_files.write(folder, content, "none", 512)
    (folder / "config.json").write_text('{"model_type": "xlm-roberta"}', encoding="utf-8")
    return Tokenizer(content, "none"), AutoTokenizer.from_pretrained(folder)


def different(ours: Tokenizer, theirs, lines: list[str]) -> list[str]:
    ids = theirs(lines, add_special_tokens=False)["input_ids"]
    return [line for line, a, b in zip(lines, ours.encode_batch(lines), ids, strict=True) if a != b]


@pytest.mark.parametrize(
    ("kind", "pieces", "training"),
    [
        pytest.param("unigram", 10_000, 40, id="unigram"),
        pytest.param("bpe", 10_000, 40, id="bpe"),
        pytest.param("unigram", 30_000, 600, id="large", marks=pytest.mark.slow),
    ],
)
def test_ids_of_real_text_in_every_language(
    kind: str, pieces: int, training: int, tmp_path: Path, real_text: Path
) -> None:
    corpus = real_text / "corpus_a"
    assert len(list(corpus.glob("*.txt.xz"))) == 101
    content = train(kind, list(lines_of(corpus, training)), pieces)
    ours, theirs = load(tmp_path, content)
    assert len(theirs) == ours.rows == pieces + 2
    lines = list(lines_of(corpus, LINES, after=40))
    assert len(lines) > 20_000
    assert different(ours, theirs, lines) == []
    # Decomposed text is where the tokenizers library's own normaliser goes astray.
    decomposed = [unicodedata.normalize("NFKD", line) for line in lines]
    changed = [b for a, b in zip(lines, decomposed, strict=True) if a != b]
    assert len(changed) > 3000
    assert different(ours, theirs, changed) == []


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory):
    """A unigram and a BPE tokenizer that know most of the odd lines' characters."""
    text = [line.replace("\x00", "") for line in ODD if len(line) < 100] * 20
    text += [" ".join(letters) for letters in itertools.permutations("abcdehx", 5)][:800]
    pairs = {}
    for kind in ("unigram", "bpe"):
        folder = tmp_path_factory.mktemp(kind)
        pairs[kind] = load(folder, train(kind, text, 120))
    return pairs


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_ids_of_odd_lines(kind: str, loaded) -> None:
    assert different(*loaded[kind], ODD) == []


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_repeated_letters_are_merged_in_the_same_order(kind: str, loaded) -> None:
    """Pieces of equal score overlap here: the order of merges shows."""
    rng = random.Random(7)
    lines = ["".join(rng.choice("abhx ") for _ in range(60)) for _ in range(2000)]
    lines += [rng.choice("abcdehx") * rng.randrange(1, 40) for _ in range(200)]
    assert different(*loaded[kind], lines) == []


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cn", "M"])))
def test_ids_of_any_text_without_marks(text: str, loaded) -> None:
    for ours, theirs in loaded.values():
        if not any(special in text for special in SPECIAL):
            assert different(ours, theirs, [text]) == []


def test_special_tokens_in_text_are_special_to_transformers(loaded) -> None:
    ours, theirs = loaded["unigram"]
    for id, text in [*tokenizer_files.SPECIAL.items(), (ours.mask, "<mask>")]:
        found = theirs(f"ab {text} ab", add_special_tokens=False)["input_ids"]
        own = ours.encode("ab")
        assert found == [*own, id, *own]
        assert id not in ours.encode(f"ab {text} ab") or id == 3


def test_a_piece_that_spells_a_special_token_keeps_its_id(tmp_path: Path) -> None:
    words = [f"{first}qwerty{last}" for first in "abcdefgh" for last in "abcdefgh"]
    content = train("bpe", words * 5, 40).replace(b"\x06qwerty", b"\x06<mask>")
    assert "<mask>" in [text for text, _, _ in sentencepiece_model.read(content).pieces]
    ours, theirs = load(tmp_path, content)
    assert theirs.mask_token_id == ours.mask and len(theirs) == ours.rows
    assert different(ours, theirs, ["ab bc", "bad"]) == []


def test_scores_are_exact_in_sums_of_32_bits(tmp_path: Path) -> None:
    """Otherwise a cut would depend on where in the line a word stands."""
    content = train("unigram", ["the cat sat", "a cat and the dog", "dogs and cats"] * 20, 40)
    scores = [score for _, score, _ in sentencepiece_model.read(content).pieces]
    assert any(scores) and all((score * 512).is_integer() for score in scores)
    assert sentencepiece_model.with_rounded_scores(content) == content


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"byte_fallback": True, "vocab_size": 300}, "byte_fallback True; pieces of a special"),
        ({"add_dummy_prefix": False}, "add_dummy_prefix False"),
        ({"remove_extra_whitespaces": False}, "remove_extra_whitespaces False"),
        ({"normalization_rule_name": "identity"}, "normalizer identity"),
        ({"model_type": "char"}, "model_type char"),
        ({"user_defined_symbols": "zz"}, "pieces of a special type: zz"),
        ({"treat_whitespace_as_suffix": True}, "treat_whitespace_as_suffix True"),
        (
            {"split_by_whitespace": False, "vocab_size": 60},
            "pieces of more than one word: ",
        ),
    ],
)
def test_what_the_files_cannot_express_is_refused(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    model = io.BytesIO()
    settings = {"model_type": "bpe", "vocab_size": 30, "minloglevel": 4} | options
    settings = {"normalization_rule_name": "nmt_nfkc"} | settings
    text = ["the cat and the dog", "the dog and the cat sat", "a cat"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, hard_vocab_limit=False, **settings
    )
    with pytest.raises(InputError, match=message):
        tokenizer_files.write(tmp_path, model.getvalue(), "none", 512)
    assert list(tmp_path.iterdir()) == []


def test_xlm_pre_tokenization_is_refused(tmp_path: Path) -> None:
    content = train("bpe", ["a b c"] * 10, 10)
    with pytest.raises(InputError, match="pre_tokenize: expected none, found 'xlm'"):
        tokenizer_files.write(tmp_path, content, "xlm", 512)


def test_other_content_is_no_model() -> None:
    for content in (b"", b"not a model", bytes(range(256)), json.dumps({"a": 1}).encode()):
        with pytest.raises(InputError, match="expected a SentencePiece model"):
            tokenizer_files.read_checked(content)
    with pytest.raises(InputError, match="first pieces are <unk>, <s> and </s>"):
        tokenizer_files.read_checked(b"\x0a\x05\x0a\x03abc")


def test_the_model_file_is_read_as_sentencepiece_reads_it() -> None:
    content = train("unigram", ["abc abd abe"] * 10, 12)
    model = sentencepiece_model.read(content)
    library = sentencepiece.SentencePieceProcessor(model_proto=content)
    assert [(text, score) for text, score, _ in model.pieces] == [
        (library.id_to_piece(id), library.get_score(id)) for id in range(library.get_piece_size())
    ]
    assert model.kind == "unigram" and model.normalizer == "nmt_nfkc"
    assert len(model.charsmap) > 100_000
