"""Words as pieces: the first carries the tag; words that vanish or are too long are counted."""

import torch

from model.tasks.examples import Tagged
from model.tasks.forms.tagging import NO_TAG, Tagging
from model.text import tokenizer as tokenizers
from model.text.tokenizer import BOS, EOS, UNK

LABELS = ("X", "Y", "Z")


def test_the_first_piece_of_each_word_carries_its_tag(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    words = ["antidisestablishment", "a", "\u0001", "number"]
    first, second, vanishing, fourth = pieces.encode_batch(words)
    assert len(first) > 2 and vanishing == []
    example = Tagged(words=words, tags=["Y", "X", "Z", "Y"])
    found = Tagging(LABELS, 100).encode([example], pieces)
    assert found.tokens == [[BOS, *first, *second, UNK, *fourth, EOS]]
    places = [1, 1 + len(first), 1 + len(first) + len(second), 2 + len(first) + len(second)]
    assert found.parts[0].places == places
    wanted = [NO_TAG] * len(found.tokens[0])
    for place, tag in zip(places, (1, 0, 2, 1), strict=True):
        wanted[place] = tag
    assert found.targets == [wanted]
    assert found.counts["words"] == 4 and found.counts["words that vanish"] == 1


def test_a_long_sentence_is_divided_between_words_and_a_long_word_loses_its_end(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    long, short = "antidisestablishmentarianism", "a"
    whole, ids = pieces.encode(long), pieces.encode(short)
    room = 3 * len(ids)
    assert len(whole) > room
    examples = [
        Tagged(words=[short] * 5, tags=["X", "Y", "Z", "X", "Y"]),
        Tagged(words=[short, long, short], tags=["X", "Y", "Z"]),
    ]
    form = Tagging(LABELS, room + 2)
    found = form.encode(examples, pieces)
    assert found.tokens == [
        [BOS, *ids, *ids, *ids, EOS],
        [BOS, *ids, *ids, EOS],
        [BOS, *ids, EOS],
        [BOS, *whole[:room], EOS],
        [BOS, *ids, EOS],
    ]
    assert found.owners == [0, 0, 1, 1, 1]
    assert found.counts["sentences divided"] == 3 and found.counts["words cut"] == 1
    kept = [[0, 1, 2], [0, 1], [0], [1], [2]]
    assert form.answers(examples, found, kept) == [example.tags for example in examples]


def test_the_loss_is_the_mean_over_words_and_tags_are_read_at_their_places(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    form = Tagging(LABELS, 100)
    examples = [Tagged(words=["number", "a"], tags=["Y", "X"]), Tagged(words=["a"], tags=["Z"])]
    found = form.encode(examples, pieces)
    width = max(map(len, found.tokens))
    targets = form.stacked(found.targets, width)
    scores = torch.randn(2, width, 3, generator=torch.Generator().manual_seed(1))
    words = [
        (row, place, LABELS.index(tag))
        for row, example in enumerate(examples)
        for place, tag in zip(found.parts[row].places, example.tags, strict=True)
    ]
    logs = scores.log_softmax(-1)
    wanted = -sum(logs[word] for word in words) / 3
    assert torch.allclose(form.loss(scores, targets), wanted)
    best = [LABELS[int(scores[row, place].argmax())] for row, place, _ in words]
    answers = form.answers(examples, found, form.read(scores, found.parts))
    assert answers == [best[:2], best[2:]]
