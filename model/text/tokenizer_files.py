"""A tokenizer as the files that transformers loads: `AutoTokenizer` then gives the ids of ours.

The `tokenizers` library runs SentencePiece's models itself: the same pieces and scores, or the same
merges, after the same precompiled table of characters. It differs in three things:

- It looks characters up by what a reader sees as one character (grapheme), and takes the first
  match in it: a mark after a character of the table is lost, and sequences of six bytes or more are
  not composed. So marks are separated by a control character that the table removes, what is
  written decomposed is composed before that, and the table is applied once more to what is left.
- Text that spells a special token, such as `</s>` or `<mask>`, is that token: filling in masks
  needs it. To ours it is text like any other.
- What follows a special token begins a new word, as in XLM-R's own files.
"""

import base64
import json
from pathlib import Path
from typing import Any

import sentencepiece

from model.errors import InputError
from model.text import sentencepiece_model
from model.text.sentencepiece_model import CONTROL, NORMAL, UNKNOWN, SentencePieceModel
from model.text.tokenizer import BOS, EOS, PAD, UNK

SENTENCEPIECE = "sentencepiece.bpe.model"
FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", SENTENCEPIECE)
SPECIAL = {BOS: "<s>", PAD: "<pad>", EOS: "</s>", UNK: "<unk>"}
MASK = "<mask>"

_SPACE = "\u2581"
_BREAK = "\x01"
"""A control character: a boundary between graphemes, and removed by the table of nmt_nfkc."""
_STACKED = (
    # Between two marks, which NFC may otherwise put into another order, but not in the pairs that
    # compose: accents on accents in Greek, Vietnamese and transcriptions, and Telugu's vowel AI.
    r"(?<=\p{Mn})"
    "(?!(?<=[\u0300-\u0314\u031b\u0323\u0328\u0331\u0342])[\u0300-\u0314\u0323\u0342\u0345])"
    "(?!(?<=\u0c46)\u0c56)"
    r"(?=\p{Mn})"
)
_BEFORE_A_MARK = r"(?<!\A)(?=\p{M})"


