"""Predictions as a table, from which every metric can be computed again.

Columns: split, language, index (place in the file), id (of questions), gold and predicted. Tags are
joined by spaces; gold answers are a JSON list, for a question may have several.
"""

import json
from collections.abc import Sequence
from typing import Any

import polars

from model.tasks import metrics
from model.tasks.catalogue import Task
from model.tasks.examples import Question, gold

COLUMNS = {
    "split": polars.String,
    "language": polars.String,
    "index": polars.Int64,
    "id": polars.String,
    "gold": polars.String,
    "predicted": polars.String,
}


def frame(
    split: str, language: str, examples: Sequence[Any], predicted: Sequence[Any]
) -> polars.DataFrame:
    """The predictions for one split and language."""
    rows = [
        (
            split,
            language,
            index,
            example.id if isinstance(example, Question) else None,
            _told(example),
            " ".join(answer) if isinstance(answer, list) else answer,
        )
        for index, (example, answer) in enumerate(zip(examples, predicted, strict=True))
    ]
    return polars.DataFrame(rows, schema=COLUMNS, orient="row")


def score_again(task: Task, language: str, predictions: polars.DataFrame) -> dict[str, float]:
    """Every metric of a task from the rows of one split and language."""
    wanted: list[Any] = predictions["gold"].to_list()
    answers: list[Any] = predictions["predicted"].to_list()
    if task.form == "span":
        wanted = [json.loads(text) for text in wanted]
    elif task.form == "tagging":
        wanted, answers = ([text.split() for text in texts] for texts in (wanted, answers))
    return metrics.score(task, language, wanted, answers)


def _told(example: Any) -> str:
    value = gold(example)
    if isinstance(example, Question):
        return json.dumps(value, ensure_ascii=False)
    return " ".join(value) if isinstance(value, list) else str(value)
