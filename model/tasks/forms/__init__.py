"""Forms of tasks: how examples become tokens, what stands on the encoder, what scores mean."""

from model.task_config import TaskConfig
from model.tasks.catalogue import Task
from model.tasks.forms.classification import Classification
from model.tasks.forms.form import Form
from model.tasks.forms.span import Span
from model.tasks.forms.tagging import Tagging


def form_of(task: Task, config: TaskConfig) -> Form:
    """The form of a task that is fine-tuned."""
    if task.form == "classification":
        return Classification(task.labels or (), config.max_length)
    if task.form == "tagging":
        return Tagging(task.labels or (), config.max_length)
    if task.form == "span":
        return Span(config.max_length, config.stride, config.max_answer)
    raise ValueError(f"task {task.name}: {task.form} is not fine-tuned")