def write(folder: Path, content: bytes, pre_tokenization: str, longest: int) -> None:
    """Writes `FILES`. `content` is the SentencePiece model, `longest` the longest sequence.

    Raises InputError for a tokenizer that these files cannot express.
    """
    model = read_checked(content)
    if pre_tokenization != "none":
        raise InputError(
            f"tokenizer.pre_tokenize: expected none, found {pre_tokenization!r}: it lower-cases "
            "and splits by Python's Unicode tables and rules (such as Greek's final sigma), which "
            "the files of transformers cannot express, so its ids would not be ours. Cells that "
            "are to be exported need cell.tokenizer.pre_tokenize=none"
        )
    require_expressible(model)
    names = {
        "bos_token": SPECIAL[BOS],
        "cls_token": SPECIAL[BOS],
        "eos_token": SPECIAL[EOS],
        "mask_token": MASK,
        "pad_token": SPECIAL[PAD],
        "sep_token": SPECIAL[EOS],
        "unk_token": SPECIAL[UNK],
    }
    config = {
        **names,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": longest,
        # Whatever reads tokenizer.json as it stands: XLMRobertaTokenizer makes parts of it anew.
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    _write_json(folder / "tokenizer.json", tokenizer_json(model))
    _write_json(folder / "tokenizer_config.json", config)
    _write_json(folder / "special_tokens_map.json", names)
    (folder / SENTENCEPIECE).write_bytes(content)


def read_checked(content: bytes) -> SentencePieceModel:
    """A SentencePiece model with the special pieces that XLM-R's ids rest on."""
    model = sentencepiece_model.read(content)
    first = [(text, kind) for text, _, kind in model.pieces[:3]]
    if first != [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]:
        raise InputError(
            "expected a SentencePiece model whose first pieces are <unk>, <s> and </s>, as XLM-R's "
            f"are, found {', '.join(text for text, _ in first)}"
        )
    try:
        sentencepiece.SentencePieceProcessor(model_proto=content)
    except RuntimeError as error:
        raise InputError(f"expected a whole SentencePiece model, found that {error}") from None
    return model


def require_expressible(model: SentencePieceModel) -> None:
    """Raises InputError for options of SentencePiece that the files would not reproduce."""
    faults = [
        f"{name} {found}"
        for name, found, expected in (
            ("add_dummy_prefix", model.add_dummy_prefix, True),
            ("remove_extra_whitespaces", model.remove_extra_whitespaces, True),
            ("escape_whitespaces", model.escape_whitespaces, True),
            ("treat_whitespace_as_suffix", model.whitespace_as_suffix, False),
            ("byte_fallback", model.byte_fallback, False),
        )
        if found != expected
    ]
    if model.normalizer != "nmt_nfkc":
        faults.append(f"normalizer {model.normalizer or 'none'}")
    if model.kind not in ("unigram", "bpe"):
        faults.append(f"model_type {model.kind}")
    if other := [text for text, _, kind in model.pieces[3:] if kind != NORMAL]:
        faults.append(f"pieces of a special type: {', '.join(other[:3])}")
    if across := [text for text, _, _ in model.pieces if _SPACE in text[1:]]:
        faults.append(f"pieces of more than one word: {', '.join(across[:3])}")
    if faults:
        raise InputError(
            "expected a SentencePiece model with XLM-R's options, found one that transformers "
            f"would cut differently: {'; '.join(faults)}"
        )


def tokenizer_json(model: SentencePieceModel) -> dict[str, Any]:
    """The content of tokenizer.json."""
    pieces = [(text, 0.0) for text in SPECIAL.values()]
    taken = {*SPECIAL.values(), MASK}
    for text, score, _ in model.pieces[3:]:
        # A piece that spells a special token cannot be reached here: with a space, no text is it.
        pieces.append((f"{text} " if text in taken else text, score))
    pieces.append((MASK, 0.0))
    special = {**SPECIAL, len(pieces) - 1: MASK}
    metaspace = {
        "type": "Metaspace",
        "replacement": _SPACE,
        "prepend_scheme": "always",
        "split": True,
    }
    split = {
        "type": "Split",
        "pattern": {"String": " "},
        "behavior": "Removed",
        "invert": False,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": id,
                "content": text,
                "single_word": False,
                "lstrip": text == MASK,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for id, text in special.items()
        ],
        "normalizer": _normalizer(model.charsmap),
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, metaspace]},
        "post_processor": _template(),
        "decoder": metaspace,
        "model": _unigram(pieces) if model.kind == "unigram" else _bpe(pieces),
    }


def _normalizer(charsmap: bytes) -> dict[str, Any]:
    table = {
        "type": "Precompiled",
        "precompiled_charsmap": base64.b64encode(charsmap).decode("ascii"),
    }
    compose = [_replace(_STACKED), {"type": "NFC"}]
    steps = [*compose, _replace(_BEFORE_A_MARK), table, *compose, table]
    return {"type": "Sequence", "normalizers": steps}


def _replace(pattern: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": _BREAK}


def _template() -> dict[str, Any]:
    """`<s> A </s>`, and of two texts `<s> A </s></s> B </s>`."""

    def special(id: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": SPECIAL[id], "type_id": 0}}

    def text(name: str) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": 0}}

    single = [special(BOS), text("A"), special(EOS)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, special(EOS), text("B"), special(EOS)],
        "special_tokens": {
            SPECIAL[id]: {"id": SPECIAL[id], "ids": [id], "tokens": [SPECIAL[id]]}
            for id in (BOS, EOS)
        },
    }


def _unigram(pieces: list[tuple[str, float]]) -> dict[str, Any]:
    return {
        "type": "Unigram",
        "unk_id": UNK,
        "vocab": [list(piece) for piece in pieces],
        "byte_fallback": False,
    }


def _bpe(pieces: list[tuple[str, float]]) -> dict[str, Any]:
    """SentencePiece joins the neighbours whose union has the best score: every cut is a merge."""
    ids = {text: id for id, (text, _) in enumerate(pieces)}
    merges = [
        (-score, text[:cut], text[cut:])
        for text, score in pieces[len(SPECIAL) : -1]
        for cut in range(1, len(text))
        if text[:cut] in ids and text[cut:] in ids
    ]
    merges.sort(key=lambda merge: merge[0])
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": SPECIAL[UNK],
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": ids,
        "merges": [list(merge[1:]) for merge in merges],
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
