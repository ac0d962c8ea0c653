"""Which stages a cell needs: each stage's configuration, inputs and key.

A stage's configuration holds only what can change its output, in one form: what is without effect
is left out (a generated world beside text from files) and what is implied is written out (the
feed-forward size). So cells that differ elsewhere share the stage.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from grid.budget import rough
from grid.budget.text import corpus_cost, shard_cost, tokenizer_cost
from grid.checkpoints import Checkpoints, published_slug, scored_as_it_is
from grid.command_stage import command_stage
from grid.declarations import FILES, declare
from grid.graph import Graph, Stage, StageId
from grid.identity import Encoder, digest
from grid.inputs import Inputs
from grid.programs import Program
from grid.slugs import model_slug, tokenizer_slug
from grid.source_files import Sources
from grid.store import Store
from grid.task_stages import TaskStages, milestones
from model import stages
from model.config import CellConfig
from model.stages import SourceFile

Made = TypeVar("Made")


class Cell(Protocol):
    """What the pipeline needs of a cell."""

    @property
    def id(self) -> str: ...
    @property
    def config(self) -> CellConfig: ...


def build(
    cells: Sequence[Cell],
    *,
    locations: Mapping[str, str],
    store: Store,
    programs: Mapping[str, Program] | None = None,
    sources: Sources | None = None,
) -> Graph:
    """The graph of all cells. Reads and checks the files of sources that are not synthetic.

    `locations` maps a source's name to its folder, `programs` a command's to how it is started,
    and `sources` says where files are found instead (grid/budget/unlocated.py).
    Raises StudyError for a source without a location or a command without a program, InputError
    for missing or unusable files.
    """
    builder = _Builder(sources or Sources(locations, store), programs or {})
    for cell in cells:
        builder.graph.cells[cell.id] = builder.cell(cell.config)
    return builder.graph


def stages_of(
    config: CellConfig,
    *,
    locations: Mapping[str, str],
    store: Store,
    programs: Mapping[str, Program] | None = None,
) -> dict[str, Stage]:
    """The stages that one cell needs, by role (see `Graph`), inputs first."""
    builder = _Builder(Sources(locations, store), programs or {})
    roles = builder.cell(config)
    return {role: builder.graph.stages[id] for role, id in roles.items()}


@dataclass(kw_only=True)
class _Roles:
    """A cell's stages so far, and what it says."""

    config: CellConfig
    corpus_digest: str
    stages: dict[str, StageId] = field(default_factory=dict)

    @property
    def tokenizer_slug(self) -> str:
        tokenizer = self.config.tokenizer
        if self.config.checkpoint is not None:
            return published_slug(tokenizer)
        languages = sorted(tokenizer.languages or self.config.languages)
        return tokenizer_slug(replace(tokenizer, languages=languages))


@dataclass(frozen=True, kw_only=True)
class _Text:
    """The stages that prepare text, which many cells share: corpora, a tokenizer, shards."""

    roles: _Roles
    trained: list[str]
    scored: list[str]
    to_train: Inputs
    """What pretraining reads."""
    scored_corpora: Inputs
    scored_shards: Inputs
    """What evaluation reads, besides what is pretrained."""


