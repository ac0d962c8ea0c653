"""Questions as windows of their context, and the best span over all of them, by hand."""

import io

import numpy as np
import pytest
import sentencepiece
import torch

from model.tasks.examples import Question
from model.tasks.forms.span import MAX_QUESTION, Span
from model.text.tokenizer import BOS, EOS, Tokenizer

LETTERS = "abcdefghij"


@pytest.fixture(scope="module")
def letters() -> Tokenizer:
    """A piece for each letter, with a space before it or not."""
    model = io.BytesIO()
    text = [" ".join(LETTERS[i:] + LETTERS[:i]) for i in range(10)] + [LETTERS] * 3
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text * 5),
        model_writer=model,
        vocab_size=24,
        hard_vocab_limit=False,
        max_sentencepiece_length=2,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        minloglevel=4,
    )
    return Tokenizer(model.getvalue(), "none")


def question(context: str, text: str = "a", start: int = 0) -> Question:
    return Question(id="1", context=context, question="b c", answers=[(text, start)])


def test_windows_overlap_and_only_those_with_the_whole_answer_learn_it(letters) -> None:
    context = " ".join(LETTERS)
    asked = letters.encode("b c")
    ids = letters.encode(context)
    assert len(ids) == 10
    room = 5
    form = Span(longest=len(asked) + 4 + room, stride=3, max_answer=4)
    found = form.encode([question(context, "e f", 8)], letters)
    firsts = [0, 3, 6]
    assert found.tokens == [
        [BOS, *asked, EOS, EOS, *ids[first : first + room], EOS] for first in firsts
    ]
    place = len(asked) + 3
    assert found.targets == [(0, 0), (place + 1, place + 2), (0, 0)]
    assert found.owners == [0, 0, 0]
    assert not found.counts["answers in no window"]
    long = form.encode([question(context, "a b c d e f", 0)], letters)
    assert set(long.targets) == {(0, 0)}
    assert long.counts["answers in no window"] == 1
    assert long.counts["answers beyond max_answer"] == 1


def test_a_short_context_is_one_window_and_a_long_question_is_cut(letters) -> None:
    form = Span(longest=300, stride=128, max_answer=4)
    asked = " ".join(LETTERS * 8)
    example = Question(id="1", context="a b", question=asked, answers=[("b", 2)])
    found = form.encode([example], letters)
    (tokens,) = found.tokens
    assert len(tokens) == 1 + MAX_QUESTION + 2 + 2 + 1
    assert found.counts["questions cut"] == 1
    half = Span(longest=24, stride=128, max_answer=4).encode([example], letters)
    assert len(half.tokens[0]) == 1 + 10 + 2 + 2 + 1


def scores(found, *values: tuple[int, int, float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Zeros, but for (window, place, start, end)."""
    width = max(map(len, found.tokens))
    starts, ends = torch.zeros(2, len(found.tokens), width)
    for window, place, start, end in values:
        starts[window, place], ends[window, place] = start, end
    return starts, ends


def test_the_best_span_of_all_windows_is_the_answer(letters) -> None:
    context = " ".join(LETTERS)
    form = Span(longest=len(letters.encode("b c")) + 9, stride=3, max_answer=2)
    examples = [question(context), question(context)]
    found = form.encode(examples, letters)
    first = found.parts[0].place

    def answer(*values: tuple[int, int, float, float]) -> list[str]:
        return form.answers(examples, found, form.read(scores(found, *values), found.parts))

    # The second question's windows are 3 to 5; places outside of the context never count.
    assert answer(
        (0, first + 1, 2.0, 0.0),
        (0, first + 2, 0.0, 1.0),
        (1, first + 1, 4.0, 0.0),
        (0, 0, 99.0, 99.0),
        (5, first + 3, 0.0, 7.0),
        (5, first + 2, 1.0, 0.0),
    ) == ["e", "i j"]
    # An end before its start, or too far behind it, is no span.
    assert answer((0, first + 3, 9.0, 0.0), (0, first + 1, 0.0, 8.0))[0] == "d"
    assert answer((0, first, 5.0, 0.0), (0, first + 2, 0.0, 4.5), (1, first, 4.0, 3.0))[0] == "d"
    assert form.answers(
        examples[:1], form.encode(examples[:1], letters), form.read(scores(found), found.parts)[:3]
    ) == ["a"]


def test_answers_are_parts_of_the_context_itself(letters) -> None:
    form = Span(longest=64, stride=32, max_answer=30)
    for context, text in (
        ("a  b\u00a0c", "b\u00a0c"),
        ("\uff41\uff42 c", "\uff41\uff42"),  # full-width letters, normalised away
        ("a \u33c4 b", "\u33c4"),  # a square that becomes two letters
        (" a\u200bb ", "b"),
    ):
        example = question(context, text, context.index(text))
        found = form.encode([example], letters)
        ((first, last),) = found.targets
        exact = scores(found, (0, first, 9.0, 0.0), (0, last, 0.0, 9.0))
        if first == last:
            exact = scores(found, (0, first, 9.0, 9.0))
        (answer,) = form.answers([example], found, form.read(exact, found.parts))
        assert answer == text
        assert not found.counts["answers that end within a piece"]


def test_what_has_no_place_is_not_learnt_and_an_empty_context_has_no_answer(letters) -> None:
    form = Span(longest=64, stride=32, max_answer=30)
    found = form.encode([question("a b", "z", -1)], letters)
    assert found.targets == [(0, 0)]
    empty = [Question(id="1", context=" ", question="a", answers=[])]
    found = form.encode(empty, letters)
    assert form.answers(empty, found, form.read(scores(found), found.parts)) == [""]


def test_the_loss_is_the_mean_of_both_ends() -> None:
    starts, ends = torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[3.0, 0.0, 0.0]])
    loss = Span(longest=9, stride=1, max_answer=1).loss((starts, ends), torch.tensor([[2, 1]]))
    wanted = (np.log(np.exp([0, 1, 2]).sum()) - 2 + np.log(np.exp([3, 0, 0]).sum())) / 2
    assert float(loss) == pytest.approx(wanted, rel=1e-6)
