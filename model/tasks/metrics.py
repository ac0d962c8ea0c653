"""What predictions are worth: each task's metrics, and the baseline that knows no text.

Libraries where they are the field's standard: scikit-learn for accuracy, F1 and Matthews'
correlation, SciPy for Pearson's and Spearman's (as GLUE's scorer), seqeval for entities. seqeval is
no longer maintained (1.2.2 is of 2020), yet it stays: it is the scorer that published results name,
its default counts entities as conlleval does, which the tests check on random tags, and what it
computes is settled. Answers are scored by `answers`. The libraries are loaded when they are needed.

All metrics lie between 0 and 1, but correlations, which may be negative. A metric that divides by
nothing is 0: as in the official scorers for F1 (a tagger that found no entity), while for Pearson's
and Spearman's correlation with a constant these give no number.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from model.tasks.answers import first_sentence, mlqa_normalised, scores, squad_normalised
from model.tasks.catalogue import Task
from model.tasks.examples import Tagged, gold

Labels = Sequence[str]
Tags = Sequence[Sequence[str]]


def score(
    task: Task, language: str, gold: Sequence[Any], predicted: Sequence[Any]
) -> dict[str, float]:
    """Each of the task's metrics over all examples of one language.

    gold and predicted: labels (classification, and the places of the sentences for retrieval), a
    list of tags for each sentence (tagging), or, for spans, a list of gold answers and a text.
    """
    if len(gold) != len(predicted) or not gold:
        raise ValueError(
            f"expected as many predictions as gold, found {len(predicted)} of {len(gold)}"
        )
    if task.form == "span":
        return _answers(task, language, gold, predicted)
    if task.form == "tagging":
        for number, (tags, found) in enumerate(zip(gold, predicted, strict=True)):
            if len(tags) != len(found):
                raise ValueError(f"sentence {number}: {len(found)} tags for {len(tags)} words")
        if task.main_metric == "f1":
            return _entities(gold, predicted)
        gold = [tag for tags in gold for tag in tags]
        predicted = [tag for tags in predicted for tag in tags]
    return {name: METRICS[name](gold, predicted) for name in task.metrics}


def baseline(
    task: Task, language: str, train: Sequence[Any], test: Sequence[Any]
) -> dict[str, float]:
    """The scores of what needs no text: examples of training and of the test set.

    The commonest label (or tag, for every word) of the training data; the first sentence of the
    context as the answer; for retrieval, what guessing finds on average.
    """
    if task.form == "retrieval":
        return {name: 1 / len(test) for name in task.metrics}
    wanted = [gold(example) for example in test]
    if task.form == "span":
        return score(task, language, wanted, [first_sentence(example.context) for example in test])
    given = [label for example in train for label in _labels(example)]
    counts = Counter(given)
    commonest = max(task.labels or sorted(counts), key=lambda label: counts[label])
    if task.form == "tagging":
        return score(task, language, wanted, [[commonest] * len(tags) for tags in wanted])
    return score(task, language, wanted, [commonest] * len(wanted))


def _labels(example: Any) -> list[str]:
    return example.tags if isinstance(example, Tagged) else [example.label]


def _answers(
    task: Task, language: str, gold: Sequence[Sequence[str]], predicted: Sequence[str]
) -> dict[str, float]:
    if task.name == "mlqa":
        return scores(gold, predicted, lambda text: mlqa_normalised(text, language))
    return scores(gold, predicted, squad_normalised)


def _entities(gold: Tags, predicted: Tags) -> dict[str, float]:
    """Micro-averaged over entities, which count if type, first and last word are right."""
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        [list(tags) for tags in gold],
        [list(tags) for tags in predicted],
        average="micro",
        zero_division=0,
    )
    return {"f1": float(f1), "precision": float(precision), "recall": float(recall)}


def accuracy(gold: Labels, predicted: Labels) -> float:
    """The share that is right."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(gold, predicted))


def f1(gold: Labels, predicted: Labels) -> float:
    """Of the label "1", as GLUE scores paraphrases."""
    from sklearn.metrics import f1_score

    return float(f1_score(gold, predicted, pos_label="1", average="binary", zero_division=0))


def macro_f1(gold: Labels, predicted: Labels) -> float:
    """The mean of F1 over the labels that the gold data has."""
    from sklearn.metrics import f1_score

    present = sorted(set(gold))
    return float(f1_score(gold, predicted, labels=present, average="macro", zero_division=0))


def matthews(gold: Labels, predicted: Labels) -> float:
    """Matthews' correlation coefficient; 0 where either side is constant."""
    from sklearn.metrics import matthews_corrcoef

    if len(set(gold)) < 2 or len(set(predicted)) < 2:
        return 0.0
    return float(matthews_corrcoef(gold, predicted))


def pearson(gold: Sequence[Any], predicted: Sequence[Any]) -> float:
    """Pearson's correlation of numbers; 0 where either side is constant."""
    from scipy.stats import pearsonr

    return _correlation(pearsonr, gold, predicted)


def spearman(gold: Sequence[Any], predicted: Sequence[Any]) -> float:
    """Spearman's correlation of numbers; 0 where either side is constant."""
    from scipy.stats import spearmanr

    return _correlation(spearmanr, gold, predicted)


def _correlation(
    measure: Callable[..., Any], gold: Sequence[Any], predicted: Sequence[Any]
) -> float:
    one, other = ([float(value) for value in values] for values in (gold, predicted))
    if len(set(one)) < 2 or len(set(other)) < 2:
        return 0.0
    return float(measure(one, other).statistic)


METRICS: dict[str, Callable[[Sequence[Any], Sequence[Any]], float]] = {
    "accuracy": accuracy,
    "f1": f1,
    "macro_f1": macro_f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
}
"""Of labels, by name."""
