"""The stages of a cell's tasks: which models are fine-tuned, on what, and where they are tested.

A fine-tuning is a stage of its own for each regime, language of training (where the regime has a
model for each), seed and milestone; cells share those that are equal. What says how many there are
never reaches their keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from grid.budget import rough
from grid.budget.task_sizes import retrieval_work, work
from grid.declarations import FILES, declare
from grid.graph import Graph, StageId
from grid.identity import Encoder
from grid.regimes import Model, models
from grid.slugs import model_slug
from grid.source_files import Sources
from model import stages
from model.config import CellConfig
from model.pretraining_config import PretrainingConfig
from model.task_config import TaskConfig
from model.tasks.catalogue import TASKS


@dataclass(frozen=True, kw_only=True)
class _Data:
    """A model that is to be made, and the stage that brings its files in."""

    model: Model
    role: str
    stage: StageId


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A task of one cell: shared by all cells that say the same of it."""

    name: str
    config: TaskConfig
    tuned: TaskConfig
    """What one fine-tuning of it depends on."""
    data: list[_Data]


class TaskStages:
    """Adds the stages of cells' tasks to a graph; what cells share is added once."""

    def __init__(
        self, graph: Graph, sources: Sources, located: Callable[[str], dict[str, str]]
    ) -> None:
        """located: where a source lies, by the name that its stages know it by."""
        self._graph = graph
        self._sources = sources
        self._located = located
        self._encoder = Encoder()
        self._known: dict[tuple[object, ...], tuple[object, _Task]] = {}

    def add(self, config: CellConfig, roles: dict[str, StageId]) -> None:
        """Adds the stages of all tasks of a cell, by role, to those that it has so far."""
        for name, said in sorted(config.tasks.items()):
            if said is None:
                continue
            task = self._task(config, name, said)
            roles.update({each.role: each.stage for each in task.data})
            for milestone in milestones(config.pretraining, said.milestones):
                for each in task.data:
                    if TASKS[name].form == "retrieval":
                        self._retrieval(config, task, each, milestone, roles)
                        continue
                    for seed in said.seeds or [config.seed]:
                        self._finetuning(config, task, each, seed, milestone, roles)

    def _task(self, config: CellConfig, name: str, said: TaskConfig) -> _Task:
        parts = (config.corpus, said, config.languages, config.evaluation.languages)
        identity = (name, *map(id, parts))
        if identity not in self._known:
            source = "synthetic" if said.source == "synthetic" else FILES
            task = _Task(
                name=name,
                config=said,
                tuned=replace(said.effective(), source=source),
                data=self._data(config, name, said),
            )
            # The parts are kept, so that no others can get their ids.
            self._known[identity] = (parts, task)
        return self._known[identity][1]

    def _data(self, config: CellConfig, name: str, said: TaskConfig) -> list[_Data]:
        synthetic = said.source == "synthetic"
        source = "synthetic" if synthetic else FILES
        wanted = said.languages or config.evaluation.languages or config.languages
        found = None if synthetic else self._sources.task_files(name, said, wanted)
        made = []
        for model in models(name, said, wanted, found):
            stage = declare(
                "task",
                stages.TaskDataStage(
                    task=name,
                    source=source,
                    synthetic=config.corpus.synthetic if synthetic else None,
                    languages=sorted({*model.tested, *model.train}),
                    files=None if found is None else found.described(model.files),
                    train_languages=list(model.train),
                    parts=model.parts,
                ),
                {},
                "-".join([name, source, *_told(model)]),
                seconds=5.0,
                locations=self._located(said.source),
            )
            role = "/".join(["task", name, *_told(model)])
            made.append(_Data(model=model, role=role, stage=self._graph.add(stage)))
        return made

    def _finetuning(
        self,
        config: CellConfig,
        task: _Task,
        data: _Data,
        seed: int,
        milestone: int | None,
        roles: dict[str, StageId],
    ) -> None:
        model = data.model
        told = [
            *_told(model),
            *_at(milestone),
            *([] if task.config.seeds is None else [f"f{seed}"]),
        ]
        stage = declare(
            "finetuning",
            stages.FinetuningStage(
                task=task.name,
                regime=model.regime,
                config=task.tuned,
                train_languages=list(model.train),
                languages=list(model.tested),
                seed=seed,
                milestone=milestone,
            ),
            _inputs(roles, data),
            "-".join([task.name, *told, model_slug(config)]),
            seconds=rough.task_seconds(
                work(task.name, task.config, len(model.train), len(model.tested)),
                config.encoder,
                task.config.batch_size,
            ),
            locations=self._located(task.config.source),
            encoder=self._encoder,
        )
        self._want("/".join(["finetuning", task.name, *told]), self._graph.add(stage), roles)

    def _retrieval(
        self,
        config: CellConfig,
        task: _Task,
        data: _Data,
        milestone: int | None,
        roles: dict[str, StageId],
    ) -> None:
        said, told = task.config, _at(milestone)
        stage = declare(
            "retrieval",
            stages.RetrievalStage(
                task=task.name,
                source=task.tuned.source,
                pivot=said.train_language,
                languages=list(data.model.tested),
                most=said.test_examples,
                max_length=said.max_length,
                layer=said.layer,
                milestone=milestone,
            ),
            _inputs(roles, data),
            "-".join([task.name, *told, model_slug(config)]),
            seconds=rough.task_seconds(
                retrieval_work(said.test_examples, said.max_length, len(data.model.tested)),
                config.encoder,
                1,
            ),
            locations=self._located(said.source),
        )
        self._want("/".join(["retrieval", task.name, *told]), self._graph.add(stage), roles)

    def _want(self, role: str, stage: StageId, roles: dict[str, StageId]) -> None:
        roles[role] = stage
        self._graph.targets.add(stage)


def milestones(config: PretrainingConfig, asked: bool) -> list[int | None]:
    """The updates whose weights are scored, if asked for; None is the end, and comes last."""
    steps = config.effective().milestones or [] if asked else []
    return [*(step for step in steps if step != config.updates), None]


def _inputs(roles: dict[str, StageId], data: _Data) -> dict[str, StageId]:
    return {
        "pretraining": roles["pretraining"],
        "tokenizer": roles["tokenizer"],
        "task": data.stage,
    }


def _told(model: Model) -> list[str]:
    """How a model is told from the others of its task; the zero-shot one needs no name."""
    regime = [] if model.regime == "zero-shot" else [model.regime]
    return [*regime, *([model.train[0]] if model.alone else [])]


def _at(milestone: int | None) -> list[str]:
    return [] if milestone is None else [f"m{milestone}"]
