"""The inference task: its labels are true of the events, and its files are XNLI's."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from model.config import SyntheticConfig
from model.context import Context
from model.errors import InputError
from model.stages import TaskDataStage
from model.tasks import data
from model.tasks.catalogue import TASKS
from model.tasks.examples import read, read_each
from model.text.synthetic.inference import LABELS, examples, rendered
from model.text.synthetic.world import Events, World

DETAILS = ("person_property", "thing_property", "place", "number")
Split = tuple[Events, Events, np.ndarray]


@pytest.fixture(scope="module")
def split(config: SyntheticConfig) -> Split:
    return examples(config, "test", 3_000)


def added(premises: Events, hypotheses: Events) -> np.ndarray:
    """Number of details that the hypothesis says and the premise does not."""
    columns = [(getattr(premises, name), getattr(hypotheses, name)) for name in DETAILS]
    return sum(((p < 0) & (h >= 0)).astype(int) for p, h in columns)


def denied(premises: Events, hypotheses: Events) -> np.ndarray:
    """Whether both say a detail, differently, or one denies what the other states."""
    columns = [(getattr(premises, name), getattr(hypotheses, name)) for name in DETAILS]
    differ = np.stack([(p >= 0) & (h >= 0) & (p != h) for p, h in columns]).any(axis=0)
    return differ | (premises.negated != hypotheses.negated)


def test_labels_are_balanced(split: Split) -> None:
    assert TASKS["xnli"].labels == LABELS
    assert np.bincount(split[2]).tolist() == [1_000, 1_000, 1_000]


def test_hypotheses_tell_of_the_same_event(split: Split) -> None:
    premises, hypotheses, _ = split
    for name in ("person", "verb", "thing", "past"):
        assert (getattr(premises, name) == getattr(hypotheses, name)).all()


def test_what_is_entailed_says_nothing_new(split: Split) -> None:
    premises, hypotheses, label = split
    entailed = label == 0
    assert not added(premises, hypotheses)[entailed].any()
    assert not denied(premises, hypotheses)[entailed].any()


def test_what_is_neutral_adds_one_detail_and_denies_none(split: Split) -> None:
    premises, hypotheses, label = split
    assert (added(premises, hypotheses)[label == 1] == 1).all()
    assert not denied(premises, hypotheses)[label == 1].any()


def test_every_contradiction_has_a_reason(split: Split, world: World) -> None:
    premises, hypotheses, label = split
    contradicted = label == 2
    assert denied(premises, hypotheses)[contradicted].all()
    assert not added(premises, hypotheses)[contradicted].any()
    for name in ("person_property", "thing_property"):
        said, claimed = getattr(premises, name), getattr(hypotheses, name)
        other = (claimed >= 0) & (said != claimed) & contradicted
        assert other.any()
        assert (claimed[other] == world.opposite(said)[other]).all()
    by_negation = (premises.negated != hypotheses.negated)[contradicted].mean()
    assert 0.4 < by_negation < 0.8


def test_hypotheses_alone_give_little_away(split: Split) -> None:
    """The best rule from the hypothesis' length and negation is right for fewer than 70 %."""
    _, hypotheses, label = split
    length = sum((getattr(hypotheses, name) >= 0).astype(int) for name in DETAILS)
    kind = 2 * length + hypotheses.negated
    right = sum(np.bincount(label[kind == k]).max() for k in np.unique(kind))
    assert right / len(label) < 0.70


def test_splits_differ(config: SyntheticConfig) -> None:
    train, test = (list(rendered(config, "en", name, 2_000)) for name in ("train", "test"))
    assert len(set(train) & set(test)) < 0.02 * len(test)


def test_examples_are_the_same_on_every_machine() -> None:
    """A changed hash changes every accuracy on the synthetic task: the commit says why."""
    lines = "\n".join("\t".join(row) for row in rendered(SyntheticConfig(), "ur", "test", 300))
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == "04da99707a9e2359"


@pytest.fixture(scope="module")
def files(config: SyntheticConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("task")
    stage = TaskDataStage(
        task="xnli",
        source="synthetic",
        synthetic=config,
        languages=["en", "sw", "th"],
        files=None,
        train_languages=["en"],
    )
    data.run(stage, {}, output, Context(work=output))
    return output


def test_files_are_as_large_and_as_parallel_as_xnlis(files: Path) -> None:
    for part, count in (("validation", 2_490), ("test", 5_010)):
        path = files / data.FILES[part]
        found = read_each("xnli", dict.fromkeys(("en", "sw", "th"), path), part=part)
        labels = {language: [one.label for one in each] for language, each in found.items()}
        assert labels["en"] == labels["sw"] == labels["th"]
        assert Counter(labels["en"]) == dict.fromkeys(LABELS, count // 3)
        assert found["en"][0].first != found["sw"][0].first
        with pytest.raises(InputError, match="fr"):
            read("xnli", path, language="fr", part=part)


def test_training_file_is_english_with_xnlis_spelling_of_the_labels(files: Path) -> None:
    path = files / data.FILES["train"].format(language="en")
    assert len(read("xnli", path, language="en", part="train")) == 40_000
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["premise", "hypothesis", "label"]
    assert {row[2] for row in rows[1:]} == {"entailment", "neutral", "contradictory"}
