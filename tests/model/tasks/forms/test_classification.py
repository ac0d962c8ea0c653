"""Texts and pairs of texts as sequences."""

from model.tasks.examples import Classified
from model.tasks.forms.classification import Classification
from model.text import tokenizer as tokenizers
from model.text.tokenizer import BOS, EOS

LABELS = ("a", "b", "c")


def encode(pieces, longest: int, *pairs: tuple[str, str | None]):
    examples = [Classified(first=first, second=second, label="c") for first, second in pairs]
    return Classification(LABELS, longest).encode(examples, pieces)


def test_pairs_are_joined_and_the_longer_text_is_cut(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    first, second = pieces.encode("a b c d e f g h i j k l"), pieces.encode("a b")
    pair = ("a b c d e f g h i j k l", "a b")
    whole = encode(pieces, 100, pair)
    assert whole.tokens == [[BOS, *first, EOS, EOS, *second, EOS]]
    assert whole.targets == [2] and whole.counts["examples cut"] == 0
    room = len(second) + 3
    cut = encode(pieces, room + 4, pair)
    assert cut.tokens == [[BOS, *first[:3], EOS, EOS, *second, EOS]]
    assert cut.counts["examples cut"] == 1
    assert cut.counts["pieces cut off"] == len(first) - 3
    (both,) = encode(pieces, 12, ("a b c d e f", "a b c d e f g h")).tokens
    assert len(both) == 12 and both[5] == both[6] == EOS


def test_a_text_alone_and_pairs_may_be_mixed(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    a, b = pieces.encode("a b c"), pieces.encode("d e")
    found = encode(pieces, 100, ("a b c", None), ("a b c", "d e"), ("", ""), ("d e", None))
    assert found.tokens == [
        [BOS, *a, EOS],
        [BOS, *a, EOS, EOS, *b, EOS],
        [BOS, EOS, EOS, EOS],
        [BOS, *b, EOS],
    ]
    assert encode(pieces, 4, ("a b c d e f", None)).tokens[0] == [
        BOS,
        *pieces.encode("a b c d e f")[:2],
        EOS,
    ]
