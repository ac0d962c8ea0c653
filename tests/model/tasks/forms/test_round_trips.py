"""Gold answers and tags through tokens and back: what a perfect model would be scored.

On the published files of ../shared/data/eval.tar.xz; what tokens cannot represent is counted and
printed (`pytest -s`).
"""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch

from model.tasks import metrics
from model.tasks.catalogue import TASKS, find
from model.tasks.examples import gold, read
from model.tasks.forms.form import Sequences
from model.tasks.forms.span import Span
from model.tasks.forms.tagging import Tagging
from model.tasks.task_batches import by_length
from model.text.tokenizer import Tokenizer

ARCHIVE = Path(__file__).parents[5] / "shared" / "data" / "eval.tar.xz"
XQUAD = "ar de el en es hi ro ru th tr vi zh".split()
UD = "ar bg de el en es fr hi ru th tr ur vi zh".split()
UNER = "en pt sv tl zh".split()

pytestmark = pytest.mark.skipif(not ARCHIVE.exists(), reason=f"{ARCHIVE} is not there")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def tokenizer(root: Path) -> Tokenizer:
    """Trained on a tenth of the contexts of every XQuAD file."""
    texts = []
    for code in XQUAD:
        path = root / "xquad" / f"xquad.{code}.json"
        contexts = dict.fromkeys(each.context for each in read("xquad", path, language=code))
        texts += list(contexts)[::10]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=6000,
        character_coverage=0.9995,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        minloglevel=4,
    )
    return Tokenizer(model.getvalue(), "none")


def perfect_spans(form: Span, examples: list[Any], sequences: Sequences) -> list[str]:
    """The answers of a model that is sure of every target."""
    kept: list[Any] = [None] * len(sequences.tokens)
    for chosen in by_length([len(tokens) for tokens in sequences.tokens]):
        width = max(len(sequences.tokens[index]) for index in chosen)
        targets = form.stacked([sequences.targets[index] for index in chosen], width)
        starts, ends = (
            torch.nn.functional.one_hot(targets[:, side], width).float() for side in range(2)
        )
        found = form.read((starts, ends), [sequences.parts[index] for index in chosen])
        for index, each in zip(chosen, found, strict=True):
            kept[index] = each
    return form.answers(examples, sequences, kept)


@pytest.mark.parametrize("language", XQUAD)
def test_answers_come_back(language: str, root: Path, tokenizer: Tokenizer) -> None:
    path = root / "xquad" / f"xquad.{language}.json"
    examples = read("xquad", path, language=language)
    form = Span(longest=384, stride=128, max_answer=256)
    sequences = form.encode(examples, tokenizer)
    assert max(map(len, sequences.tokens)) <= 384
    answers = perfect_spans(form, examples, sequences)
    other = [
        index
        for index, (example, answer) in enumerate(zip(examples, answers, strict=True))
        if answer != example.answers[0][0].strip()
    ]
    scores = metrics.score(TASKS["xquad"], language, [gold(each) for each in examples], answers)
    counts = dict(+sequences.counts)
    print(f"\n{language}: {scores}, {counts}")
    assert "answers in no window" not in counts and "answers beyond max_answer" not in counts
    assert len(other) == counts["answers that end within a piece"] <= 0.04 * len(examples)
    for index in other:  # the least run of pieces around the answer
        assert examples[index].answers[0][0].strip() in answers[index]
    exact = sorted(set(range(len(examples))) - set(other))
    scores = metrics.score(
        TASKS["xquad"],
        language,
        [gold(examples[index]) for index in exact],
        [answers[index] for index in exact],
    )
    assert scores == {"f1": 1.0, "exact_match": 1.0}


def perfect_tags(form: Tagging, examples: list[Any], sequences: Sequences) -> list[list[str]]:
    """The tags of a model that is sure of every target."""
    kept: list[Any] = [None] * len(sequences.tokens)
    for chosen in by_length([len(tokens) for tokens in sequences.tokens]):
        width = max(len(sequences.tokens[index]) for index in chosen)
        targets = form.stacked([sequences.targets[index] for index in chosen], width)
        scores = torch.nn.functional.one_hot(targets.clamp(min=0), len(form.labels)).float()
        found = form.read(scores, [sequences.parts[index] for index in chosen])
        for index, each in zip(chosen, found, strict=True):
            kept[index] = each
    return form.answers(examples, sequences, kept)


@pytest.mark.parametrize("longest", [128, 12])
@pytest.mark.parametrize(
    ("name", "language"),
    [*(("pos", code) for code in UD), *(("ner", code) for code in UNER)],
)
def test_tags_come_back(
    name: str, language: str, longest: int, root: Path, tokenizer: Tokenizer
) -> None:
    folder = root / ("ud" if name == "pos" else "uner")
    task = TASKS[name]
    path = folder / find(name, folder, [language])["test"][language]
    examples = read(name, path, language=language)
    form = Tagging(task.labels or (), longest)
    sequences = form.encode(examples, tokenizer)
    assert max(map(len, sequences.tokens)) <= longest
    answers = perfect_tags(form, examples, sequences)
    print(f"\n{name} {language}, {longest} tokens: {dict(+sequences.counts)}")
    wanted = [gold(each) for each in examples]
    assert answers == wanted
    scores = metrics.score(task, language, wanted, answers)
    assert scores[task.main_metric] == 1.0