class _Builder:
    """Adds cells to a graph, one stage after the other; shared stages are made once."""

    def __init__(self, sources: Sources, programs: Mapping[str, Program]) -> None:
        self.graph = Graph()
        self._sources = sources
        self._programs = programs
        self._encoder = Encoder()
        self._checkpoints = Checkpoints(sources)
        self._tasks = TaskStages(self.graph, sources, self._locations)
        self._corpora: dict[tuple[str, str], StageId] = {}
        self._shards: dict[tuple[StageId, StageId], StageId] = {}
        self._made: dict[tuple[object, ...], tuple[object, Any]] = {}

    def cell(self, config: CellConfig) -> dict[str, StageId]:
        """Adds a cell's stages and returns them by role."""
        said: list[object] = [config.corpus, config.tokenizer]
        said += [config.languages, config.evaluation.languages]
        as_it_is = scored_as_it_is(config)
        if config.checkpoint is not None:
            said.append(config.encoder)  # a cell must be of its checkpoint's architecture
        known = f"text {config.checkpoint} {as_it_is} {config.evaluation.text}"
        text = self._once(known, said, lambda: self._text(config))
        roles = replace(text.roles, config=config, stages=dict(text.roles.stages))
        if not any(own and own.replaces_pretraining for own in config.commands.values()):
            self._trained(roles, text)
        for name, own in sorted(config.commands.items()):
            if own is not None:
                roles.stages[f"command/{name}"] = self._command(roles, name)
                self.graph.targets.add(roles.stages[f"command/{name}"])
        return roles.stages

    def _trained(self, roles: _Roles, text: _Text) -> None:
        """The built-in pretraining, and what is measured of it."""
        roles.stages["pretraining"] = (
            roles.stages["checkpoint"]
            if scored_as_it_is(roles.config)
            else self._pretraining(roles, text)
        )
        self.graph.targets.add(roles.stages["pretraining"])
        config = roles.config
        for step in milestones(config.pretraining, config.evaluation.milestones):
            role = "evaluation" if step is None else f"evaluation/m{step}"
            roles.stages[role] = self._evaluation(roles, text, step)
            self.graph.targets.add(roles.stages[role])
        self._tasks.add(config, roles.stages)

    def _once(self, name: str, parts: Sequence[object], make: Callable[[], Made]) -> Made:
        """What is made of the very same parts of cells is made, and so encoded, only once."""
        identity = (name, *map(id, parts))
        if identity not in self._made:
            # The parts are kept, so that no others can get their ids.
            self._made[identity] = (parts, make())
        made: Made = self._made[identity][1]
        return made

    def _text(self, config: CellConfig) -> _Text:
        roles = _Roles(config=config, corpus_digest=digest(config.corpus))
        scored = _scored(config)
        published = config.checkpoint is not None
        trained = [] if scored_as_it_is(config) else sorted(config.languages)
        for_tokenizer = [] if published else sorted(config.tokenizer.languages or config.languages)
        every = sorted({*trained, *scored, *for_tokenizer})
        if config.corpus.source != "synthetic":
            self._sources.all_files(config.corpus.source, every)
        for language in every:
            roles.stages[f"corpus/{language}"] = self._corpus(roles, language)
        held_out = self._held_out(config, scored)
        roles.stages.update({f"held_out/{code}": id for code, id in held_out.items()})
        if published:
            for role, stage in self._checkpoints.stages(config).items():
                roles.stages[role] = self.graph.add(stage)
        else:
            roles.stages["tokenizer"] = self._tokenizer(roles, for_tokenizer)
        for language in sorted({*trained, *scored}):
            roles.stages[f"shards/{language}"] = self._shard(roles, language)
        checkpoint = ["checkpoint"] if published else []

        def inputs(names: Sequence[str]) -> Inputs:
            return Inputs.of({name: roles.stages[name] for name in names})

        return _Text(
            roles=roles,
            trained=trained,
            scored=scored,
            to_train=inputs(["tokenizer", *checkpoint, *(f"shards/{code}" for code in trained)]),
            scored_corpora=Inputs.of(
                {
                    f"corpus/{code}": held_out.get(code, roles.stages[f"corpus/{code}"])
                    for code in scored
                }
            ),
            scored_shards=inputs(["tokenizer", *(f"shards/{code}" for code in scored)]),
        )

    def _held_out(self, config: CellConfig, scored: list[str]) -> dict[str, StageId]:
        """The corpora whose held-out text is scored, by language, if it is not the cell's own."""
        corpus = config.scored_corpus()
        if corpus == config.corpus:
            return {}
        if corpus.source != "synthetic":
            self._sources.all_files(corpus.source, scored)
        roles = _Roles(config=replace(config, corpus=corpus), corpus_digest=digest(corpus))
        return {language: self._corpus(roles, language) for language in scored}

    def _corpus(self, roles: _Roles, language: str) -> StageId:
        known = (roles.corpus_digest, language)
        if known in self._corpora:
            return self._corpora[known]
        corpus = roles.config.corpus
        synthetic = corpus.source == "synthetic"
        files = None if synthetic else self._sources.files(corpus.source, language)
        stage = declare(
            "corpus",
            stages.CorpusStage(
                language=language,
                source=corpus.source if synthetic else FILES,
                synthetic=corpus.synthetic if synthetic else None,
                files=files,
                held_out=corpus.held_out,
            ),
            {},
            f"{language}-{'synthetic' if synthetic else FILES}",
            seconds=corpus_cost(_bytes(corpus, files)).cpu_seconds,
            locations=self._locations(corpus.source),
        )
        self._corpora[known] = self.graph.add(stage)
        return stage.id

    def _tokenizer(self, roles: _Roles, languages: list[str]) -> StageId:
        tokenizer = replace(roles.config.tokenizer, languages=languages)
        inputs = {f"corpus/{code}": roles.stages[f"corpus/{code}"] for code in languages}
        cost = tokenizer_cost(tokenizer, [self._text_bytes(id) for id in inputs.values()])
        return self.graph.add(
            declare(
                "tokenizer",
                stages.TokenizerStage(tokenizer=tokenizer),
                inputs,
                tokenizer_slug(tokenizer),
                seconds=cost.cpu_seconds,
                threads=tokenizer.threads,
                locations=self._locations(roles.config.corpus.source),
            )
        )

    def _shard(self, roles: _Roles, language: str) -> StageId:
        corpus, tokenizer = roles.stages[f"corpus/{language}"], roles.stages["tokenizer"]
        if (corpus, tokenizer) not in self._shards:
            pieces = roles.config.tokenizer.vocab_size
            cost = shard_cost(self._text_bytes(corpus), language, pieces)
            stage = declare(
                "shards",
                stages.ShardsStage(language=language),
                {"corpus": corpus, "tokenizer": tokenizer},
                f"{language}-{roles.tokenizer_slug}",
                seconds=cost.cpu_seconds,
                locations=self._locations(roles.config.corpus.source),
            )
            self._shards[corpus, tokenizer] = self.graph.add(stage)
        return self._shards[corpus, tokenizer]

    def _pretraining(self, roles: _Roles, text: _Text) -> StageId:
        config, languages = roles.config, text.trained
        counted = sorted(config.pretraining.counted_languages or [])
        # To count every language is to count the updates themselves.
        counted = [] if counted == languages else counted
        pretraining = self._once(
            "pretraining",
            (config.pretraining, languages),
            lambda: replace(config.pretraining.effective(), counted_languages=counted or None),
        )
        encoder = self._once(
            "encoder",
            (config.encoder,),
            lambda: replace(config.encoder, feed_forward=config.encoder.feed_forward_size),
        )
        return self.graph.add(
            declare(
                "pretraining",
                stages.PretrainingStage(
                    languages=languages,
                    sampling=config.sampling,
                    encoder=encoder,
                    pretraining=pretraining,
                    seed=config.seed,
                ),
                text.to_train,
                model_slug(config),
                seconds=rough.pretraining_seconds(
                    pretraining, encoder, config.tokenizer.vocab_size, len(languages)
                ),
                encoder=self._encoder,
            )
        )

    def _evaluation(self, roles: _Roles, text: _Text, milestone: int | None) -> StageId:
        config, languages = roles.config, text.scored
        evaluation = self._once(
            "evaluation",
            (config.evaluation, languages),
            # The text is known by the corpora that are its inputs.
            lambda: replace(config.evaluation, languages=languages, milestones=False, text=None),
        )
        trained = Inputs.of({"pretraining": roles.stages["pretraining"]})
        return self.graph.add(
            declare(
                "evaluation",
                stages.EvaluationStage(
                    languages=languages, evaluation=evaluation, milestone=milestone
                ),
                text.scored_corpora.then(trained).then(text.scored_shards),
                model_slug(config) if milestone is None else f"m{milestone}-{model_slug(config)}",
                seconds=rough.evaluation_seconds(
                    evaluation,
                    config.encoder,
                    config.tokenizer.vocab_size,
                    config.pretraining.sequence_length,
                    len(languages),
                ),
                encoder=self._encoder,
            )
        )

    def _command(self, roles: _Roles, name: str) -> StageId:
        stage = command_stage(
            roles.config,
            name,
            roles.stages,
            self._programs,
            slug=f"{name}-{model_slug(roles.config)}",
            locations=self._locations(roles.config.corpus.source),
        )
        return self.graph.add(stage)

    def _locations(self, source: str) -> dict[str, str]:
        return {} if source == "synthetic" else {FILES: str(self._sources.folder(source))}

    def _text_bytes(self, corpus: StageId) -> int:
        config = self.graph.stages[corpus].config
        return _bytes(config, config.files)


def _scored(config: CellConfig) -> list[str]:
    return sorted(config.evaluation.languages or config.languages)


def _bytes(config: Any, files: list[SourceFile] | None) -> int:
    """Text that there may be, for an estimate: the largest language's if it is generated."""
    return config.synthetic.size if files is None else sum(file.bytes for file in files)
